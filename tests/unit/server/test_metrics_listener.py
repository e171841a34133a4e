"""The metrics' own listener: a fault of ours is an answer and a line in the log, never silence."""

import asyncio
import errno

import pytest

from watchword.server.http.sockets import bind
from watchword.server.metrics.exposition import Exposition
from watchword.server.metrics.listener import serve_metrics


class OutOfHandles:
    """A reader that finds no handle left, as at the limit of open files."""

    async def read(self, _accept: str) -> Exposition:
        raise OSError(errno.EMFILE, "too many open files")


@pytest.mark.anyio
async def test_a_fault_while_metrics_are_read_is_told_to_caller_and_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    listen = bind("127.0.0.1", 0)
    port = listen.getsockname()[1]
    async with serve_metrics(listen, OutOfHandles()):  # type: ignore[arg-type]  # as far as the listener uses one
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"open files" not in answer
    assert "metrics.failed" in caplog.text
