"""A connection that is closed before a byte of the request was sent is made again, a few times."""

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager

import httpx
import pytest

from watchword.client.async_transport import AsyncTransport
from watchword.client.reconnecting import PAUSES_S
from watchword.client.settings import Timeouts
from watchword.client.steps import Send, Step
from watchword.client.transport import Transport
from watchword.core.clock import SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.crypto.authority import Authority
from watchword.errors import NotTrustedError, UnreachableError
from watchword.server.http.tls import make_tls_context

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
_RESET = struct.pack("ii", 1, 0)


@contextmanager
def a_server(ends: Callable[[socket.socket], None], times: int) -> Iterator[tuple[str, str, list[int]]]:
    """Its origin, its root, and how many connections it had: the first `times` it only ends."""
    now = SystemClock().now()
    authority = Authority.create(now, SystemEntropy())
    issued = authority.issue_server(["localhost"], now)
    context, came = make_tls_context(issued.chain_pem(), issued.key_pem()), [0]
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            came[0] += 1
            with connection:
                if came[0] <= times:
                    ends(connection)
                else:
                    answer(connection, context)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"https://localhost:{listening.getsockname()[1]}/", authority.root.chain_pem().decode(), came
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def answer(connection: socket.socket, context: ssl.SSLContext) -> None:
    try:
        with closing(context.wrap_socket(connection, server_side=True)) as secure:
            secure.recv(4096)
            secure.sendall(ANSWER)
    except OSError:
        pass  # it trusts somebody else


def resets(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def hears_and_closes(connection: socket.socket) -> None:
    connection.recv(4096)


def asked(kind: str, url: str, root: str) -> tuple[int, list[float]]:
    """The status, and how long the client would have slept. Raises what the transport raises."""
    slept: list[float] = []

    def flow() -> Generator[Step, httpx.Response, int]:
        answer = yield Send(method="POST", url=url, max_answer=100, content=b"x")
        return answer.status_code

    if kind == "blocking":
        transport = Transport(timeouts=Timeouts(), clock=SystemClock(), app_roots=root, sleep=slept.append)
        with closing(transport):
            return transport.run(flow()), slept

    async def run() -> int:
        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        several = AsyncTransport(timeouts=Timeouts(), clock=SystemClock(), app_roots=root, sleep=sleep)
        try:
            return await several.run(flow())
        finally:
            await several.close()

    return asyncio.run(run()), slept


@pytest.mark.parametrize("kind", ["blocking", "async"])
@pytest.mark.parametrize("ends", [resets, hears_and_closes])
def test_a_connection_that_is_cut_off_before_tls_is_made_again(
    kind: str, ends: Callable[[socket.socket], None]
):
    with a_server(ends, 4) as (url, root, came):
        assert asked(kind, url, root) == (200, list(PAUSES_S))
    assert came == [5]


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_it_is_made_four_more_times_and_then_no_more(kind: str):
    with a_server(resets, 99) as (url, root, came), pytest.raises(UnreachableError):
        asked(kind, url, root)
    assert came == [5]


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_who_is_not_trusted_is_not_asked_again(kind: str):
    other = Authority.create(SystemClock().now(), SystemEntropy()).root.chain_pem().decode()
    with a_server(resets, 0) as (url, _, came), pytest.raises(NotTrustedError):
        asked(kind, url, other)
    assert came == [1]
