"""`metrics.listen`: plain HTTP for Prometheus, apart from the public address. It serves `/metrics` and nothing else.

One request on a connection, few connections, little time: whoever reaches this port can keep it busy, not the server.
A page in a browser on this machine could reach it too, under a name of its own that it lets point here (DNS rebinding),
and read the answer: so `Host` must be an address, localhost, or a name that we know as ours.
"""

import asyncio
import contextlib
import ipaddress
import re
import socket
from collections.abc import AsyncIterator, Iterable
from typing import Final

from watchword.server.logs import get_log
from watchword.server.metrics.reader import MetricsReader

PATH: Final = "/metrics"
MAX_CONNECTIONS: Final = 16
REQUEST_S: Final = 5.0
"""For a whole request, and once more for its answer."""
_MAX_HEAD: Final = 8192
_TEXT: Final = "text/plain; charset=utf-8"
_LOCAL: Final = "localhost"
_AUTHORITY: Final = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9_.-]+))(?::[0-9]{1,5})?")
_log: Final = get_log("metrics")


@contextlib.asynccontextmanager
async def serve_metrics(
    listen: socket.socket, reader: MetricsReader, *, names: Iterable[str] = ()
) -> AsyncIterator[None]:
    """Serve on `listen` (from `bind`) while the block runs, to who asks for an address, localhost or one of `names`."""
    endpoint = _Endpoint(reader, frozenset(name.lower() for name in (_LOCAL, *names) if name))
    server = await asyncio.start_server(endpoint.accept, sock=listen, limit=_MAX_HEAD)
    try:
        yield
    finally:
        server.close()
        await endpoint.stop()


_CALLERS_FAULT: Final = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
"""What ends a connection without a word: it is the caller's own, and its alone."""


class _Endpoint:
    def __init__(self, reader: MetricsReader, names: frozenset[str]) -> None:
        self._reader, self._names = reader, names
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= MAX_CONNECTIONS:
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(*_CALLERS_FAULT), contextlib.closing(writer):
            async with asyncio.timeout(REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
            writer.write(await self._answered(head))
            async with asyncio.timeout(REQUEST_S):
                await writer.drain()

    async def _answered(self, head: bytes) -> bytes:
        """An answer in any case: a fault of ours is logged, and is not taken for the caller's."""
        try:
            return await self._answer(head)
        except Exception as error:  # noqa: BLE001  # logged; nobody else would hear of it
            _log.fault("metrics.failed", error)
            return _response("500 Internal Server Error", _TEXT, b"the log says why\n")

    async def _answer(self, head: bytes) -> bytes:
        line, *headers = head.decode("latin-1").split("\r\n")
        words = line.split(" ")
        if len(words) != 3 or words[0] not in {"GET", "HEAD"}:  # noqa: PLR2004  # method, target, version
            return _response("405 Method Not Allowed", _TEXT, b"only GET is answered here\n")
        if not self._is_ours(_values(headers, "host")):
            return _response(
                "421 Misdirected Request",
                _TEXT,
                b"ask by address, as localhost, or by a name of this server\n",
            )
        if words[1].partition("?")[0] != PATH:
            return _response("404 Not Found", _TEXT, f"the metrics are at {PATH}\n".encode())
        found = await self._reader.read(next(iter(_values(headers, "accept")), ""))
        return _response("200 OK", found.content_type, found.body, head=words[0] == "HEAD")

    def _is_ours(self, hosts: list[str]) -> bool:
        """Whether there is one `Host`, and it is no name of somebody else's."""
        name = host_name(hosts[0]) if len(hosts) == 1 else ""
        return name in self._names or _is_address(name)


def host_name(authority: str) -> str:
    """The host of `host:port`, in lower case, an IPv6 address without its brackets; empty for what is no authority."""
    match = _AUTHORITY.fullmatch(authority)
    return (match["six"] or match["name"]).lower() if match else ""


def _is_address(name: str) -> bool:
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(name)
        return True
    return False


def _values(headers: list[str], wanted: str) -> list[str]:
    split = [header.partition(":") for header in headers]
    return [value.strip() for name, _, value in split if name.lower() == wanted]


def _response(status: str, content_type: str, body: bytes, *, head: bool = False) -> bytes:
    lines = (
        f"HTTP/1.1 {status}",
        f"content-type: {content_type}",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode("ascii") + (b"" if head else body)
