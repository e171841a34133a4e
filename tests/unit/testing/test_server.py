"""The server that tests of applications run: real, quick, alone, and gone when the block ends."""

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.kits.tokens import call, http_scope

from watchword.core.clock import MINUTE
from watchword.errors import InvalidConfigError, RefusedError, UnauthenticatedError
from watchword.middleware import Identity, Presentation, Proof, Verifier, WatchwordMiddleware
from watchword.testing.server import RunningServer, running_server

APP = "https://app.example"
BUDGET_CPU_S = 0.3


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server() as made:
        yield made


def verify(server: RunningServer, token: str) -> Identity:
    settings = server.middleware_settings(APP)
    verifier = Verifier(**settings)
    return asyncio.run(verifier.verify(token, Presentation(now=server.clock.now(), proof=Proof.BEARER)))


def test_a_server_is_ready_within_its_budget_of_processor_time():
    """The least of three: what else this process does meanwhile only ever adds."""
    taken = []
    for _ in range(3):
        before = time.process_time()
        with running_server():
            taken.append(time.process_time() - before)
    assert min(taken) < BUDGET_CPU_S


def test_a_registered_account_is_signed_in_with_its_level(server: RunningServer):
    ada = server.register("ada", level=2)
    answer = ada.client.who_am_i()
    assert (answer.account.username, answer.account.level, answer.account.id) == ("ada", 2, ada.id)
    identity = verify(server, ada.client.token(APP).access_token)
    assert (identity.username, identity.level) == ("ada", 2)


def test_an_account_is_shared_by_whoever_asks_for_it(server: RunningServer):
    assert server.account("shared") is server.account("shared", level=3)
    with pytest.raises(RefusedError):
        server.register("shared")


def test_a_made_token_passes_the_middleware_with_what_was_asked_for(server: RunningServer):
    token = server.token("bob", for_=APP, level=5, scopes=("read", "write"))
    identity = verify(server, token)
    assert (identity.username, identity.level, identity.scopes) == ("bob", 5, frozenset({"read", "write"}))
    assert verify(server, server.token("bob", for_=APP)).account == identity.account
    assert verify(server, server.token("eve", for_=APP)).account != identity.account


def test_a_made_token_ends_when_the_clock_says_so_and_is_for_one_app_only():
    with running_server() as own:
        token = own.token("bob", for_=APP)
        assert verify(own, token).username == "bob"
        with pytest.raises(UnauthenticatedError):
            verify(own, own.token("bob", for_=APP, valid_for=-5 * MINUTE))
        with pytest.raises(UnauthenticatedError):
            verify(own, own.token("bob", for_="https://other.example"))
        own.clock.advance(12 * MINUTE)
        with pytest.raises(UnauthenticatedError):
            verify(own, token)


def test_an_app_behind_the_middleware_admits_the_token_and_refuses_none(server: RunningServer):
    async def app(scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["watchword.identity"].username.encode()})

    guarded = WatchwordMiddleware(app, **server.middleware_settings(APP))
    headers = [(b"authorization", b"Bearer " + server.token("bob", for_=APP).encode())]
    admitted = asyncio.run(call(guarded, http_scope(headers=headers)))
    assert (admitted.status, admitted.body) == (200, b"bob")
    assert asyncio.run(call(guarded, http_scope())).status == 401


def test_a_suspended_account_is_signed_in_no_more(server: RunningServer):
    carl = server.register("carl")
    server.suspend("carl")
    with pytest.raises(UnauthenticatedError):
        carl.client.who_am_i()


def test_several_servers_at_once_do_not_know_each_other():
    with running_server() as one, running_server() as two:
        assert one.url != two.url
        assert verify(one, one.token("bob", for_=APP)).username == "bob"
        with pytest.raises(UnauthenticatedError):
            verify(two, one.token("bob", for_=APP))


def test_nothing_is_left_of_a_server_that_stopped():
    with running_server():
        pass  # what the first one loads stays loaded
    gc.collect()
    threads, handles = set(threading.enumerate()), len(list(Path("/proc/self/fd").iterdir()))
    with running_server() as server:
        folder, url = server.data.parent, server.url
        assert httpx.get(f"{url}/health/ready", verify=_context(server)).status_code == 200
    gc.collect()
    assert set(threading.enumerate()) == threads
    assert len(list(Path("/proc/self/fd").iterdir())) == handles
    assert not folder.exists()


def test_settings_are_those_of_the_configuration_and_a_wrong_one_is_told():
    with running_server(registration="closed") as closed, pytest.raises(RefusedError):
        closed.register("ada")
    with pytest.raises(InvalidConfigError), running_server(registration="perhaps"):
        pass


@pytest.mark.parametrize(
    "settings", [{"data": "."}, {"listen": "192.0.2.1:0", "origin": APP}, {"listen": "[::]:0", "origin": APP}]
)
def test_no_data_but_its_own_and_no_address_but_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidConfigError, match=r"own folder|loopback"), running_server(**settings):  # type: ignore[arg-type]  # no setting is called clock
        pass
    assert list(tmp_path.iterdir()) == []
    with running_server(listen="[::1]:0") as server:
        assert server.url.startswith("https://localhost:")


def test_the_environment_of_the_tests_does_not_reach_the_server(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WATCHWORD_REGISTRATION", "closed")
    monkeypatch.setenv("WATCHWORD_LISTEN", "nonsense")
    with running_server() as server:
        assert server.register("ada").username == "ada"


def _context(server: RunningServer):
    from watchword.client.transport import pinned_context  # noqa: PLC0415  # one use

    return pinned_context(server.ca_file.read_text())
