"""What an error says of whoever caused it."""

import dataclasses

import pytest

from watchword.core.clock import Instant
from watchword.core.ids import RequestId
from watchword.errors import (
    BeginAgainError,
    ForbiddenError,
    MalformedError,
    NotFoundError,
    RefusedError,
    TooManyError,
    UnauthenticatedError,
    UnavailableError,
    UnsupportedMediaError,
    WatchwordError,
)
from watchword.protocol.tokens import Step
from watchword.server.bans.model import OffenceKind
from watchword.server.context import RequestContext
from watchword.server.door.offences import OFFENCES, offence_of
from watchword.server.http.endpoint import Request, Route
from watchword.server.http.headers import Headers
from watchword.server.http.reply import Reply
from watchword.server.limits.model import LIMIT_CLASSES
from watchword.server.measures.outcomes import REASONS


async def handler(_request: Request) -> Reply:
    return Reply.empty()


LOGIN = Route("POST", "/api/login", handler, limit="sign_in")
READ = Route("GET", "/", handler)


def request_for(path: str) -> Request:
    context = RequestContext(
        request_id=RequestId(bytes(16)),
        now=Instant(0),
        address="192.0.2.7",
        shown_address="192.0.2.7",
        user_agent="",
    )
    return Request(context=context, raw_path=path.encode(), headers=Headers(()), path_parameters={}, query={})


def of(error: WatchwordError, route: Route | None = LOGIN, path: str = "/api/login") -> OffenceKind | None:
    return offence_of(request_for(path), route, error)


def of_a_browser(error: WatchwordError, path: str, **said: str) -> OffenceKind | None:
    headers = [(b"host", b"id.example")]
    headers += [(name.replace("_", "-").encode(), value.encode()) for name, value in said.items()]
    request = dataclasses.replace(request_for(path), headers=Headers(headers))
    return offence_of(request, None, error)


def test_every_reason_that_the_audit_trail_knows_is_judged():
    assert sorted(REASONS - OFFENCES.keys()) == []


def test_every_step_at_which_a_token_may_fail_is_judged():
    for_apps = {Step.BOUND, Step.UNBOUND}
    assert not {step.name.lower() for step in set(Step) - for_apps} - OFFENCES.keys()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RefusedError("wrong_secret"), OffenceKind.CREDENTIAL),
        (RefusedError("unknown_name"), OffenceKind.CREDENTIAL),
        (RefusedError("name_taken"), OffenceKind.CREDENTIAL),
        (RefusedError("short_key_forged"), OffenceKind.FORGED),
        (RefusedError("device_signature"), OffenceKind.FORGED),
        (RefusedError("device_header_forged"), OffenceKind.FORGED),
        (RefusedError("device_header_unknown"), OffenceKind.CREDENTIAL),
        (UnauthenticatedError("cookie_forged"), OffenceKind.FORGED),
        (UnauthenticatedError("signature"), OffenceKind.CREDENTIAL),
        (UnauthenticatedError("other_scheme"), OffenceKind.CREDENTIAL),
        (TooManyError(1, reason="concurrent"), OffenceKind.CONCURRENT),
        *((TooManyError(1, reason=f"rate_{name}"), OffenceKind.LIMITED) for name in LIMIT_CLASSES),
        (MalformedError("x"), OffenceKind.CREDENTIAL),
        (UnsupportedMediaError("x"), OffenceKind.CREDENTIAL),
        # What happens to the innocent.
        (TooManyError(1, reason="lane"), None),
        (TooManyError(1, reason="banned"), None),
        (RefusedError("short_key_used"), None),
        (RefusedError("device_header_many"), None),
        (RefusedError("changed_meanwhile_password"), None),
        (RefusedError("registration_closed"), None),
        (BeginAgainError("short_key_expired"), None),
        (UnauthenticatedError("no_token"), None),
        (UnauthenticatedError("session_ended"), None),
        (UnauthenticatedError("expiry"), None),
        (UnavailableError(), None),
        (ForbiddenError(), None),
        (RefusedError("something new"), None),
    ],
)
def test_what_each_error_counts_as(error: WatchwordError, kind: OffenceKind | None):
    assert of(error) is kind


def test_a_scanners_path_counts_wherever_nothing_is_and_however_that_is_told():
    for error in (NotFoundError(), UnauthenticatedError("no_token"), ForbiddenError()):
        assert of(error, None, "/.env") is OffenceKind.SCANNER
        assert of(error, None, "/nothing") is None
    assert of(TooManyError(1, reason="banned"), None, "/.env") is None


def test_an_unreadable_body_is_an_offence_where_credentials_are_taken_alone():
    assert of(MalformedError("x"), READ, "/") is None
    assert of(MalformedError("x"), None, "/nothing") is None


@pytest.mark.parametrize(
    "said",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"origin": "http://id.example"},
    ],
)
def test_fault_D12_what_a_page_of_another_site_has_asked_bans_nobody(said: dict[str, str]):
    assert of_a_browser(NotFoundError(), "/wp-login.php", **said) is None
    assert of_a_browser(TooManyError(1, reason="rate_read"), "/", **said) is None
    assert of_a_browser(RefusedError("wrong_secret"), "/", **said) is OffenceKind.CREDENTIAL
    assert of_a_browser(UnauthenticatedError("cookie_forged"), "/", **said) is OffenceKind.FORGED


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "same-origin"},
        {"origin": "https://id.example"},
    ],
)
def test_what_a_browser_asks_for_by_itself_counts(said: dict[str, str]):
    assert of_a_browser(NotFoundError(), "/wp-login.php", **said) is OffenceKind.SCANNER
    assert of_a_browser(TooManyError(1, reason="rate_read"), "/", **said) is OffenceKind.LIMITED
