"""The body of a backup as a stream of bytes over chunks of one size, the last one shorter."""

from typing import BinaryIO, Final, Protocol

from watchword.crypto.stream import TAG_SIZE
from watchword.errors import DamagedError, UnsealError
from watchword.server.backup.head import Chunks, Head

CHUNK_SIZE: Final = 64 * 1024
"""Of plaintext."""
SEALED_SIZE: Final = CHUNK_SIZE + TAG_SIZE


class Output(Protocol):
    def write(self, data: bytes, /) -> object: ...


class ChunkWriter:
    """Writes the head at once, and a chunk whenever one is full and more follows."""

    def __init__(self, file: Output, head: Head) -> None:
        self._file = file
        self._chunks: Chunks = head.chunks
        self._waiting = bytearray()
        file.write(head.data)

    def write(self, data: bytes) -> None:
        self._waiting += data
        while len(self._waiting) > CHUNK_SIZE:
            chunk = bytes(self._waiting[:CHUNK_SIZE])
            del self._waiting[:CHUNK_SIZE]
            self._file.write(self._chunks.seal(chunk, last=False))

    def finish(self) -> None:
        """The last chunk, which says that it is the last."""
        self._file.write(self._chunks.seal(bytes(self._waiting), last=True))
        self._waiting.clear()


class ChunkReader:
    """Gives the bytes back; every byte that it gives has been checked. Raises `DamagedError` with the place."""

    def __init__(self, file: BinaryIO, head: Head) -> None:
        self._file = file
        self._chunks: Chunks = head.chunks
        self._opened = bytearray()
        self.offset = len(head.data)
        """Where in the file the next chunk begins."""
        self._next = file.read(SEALED_SIZE)
        self._ended = False

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        while len(self._opened) < size:
            if self._ended:
                raise DamagedError("the backup ends within a record")
            self._open_next()
        found = bytes(self._opened[:size])
        del self._opened[:size]
        return found

    def check_end(self) -> None:
        """Raise unless everything has been read."""
        if self._opened or not self._ended:
            raise DamagedError("the backup goes on behind its end")

    def _open_next(self) -> None:
        sealed, self._next = self._next, self._file.read(SEALED_SIZE)
        last = not self._next
        try:
            self._opened += self._chunks.open(sealed, last=last)
        except UnsealError:
            raise DamagedError(self._explain(sealed, last=last)) from None
        self.offset += len(sealed)
        self._ended = last

    def _explain(self, sealed: bytes, *, last: bool) -> str:
        if not last:
            return f"the backup is damaged between byte {self.offset} and byte {self.offset + len(sealed)}"
        end = self.offset + len(sealed)
        try:
            self._chunks.open(sealed, last=False)
        except UnsealError:
            return f"the backup is damaged behind byte {self.offset}, or cut off: it ends at byte {end}"
        return f"the backup is cut off: it ends at byte {end}, and more should follow"
