"""`metrics.listen`: plain HTTP for Prometheus, apart from the public address. It serves `/metrics` and nothing else.

One request on a connection, few connections, little time: whoever reaches this port can keep it busy, not the server.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Final

from watchword.server.logs import get_log
from watchword.server.metrics.reader import MetricsReader

PATH: Final = "/metrics"
MAX_CONNECTIONS: Final = 16
REQUEST_S: Final = 5.0
"""For a whole request, and once more for its answer."""
_MAX_HEAD: Final = 8192
_TEXT: Final = "text/plain; charset=utf-8"
_log: Final = get_log("metrics")


@contextlib.asynccontextmanager
async def serve_metrics(listen: socket.socket, reader: MetricsReader) -> AsyncIterator[None]:
    """Serve on `listen` (from `bind`) while the block runs."""
    endpoint = _Endpoint(reader)
    server = await asyncio.start_server(endpoint.accept, sock=listen, limit=_MAX_HEAD)
    try:
        yield
    finally:
        server.close()
        await endpoint.stop()


class _Endpoint:
    def __init__(self, reader: MetricsReader) -> None:
        self._reader = reader
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
        try:
            async with asyncio.timeout(REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
            writer.write(await self._answer(head))
            async with asyncio.timeout(REQUEST_S):
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the caller's own fault, and its alone
        except Exception as error:  # noqa: BLE001  # logged; nobody else would hear of it
            _log.fault("metrics.failed", error)
        finally:
            writer.close()

    async def _answer(self, head: bytes) -> bytes:
        line, *headers = head.decode("latin-1").split("\r\n")
        words = line.split(" ")
        if len(words) != 3 or words[0] not in {"GET", "HEAD"}:  # noqa: PLR2004  # method, target, version
            return _response("405 Method Not Allowed", _TEXT, b"only GET is answered here\n")
        if words[1].partition("?")[0] != PATH:
            return _response("404 Not Found", _TEXT, f"the metrics are at {PATH}\n".encode())
        found = await self._reader.read(_accept(headers))
        return _response("200 OK", found.content_type, found.body, head=words[0] == "HEAD")


def _accept(headers: list[str]) -> str:
    for header in headers:
        name, _, value = header.partition(":")
        if name.lower() == "accept":
            return value.strip()
    return ""


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
