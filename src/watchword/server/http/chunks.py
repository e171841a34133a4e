"""Where a chunked body ends (RFC 9112, 7.1), in its plainest form: no extensions, no trailers, sizes of 8 digits."""

import re
from typing import Final

from watchword.errors import MalformedError

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_SIZE_BEGUN: Final = re.compile(rb"[0-9A-Fa-f]{1,8}\r?")
_END: Final = b"\r\n"


class Chunks:
    """Follows one body through the pieces in which it arrives, and keeps no data."""

    __slots__ = ("_in_chunk", "_last", "_left", "done")

    def __init__(self) -> None:
        self._left = 0
        self._in_chunk = False
        self._last = False
        self.done = False

    def take(self, pending: bytes) -> int:
        """How many bytes at the beginning of `pending` belong to the body, as far as one can tell.

        The others come again, with more behind them. Raises `MalformedError`.
        """
        position = 0
        while not self.done and position < len(pending):
            step = self._step(pending, position)
            if not step:
                break
            position += step
        return position

    def _step(self, pending: bytes, position: int) -> int:
        if self._left:
            step = min(self._left, len(pending) - position)
            self._left -= step
            return step
        return self._end_chunk(pending, position) if self._in_chunk else self._begin_chunk(pending, position)

    def _begin_chunk(self, pending: bytes, position: int) -> int:
        size = _SIZE.match(pending, position)
        if size is None:
            if not _SIZE_BEGUN.fullmatch(pending, position):
                raise MalformedError("the size of a chunk does not parse")
            return 0
        self._left = int(size[1], 16)
        self._in_chunk, self._last = True, not self._left
        return size.end() - position

    def _end_chunk(self, pending: bytes, position: int) -> int:
        end = pending[position : position + 2]
        if end != _END:
            if end != b"\r":
                raise MalformedError("a chunk does not end where it says")
            return 0
        self._in_chunk, self.done = False, self._last
        return len(end)
