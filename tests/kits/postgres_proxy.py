"""A Unix socket in front of PostgreSQL that cuts the connection at a chosen moment."""

import asyncio
import contextlib
import enum
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

SOCKET = ".s.PGSQL.5432"
COMMIT = b"Q\x00\x00\x00\x0bcommit\x00"  # the simple query "commit", as the protocol frames it


class Cut(enum.Enum):
    NEVER = enum.auto()
    BEFORE_COMMIT = enum.auto()
    """The commit never reaches the server."""
    AFTER_COMMIT = enum.auto()
    """The commit reaches the server; its answer is lost."""
    EVERYTHING = enum.auto()
    """No connection is let through."""


class Proxy:
    def __init__(self, directory: Path, server: Path) -> None:
        self.directory = directory
        self.server = server
        self.cut = Cut.NEVER
        self.cuts_left = 0
        self.cuts_made = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    def arm(self, cut: Cut, times: int = 1) -> None:
        self.cut, self.cuts_left = cut, times

    def disconnect_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.cut is Cut.EVERYTHING:
            writer.transport.abort()
            return
        there, back = await asyncio.open_unix_connection(str(self.server / SOCKET))
        self._writers |= {writer, back}
        await asyncio.gather(self.forward(reader, back, writer), self.answer(there, writer))
        self._writers -= {writer, back}

    async def answer(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        target.close()

    async def forward(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, client: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if COMMIT in data and self.cuts_left > 0:
                    self.cuts_left -= 1
                    self.cuts_made += 1
                    client.transport.abort()
                    if self.cut is Cut.AFTER_COMMIT:
                        target.write(data)
                        await target.drain()
                    break
                target.write(data)
                await target.drain()
        target.close()


@asynccontextmanager
async def proxied(directory: Path, server: Path) -> AsyncIterator[Proxy]:
    """A proxy that listens in `directory` for the server whose socket lies in `server`."""
    proxy = Proxy(directory, server)
    listener = await asyncio.start_unix_server(proxy.serve, str(directory / SOCKET))
    try:
        yield proxy
    finally:
        listener.close()
        proxy.disconnect_all()
        await asyncio.sleep(0.05)
