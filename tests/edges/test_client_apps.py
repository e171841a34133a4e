"""The clients calling apps, over a real server: tokens go where they belong, and only what may be is repeated."""

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.kits.app import App, Asked, fine, in_turn, refusing, running_app
from tests.kits.clients import KINDS, make, note_sleeps

from watchword.client import ClientSettings, Timeouts
from watchword.core.clock import SECOND
from watchword.errors import MalformedError, NotTrustedError, UnreachableError
from watchword.protocol.tokens import UnverifiedToken
from watchword.testing import AdvancingClock
from watchword.testing.server import RunningServer, running_server


@dataclass(kw_only=True)
class Place:
    """A client of one kind, signed in; `clock` is the server's as well."""

    server: RunningServer
    client: Any
    clock: AdvancingClock
    slept: list[float] = field(default_factory=list)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server() as made:
        yield made


@pytest.fixture(scope="module", params=KINDS)
def place(server: RunningServer, request: pytest.FixtureRequest) -> Iterator[Place]:
    ada, clock = server.account(f"ada-{request.param}"), server.clock
    settings = ClientSettings(clock=clock, timeouts=Timeouts(total=4.5), max_app_answer=10_000)
    with make(request.param, server.trusted, ada.home, password=ada.password, settings=settings) as client:
        client.open_vault()
        yield Place(server=server, client=client, clock=clock, slept=note_sleeps(client))


@pytest.fixture
def app() -> Iterator[App]:
    with running_app() as made:
        yield made


def test_a_call_carries_a_token_for_that_app_which_is_kept_for_the_next(place: Place, app: App):
    assert place.client.get(f"{app.url}/a", params={"q": "1 2"}, headers={"X-Own": "yes"}).text == "fine"
    assert place.client.post(f"{app.url}/b", json={"n": 1}).status_code == 200
    first, second = app.asked
    assert first.token is not None
    assert first.token == second.token == f"Bearer {place.client.token(app.url).access_token}"
    assert (first.path, first.headers["x-own"], second.body) == ("/a?q=1+2", "yes", b'{"n":1}')
    with running_app() as other:
        place.client.get(other.url)
        assert other.tokens() != app.tokens()[:1]


def test_a_token_is_for_the_scopes_that_were_asked_for(place: Place, app: App):
    place.client.get(app.url, scopes=("write", "read", "read"))
    place.client.get(app.url, scopes=("read", "write"))
    place.client.get(app.url)
    narrow, same, plain = (
        UnverifiedToken.parse((text or "").removeprefix("Bearer ")) for text in app.tokens()
    )
    assert app.tokens()[0] == app.tokens()[1]
    now = place.clock.now()
    key = place.server._core.keys.signing_key.public
    for token, scopes in ((narrow, ("read", "write")), (same, ("read", "write")), (plain, ())):
        claims = token.verify(key, issuer=place.server.url, audience=app.url, now=now)
        assert claims.scope == scopes
    with pytest.raises(MalformedError):
        place.client.get(app.url, scopes=("two words",))


def test_a_token_is_fetched_anew_30_seconds_before_its_end(place: Place, app: App):
    place.client.get(app.url)
    ends = place.client.token(app.url).expires_at
    place.clock.advance(ends - place.clock.now() - 31 * SECOND)
    place.client.get(app.url)
    place.clock.advance(2 * SECOND)
    place.client.get(app.url)
    first, kept, renewed = app.tokens()
    assert first == kept != renewed


def test_a_refused_token_is_replaced_once_whatever_the_method(place: Place, app: App):
    app.behave = in_turn(refusing(None), (200, {}, b"done"))  # type: ignore[arg-type]  # it looks at nothing
    assert place.client.post(app.url, content=b"x").text == "done"
    first, second = app.tokens()
    assert first != second
    assert [each.body for each in app.asked] == [b"x", b"x"]


def test_an_app_that_refuses_every_token_costs_one_new_token_and_not_one_a_call(place: Place, app: App):
    app.behave = refusing
    answers = [place.client.get(app.url).status_code for _ in range(10)]
    assert answers == [401] * 10
    assert len(set(app.tokens())) == 2
    assert len(app.asked) == 11
    place.clock.advance(6 * SECOND)
    place.client.get(app.url)
    assert len(set(app.tokens())) == 3


def test_another_401_is_the_answer(place: Place, app: App):
    app.behave = lambda _: (401, {"WWW-Authenticate": 'Basic realm="app"'}, b"")
    assert place.client.get(app.url).status_code == 401
    assert len(app.asked) == 1


@pytest.mark.parametrize("method", ["get", "post"])
def test_neither_token_nor_caller_follows_a_redirect_to_another_origin(place: Place, app: App, method: str):
    with running_app() as other:
        app.behave = lambda _: (302, {"Location": f"{other.url}/steal"}, b"")
        answer = getattr(place.client, method)(app.url)
        assert (answer.status_code, other.asked) == (302, [])
        app.behave = lambda _: (302, {"Location": f"//{other.url.removeprefix('http://')}/steal"}, b"")
        assert getattr(place.client, method)(app.url).status_code == 302
        assert other.asked == []


def test_a_get_follows_redirects_within_the_origin_and_not_for_ever(place: Place, app: App):
    app.behave = in_turn((302, {"Location": "/next"}, b""), (200, {}, b"there"))
    assert place.client.get(f"{app.url}/first").text == "there"
    assert [each.path for each in app.asked] == ["/first", "/next"]
    assert app.tokens()[0] == app.tokens()[1]
    app.behave = lambda _: (302, {"Location": "/again"}, b"")
    assert place.client.get(app.url).status_code == 302
    assert len(app.asked) == 2 + 5
    assert place.client.post(app.url).status_code == 302
    assert len(app.asked) == 2 + 5 + 1


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example/",
        "https://ada:word@app.example/",
        "ftp://127.0.0.1/",
        "https://app.example\\@evil.example/",
        "https://app.example\n.evil.example/",
        "nonsense",
    ],
)
def test_a_url_to_which_no_token_may_go_is_refused(place: Place, url: str):
    with pytest.raises(MalformedError):
        place.client.get(url)


def test_no_token_goes_to_another_machine_in_clear_whatever_a_name_resolves_to(
    place: Place, app: App, monkeypatch: pytest.MonkeyPatch
):
    """The peer's address is made up: tests stay on this machine."""
    url = app.url.replace("127.0.0.1", "app.localhost")
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda _host, *rest, **more: resolve("127.0.0.1", *rest, **more)
    )
    assert place.client.get(url).text == "fine"  # this connection is kept, and judged again
    app.asked.clear()
    place.slept.clear()  # other tests' waiting
    for peer in ("192.0.2.7", "2001:db8::7", "fe80::1%eth0"):
        monkeypatch.setattr(socket.socket, "getpeername", lambda _self, peer=peer: (peer, 80))
        for method in ("GET", "POST"):
            with pytest.raises(NotTrustedError, match=r"app\.localhost is not this machine"):
                place.client.request(method, url)
    assert app.asked == []
    assert place.slept == []


def test_the_client_sets_its_own_headers_and_calls_its_own_server_by_methods_only(place: Place, app: App):
    for name in ("Authorization", "HOST", "content-length"):
        with pytest.raises(MalformedError, match="sets itself"):
            place.client.get(app.url, headers={name: "x"})
    with pytest.raises(MalformedError, match="itself"):
        place.client.get(f"{place.server.url}/api/me")
    with pytest.raises(MalformedError, match="either"):
        place.client.post(app.url, content=b"x", json={})
    assert app.asked == []


def test_cookies_of_an_app_are_not_kept(place: Place, app: App):
    app.behave = lambda _: (200, {"Set-Cookie": "a=b; Path=/"}, b"")
    place.client.get(app.url)
    place.client.get(app.url)
    assert [each.headers["cookie"] for each in app.asked] == [None, None]


def test_an_answer_beyond_its_bound_is_refused(place: Place, app: App):
    app.behave = lambda _: (200, {}, bytes(10_001))
    with pytest.raises(MalformedError, match="too long"):
        place.client.get(app.url)


# Repeating


def test_a_get_whose_connection_breaks_is_repeated_and_a_post_never(place: Place, app: App):
    place.slept.clear()
    app.behave = in_turn(None, None, (200, {}, b"third"))
    assert place.client.get(app.url).text == "third"
    assert len(place.slept) == 2
    assert 0.1 <= place.slept[0] <= 0.2 <= place.slept[1] <= 0.4
    app.asked.clear()
    app.behave = in_turn(None, (200, {}, b"late"))
    with pytest.raises(UnreachableError, match="closed before the answer"):
        place.client.post(app.url)
    assert len(app.asked) == 1
    assert len(place.slept) == 2


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_app_is_asked_again_when_it_says_if_that_is_soon(place: Place, app: App, status: int):
    place.slept.clear()
    app.behave = in_turn((status, {"Retry-After": "0"}, b""), (status, {}, b""), (200, {}, b"now"))
    assert place.client.get(app.url).text == "now"
    assert len(place.slept) == 2
    for asked in ("6", "3600", "Wed, 21 Oct 2027 07:28:00 GMT", "soon"):
        app.behave = in_turn((status, {"Retry-After": asked}, b""), (200, {}, b"early"))
        assert place.client.get(app.url).status_code == status
    app.behave = in_turn((status, {}, b""), (200, {}, b"twice"))
    assert place.client.put(app.url).status_code == status
    assert len(place.slept) == 2


def test_waiting_that_would_outlast_the_call_is_not_begun(place: Place, app: App):
    place.slept.clear()
    app.behave = in_turn((503, {"Retry-After": "5"}, b""), (200, {}, b"late"))
    assert place.client.get(app.url).status_code == 503
    assert (place.slept, len(app.asked)) == ([], 1)


# Time


LONG_S = 20.0


def trickle(asked: Asked, start: bytes) -> None:
    """A byte now and then, each in time, for longer than the whole call may take."""
    asked.raw.write(start)
    for _ in range(int(LONG_S / 0.05)):
        asked.raw.write(b"x")
        asked.raw.flush()
        time.sleep(0.05)


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Long: "]
)
def test_a_trickling_answer_ends_with_the_calls_time(
    place: Place, app: App, start: bytes, monkeypatch: pytest.MonkeyPatch
):
    def behave(asked: Asked) -> None:
        trickle(asked, start)

    app.behave = behave
    place.client.token(app.url)
    monkeypatch.setattr(place.client._transport, "_timeouts", Timeouts(read=0.3, total=0.5))
    began = time.monotonic()
    with pytest.raises(UnreachableError):
        place.client.post(app.url)
    assert time.monotonic() - began < LONG_S / 2


# Trust


def test_an_app_over_tls_is_trusted_by_the_roots_that_were_given(server: RunningServer):
    ada = server.account("ada")
    with running_server() as other:
        for kind in KINDS:
            settings = ClientSettings(app_ca_file=other.ca_file)
            with make(kind, server.trusted, ada.home, password=ada.password, settings=settings) as client:
                assert client.get(f"{other.url}/health/ready").json() == {"status": "ready"}
            with (
                make(kind, server.trusted, ada.home, password=ada.password) as client,
                pytest.raises(NotTrustedError, match="not signed by"),
            ):
                client.get(f"{other.url}/health/ready")


def test_a_kept_token_dies_with_its_session(server: RunningServer):
    with running_app(fine) as app:
        bob = server.register("bob")
        bob.client.get(app.url)
        bob.client.log_in()
        bob.client.get(app.url)
        assert len(set(app.tokens())) == 2
