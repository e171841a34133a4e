"""What a client repeats, and what never: each exchange is driven by hand against a server that is busy."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from watchword.client.effects import Call, Flow, call
from watchword.client.flows import account, api
from watchword.client.flows.account import DeviceKeys
from watchword.client.flows.sealed import ReplyKey, exchange
from watchword.client.line import Line, answered
from watchword.client.settings import Retries
from watchword.client.steps import Send, Sleep
from watchword.client.trust import TrustedServer, fetch_key_document
from watchword.core.ids import DeviceId
from watchword.core.secret import Secret
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.crypto.passwords import stretch
from watchword.errors import OverloadedError, TooManyError, UnavailableError, UnreachableError
from watchword.protocol.device_header import DeviceHeader, HeaderKey
from watchword.protocol.envelope import Purpose, Recipient
from watchword.protocol.messages import LoginAnswer
from watchword.testing import FixedClock, SeededEntropy

ENTROPY = SeededEntropy("line")
SERVER = TrustedServer(server="https://id.example", root_pem="")
TO = Recipient(
    kid="k", key=SealingPrivateKey.generate(Suite.HYBRID, ENTROPY).public, issuer="https://id.example"
)
TOKEN = Secret(b"token")
BUSY = httpx.Response(503, json={"code": "overloaded", "request_id": "req_1"}, headers={"retry-after": "2"})


def sealed_login() -> Flow[Any]:
    return exchange(
        "/api/login",
        b"{}",
        LoginAnswer,
        to=TO,
        purpose=Purpose.LOGIN,
        reply_key=ReplyKey.generate(ENTROPY),
        short_key="AA",
    )


REPEATED: dict[str, Callable[[], Flow[Any]]] = {
    "key document": lambda: fetch_key_document(SERVER, clock=FixedClock(), at_least=1),
    "who am I": lambda: api.who_am_i(TOKEN),
    "sessions": lambda: api.list_sessions(TOKEN),
    "begin": lambda: account.log_in("ada", Secret(b"word"), to=TO, entropy=ENTROPY),
    "enrolment": lambda: account.enrol(
        "wtt_x", "device", DeviceKeys.generate(ENTROPY), to=TO, entropy=ENTROPY
    ),
}
NEVER: dict[str, Callable[[], Flow[Any]]] = {
    "login": sealed_login,
    "token": lambda: api.bearer_token(TOKEN, "https://app.example"),
    "end a session": lambda: api.end_session(TOKEN, "ses_x"),
    "end all sessions": lambda: api.end_all_sessions(TOKEN),
}


def steps(flow: Flow[Any], *, retries: Retries | None = None) -> Any:
    line = Line(
        trusted=SERVER,
        retries=retries or Retries(),
        entropy=ENTROPY,
        clock=FixedClock(),
        stretch=stretch,
    )
    return line.run(flow)


@pytest.mark.parametrize("name", REPEATED)
def test_what_does_no_harm_is_repeated_with_the_same_bytes(name: str):
    flow = steps(REPEATED[name]())
    first = next(flow)
    assert isinstance(first, Send)
    assert flow.send(BUSY) == Sleep(seconds=2)
    again = flow.send(None)
    assert again == first
    slept = flow.throw(UnreachableError("gone"))
    assert isinstance(slept, Sleep)
    assert flow.send(None) == first
    with pytest.raises(UnreachableError, match="for good"):
        flow.throw(UnreachableError("for good"))


@pytest.mark.parametrize("name", NEVER)
def test_what_may_have_been_done_is_never_repeated(name: str):
    flow = steps(NEVER[name]())
    assert isinstance(next(flow), Send)
    with pytest.raises(UnreachableError):
        flow.throw(UnreachableError("no answer"))
    flow = steps(NEVER[name]())
    next(flow)
    with pytest.raises(OverloadedError) as busy:
        flow.send(BUSY)
    assert (busy.value.retry_after, busy.value.request_id) == (2, "req_1")


def test_who_asks_too_often_learns_when_to_come_back():
    problem = {"type": "x", "title": "x", "status": 429, "code": "too_many", "request_id": "req_1"}
    answer = httpx.Response(429, headers={"retry-after": "600"}, json=problem)
    flow = steps(NEVER["token"]())
    next(flow)
    with pytest.raises(TooManyError) as held:
        flow.send(answer)
    assert (held.value.retry_after, held.value.request_id) == (600, "req_1")


def test_every_exchange_says_so_itself():
    for flows, repeatable in ((REPEATED, True), (NEVER, False)):
        for name, make in flows.items():
            first = next(make())
            assert isinstance(first, Call), name
            assert first.repeatable is repeatable, name


def test_a_wait_for_which_no_time_is_left_gives_what_came_of_the_last_attempt():
    flow = steps(REPEATED["who am I"]())
    next(flow)
    assert isinstance(flow.send(BUSY), Sleep)
    with pytest.raises(OverloadedError):
        flow.throw(UnreachableError("no answer within 30 seconds"))


def test_without_attempts_nothing_is_repeated():
    flow = steps(REPEATED["who am I"](), retries=Retries(attempts=1))
    next(flow)
    with pytest.raises(OverloadedError):
        flow.send(BUSY)


def test_an_answer_that_is_no_problem_document_is_named_by_its_status():
    flow = steps(NEVER["token"]())
    next(flow)
    with pytest.raises(UnavailableError, match="status 502"):
        flow.send(httpx.Response(502, content=b"<html>"))


def test_the_token_of_a_request_is_in_no_representation():
    flow = steps(REPEATED["who am I"]())
    send = next(flow)
    assert isinstance(send, Send)
    assert send.headers["Authorization"] == "Bearer token"
    assert "Bearer" not in repr(send)
    flow.close()


def test_a_device_header_is_new_each_time_that_a_request_is_sent():
    key = HeaderKey(
        device=DeviceId(bytes(16)), client_key=Secret(bytes(32)), seed_version=1, issuer="https://a.example"
    )
    flow = steps(call(Call(method="POST", path="/api/login/begin", device=key, repeatable=True)))
    sent = [next(flow)]
    flow.send(BUSY)
    sent.append(flow.send(None))
    headers = [DeviceHeader.parse(send.headers["watchword-device"]) for send in sent]
    assert len({header.nonce for header in headers}) == 2
    for header in headers:
        header.verify(key.client_key, "POST", b"/api/login/begin", key.issuer)
    flow.close()


def test_other_answers_are_given_as_they_are():
    send = Send(method="GET", url="https://app.example/", max_answer=1)
    flow = answered(lambda: send, repeatable=True, retries=Retries(), entropy=ENTROPY)
    next(flow)
    with pytest.raises(StopIteration) as end:
        flow.send(httpx.Response(500))
    assert end.value.value.status_code == 500
