"""Where log lines go: a stream that may be slow, stuck or gone, and must never hold the server up.

A line is written at once while whoever reads keeps up. When a pipe or a terminal takes no more, lines wait in a bounded
buffer and a thread writes them as room appears; what does not fit is dropped and counted, and the count is the next
line. A reader that is gone costs the lines, nothing else.

    direct ──(no room in the pipe)──▶ behind ──(all written)──▶ direct
                                        └── more than `ROOM` bytes wait ──▶ dropped
"""

import contextlib
import os
import select
import stat
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, TextIO

ROOM: Final = 1 << 20
"""Bytes that may wait: some thousand lines."""
_PIECE: Final = 4096
"""A pipe that polls as writable takes this much without waiting (PIPE_BUF)."""
_GOODBYE_S: Final = 1.0
"""For a reader that is merely slow, when the process ends."""

Told = Callable[[int], str]
"""The line that says how many were dropped."""


class LineWriter:
    """Writes lines to `stream`; one lock, held for as long as it takes to hand a line to the system."""

    def __init__(self, stream: TextIO, dropped: Told, *, room: int = ROOM) -> None:
        self._stream = stream
        self._dropped_line = dropped
        self._room = room
        self._number = _number_of(stream)
        self._poll = _poll_of(self._number)
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._dropped = 0
        self._behind: threading.Thread | None = None

    def write(self, line: str) -> None:
        """Write `line`, which ends without a newline. Never waits, never raises for a stream that is gone."""
        if self._number is None:
            self._stream.write(f"{line}\n")
            self._stream.flush()
            return
        data = f"{line}\n".encode()
        with self._lock:
            rest = data if self._behind is not None else self._write_now(self._number, data)
            if rest:
                self._keep(rest, whole=rest is data)

    def close(self) -> None:
        """Give a slow reader a moment for what waits."""
        behind = self._behind
        if behind is not None:
            behind.join(_GOODBYE_S)

    def _write_now(self, number: int, data: bytes) -> bytes:
        """What the stream would not take without waiting."""
        while data and (self._poll is None or self._poll.poll(0)):
            try:
                data = data[os.write(number, data if self._poll is None else data[:_PIECE]) :]
            except BlockingIOError:
                break
            except OSError:
                return b""  # the reader has gone
        return data

    def _keep(self, data: bytes, *, whole: bool) -> None:
        """Let `data` wait, if there is room; the rest of a line always has some."""
        if whole and self._size + len(data) > self._room:
            self._dropped += 1
            return
        self._waiting.append(data)
        self._size += len(data)
        if self._behind is None:
            self._behind = threading.Thread(target=self._catch_up, name="watchword-log", daemon=True)
            self._behind.start()

    def _catch_up(self) -> None:
        """On the thread: write what waits, waiting for room as long as it takes."""
        while (data := self._next()) is not None:
            with contextlib.suppress(OSError):
                _write_all(self._number or 0, data)

    def _next(self) -> bytes | None:
        with self._lock:
            if self._waiting:
                data = self._waiting.popleft()
                self._size -= len(data)
                return data
            if self._dropped:
                line, self._dropped = self._dropped_line(self._dropped), 0
                return f"{line}\n".encode()
            self._behind = None
            return None


def _write_all(number: int, data: bytes) -> None:
    waits = select.poll()
    waits.register(number, select.POLLOUT)
    while data:
        waits.poll()
        with contextlib.suppress(BlockingIOError):
            data = data[os.write(number, data[:_PIECE]) :]


def _number_of(stream: TextIO) -> int | None:
    """The descriptor; None for a stream that has none, as in tests."""
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None


def _poll_of(number: int | None) -> "select.poll | None":
    """How to ask whether there is room; None for a file, which always has some (or fails at once)."""
    if number is None:
        return None
    with contextlib.suppress(OSError):
        if stat.S_ISREG(os.fstat(number).st_mode):
            return None
    found = select.poll()
    found.register(number, select.POLLOUT)
    return found
