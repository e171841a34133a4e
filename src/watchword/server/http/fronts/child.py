"""One front, as its server sees it: a process, the link to it, and the door through which it is handed connections."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, Self

from watchword.server.http.connections import Place
from watchword.server.http.fronts.frames import Hello
from watchword.server.http.fronts.link import Link

NUMBER_SIZE: Final = 8
MAX_SHOWN: Final = 64
"""Bytes of an address as it may be written down, which comes behind the number."""
_LEAVE_S: Final = 1.0
_POLL_S: Final = 0.02
_MAIN: Final = "from watchword.server.http.fronts.front import main; main()"
_KEPT: Final = frozenset(
    {
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "LD_LIBRARY_PATH",
        "OPENSSL_CONF",
        "PATH",
        "PYTHONHOME",
        "PYTHONPATH",
        "TZ",
    }
)
"""Of our environment: where things are. Secrets that we were given there stay with us."""


@dataclass(slots=True)
class Child:
    process: subprocess.Popen[bytes]
    link: Link
    _door: socket.socket
    started_at: float

    @classmethod
    async def start(cls, make_link: Callable[[], Link], hello: Callable[[], Hello]) -> Self:
        """Start one. Raises `OSError` when the system gives no process or no handle.

        `hello` is asked last, and nothing is awaited between that and the return: what changes meanwhile is in it,
        and what changes later is told to whoever has returned from here.
        """
        loop = asyncio.get_running_loop()
        with ExitStack() as here, ExitStack() as there:
            link, far_link = _pair(socket.SOCK_STREAM, here, there)
            door, far_door = _pair(socket.SOCK_SEQPACKET, here, there)
            process = _spawn(far_link, far_door)
            try:
                _, protocol = await loop.create_unix_connection(make_link, sock=link)
                protocol.send(hello())
            except BaseException:
                process.kill()
                process.wait()
                raise
            here.pop_all()
        return cls(process, protocol, door, loop.time())

    def hand_over(self, connection: socket.socket, place: Place) -> bool:
        """Whether the front will serve it; our handle of it is closed then."""
        number = self.link.give(place)
        about = [number.to_bytes(NUMBER_SIZE, "big"), place.shown.encode("ascii")]
        try:
            socket.send_fds(self._door, about, [connection.fileno()])
        except OSError:  # it has more than enough waiting, or the system has no handles to send
            self.link.take_back(number)
            return False
        connection.close()
        return True

    async def end(self) -> int | None:
        """Wait a moment for it to exit by itself, then make it; its exit code."""
        self._door.close()
        self.link.transport.abort()
        if not await self._is_gone_soon():
            self.process.kill()
            await self._is_gone_soon()
        return self.process.returncode

    async def _is_gone_soon(self) -> bool:
        for _ in range(int(_LEAVE_S / _POLL_S)):
            if self.process.poll() is not None:
                return True
            await asyncio.sleep(_POLL_S)
        return False


def _pair(kind: int, here: ExitStack, there: ExitStack) -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    here.callback(ours.close)
    there.callback(theirs.close)
    for each in (ours, theirs):
        each.setblocking(False)
    return ours, theirs


def _spawn(link: socket.socket, door: socket.socket) -> subprocess.Popen[bytes]:
    """Of a session of its own: Ctrl-C at the terminal is for the server, which tells its fronts."""
    handles = (link.fileno(), door.fileno())
    return subprocess.Popen(  # noqa: S603  # our own interpreter and our own words
        [sys.executable, "-P", "-c", _MAIN, *map(str, handles)],
        pass_fds=handles,
        env={name: value for name, value in os.environ.items() if name in _KEPT},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
