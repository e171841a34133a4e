"""Connections that a proxy introduces by the PROXY protocol, before TLS, with and without fronts."""

import contextlib
import socket
import ssl
from collections.abc import Iterator

import pytest
from tests.edges.harness import PATIENCE_S, RunningServer, running_server
from tests.kits.introductions import LOCAL, VERSION_1, introduce

from watchword.server.http import connections, listener
from watchword.server.http.connections import ConnectionLimits
from watchword.server.http.proxies import Proxies

PROXY, STRANGER = "127.0.0.1", "127.0.0.2"
PROXIES = Proxies.of([PROXY], None)


@pytest.fixture(scope="module", params=[0, 1], ids=["alone", "with a front"])
def server(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    with running_server(fronts=request.param, proxies=PROXIES) as running:
        yield running


def told(server: RunningServer, before: bytes, source: str = PROXY, **headers: str) -> tuple[str, bool]:
    """The caller's address as the server believes it, and whether it was named."""
    connection = server.connect(source, before)
    with contextlib.closing(connection):
        connection.send(server.encode("GET", "/api/told", headers=list(headers.items())))
        answer = connection.read().json()
        return answer["address"], answer["named"]


@pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8::7"])
def test_the_caller_is_whom_the_proxy_introduces(server: RunningServer, address: str):
    assert told(server, introduce(address)) == (address, True)
    assert told(server, introduce(address), Forwarded="for=198.51.100.7") == (address, True)


def test_a_mapped_address_is_the_one_it_maps(server: RunningServer):
    assert told(server, introduce("::ffff:203.0.113.9")) == ("203.0.113.9", True)


def test_a_proxy_that_speaks_for_itself_is_not_named(server: RunningServer):
    assert told(server, LOCAL) == (PROXY, False)
    assert told(server, introduce(PROXY)) == (PROXY, False)


def test_whoever_is_no_proxy_comes_as_itself(server: RunningServer):
    assert told(server, b"", STRANGER) == (STRANGER, True)


def is_closed(server: RunningServer, said: bytes, source: str = PROXY) -> bool:
    """Whether a connection that begins so is ended without an answer."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S, (source, 0)) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may be gone already
            connection.sendall(said)
        try:
            connection.settimeout(PATIENCE_S)
            return b"HTTP" not in connection.recv(4096)
        except ConnectionResetError:
            return True


@pytest.mark.parametrize(
    "said",
    [
        VERSION_1,
        b"\x16\x03\x01\x02\x00" * 8,
        b"GET / HTTP/1.1\r\n\r\n",
        introduce("203.0.113.9")[:12] + bytes(99),
    ],
)
def test_a_proxy_that_introduces_nobody_is_not_let_in(server: RunningServer, said: bytes):
    assert is_closed(server, said)


def test_a_proxy_that_begins_with_tls_is_not_let_in(server: RunningServer):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        server.connect(PROXY)


def test_fault_D6_nobody_else_may_introduce_anybody(server: RunningServer):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        server.connect(STRANGER, introduce("203.0.113.9"))
    assert is_closed(server, introduce("203.0.113.9"), STRANGER)


def test_a_silent_proxy_is_closed_in_time(server: RunningServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(listener, "_INTRODUCTION_S", 0.1)
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as connection:
        connection.sendall(introduce("203.0.113.9")[:20])
        assert connection.recv(1) == b""
    assert told(server, introduce("203.0.113.9")) == ("203.0.113.9", True)


def test_a_connection_counts_for_whom_it_was_introduced_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "QUIET_S", 600.0)  # nobody gives way, however slow this machine is
    limits = ConnectionLimits(total=8, per_source=2)
    with running_server(fronts=0, proxies=PROXIES, limits=limits) as server, contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(contextlib.closing(server.connect(PROXY, introduce("203.0.113.9"))))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            server.connect(PROXY, introduce("203.0.113.9"))
        for number in (1, 2, 3):
            before = introduce(f"203.0.113.1{number}")
            stack.enter_context(contextlib.closing(server.connect(PROXY, before)))
