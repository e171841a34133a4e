import json

import pytest

from watchword.core.ids import RequestId
from watchword.errors import (
    ConflictError,
    DamagedError,
    ErrorCode,
    MalformedError,
    OverloadedError,
    RefusedError,
    SignatureError,
    UnauthenticatedError,
    UnavailableError,
    UnsealError,
    WatchwordError,
)
from watchword.server.http.problem import KINDS, internal_reply, problem_reply

REQUEST = RequestId(bytes(16))


def test_the_table_covers_every_code():
    assert set(KINDS) == set(ErrorCode)
    assert all(400 <= kind.status < 600 and kind.title for kind in KINDS.values())


def test_every_error_class_has_a_reply():
    def subclasses(kind: type[WatchwordError]) -> list[type[WatchwordError]]:
        return [kind, *[found for child in kind.__subclasses__() for found in subclasses(child)]]

    for kind in subclasses(WatchwordError):
        error = kind.__new__(kind)
        Exception.__init__(error)
        error.retry_after = 3  # type: ignore[attr-defined]  # some have it
        error.quota = None  # type: ignore[attr-defined]  # one has it
        assert problem_reply(error, REQUEST).status == KINDS[kind.code].status


def test_a_problem_names_its_code_and_request():
    reply = problem_reply(ConflictError("read again"), REQUEST)
    assert (reply.status, reply.headers) == (409, {"content-type": "application/problem+json"})
    assert json.loads(reply.body) == {
        "type": "urn:watchword:problem:conflict",
        "title": "It was changed by somebody else",
        "status": 409,
        "code": "conflict",
        "detail": "read again",
        "request_id": str(REQUEST),
    }


@pytest.mark.parametrize(
    "kinds",
    [(RefusedError("no such name"), RefusedError("wrong password"), UnsealError("x"), SignatureError())],
)
def test_refusals_are_the_same_byte_for_byte(kinds: tuple[WatchwordError, ...]):
    assert len({problem_reply(error, REQUEST).body for error in kinds}) == 1


@pytest.mark.parametrize(
    "error", [DamagedError("row 7 of accounts"), UnavailableError("disk full"), WatchwordError("x")]
)
def test_faults_of_ours_show_no_detail(error: WatchwordError):
    reply = problem_reply(error, REQUEST)
    assert "detail" not in json.loads(reply.body)
    assert reply.status in {500, 503}
    assert reply.status == 503 or reply.body == internal_reply(REQUEST).body


def test_outages_say_when_to_try_again():
    assert problem_reply(OverloadedError(7), REQUEST).headers["retry-after"] == "7"
    assert problem_reply(UnavailableError(), REQUEST).headers["retry-after"] == "5"


def test_the_unauthenticated_are_challenged():
    assert (
        problem_reply(UnauthenticatedError("x"), REQUEST).headers["www-authenticate"]
        == 'Bearer realm="watchword"'
    )


def test_detail_is_the_errors_own():
    assert json.loads(problem_reply(MalformedError("not JSON"), REQUEST).body)["detail"] == "not JSON"
