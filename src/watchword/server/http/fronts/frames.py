"""What server and front say to each other over their socket pair: frames of MessagePack, each behind its length.

    front to server: Ready, Ask, More, Gone, Refused, Left, Pong
    server to front: Hello, Need, Answer, End, Ping, Stop

Many frames travel in one piece. A front is our own code, but it is the process that strangers speak to first: what it
says is held to its types and bounds like everything else.
"""

import struct
from typing import Any, Final, Generic, TypeVar

import msgspec

from watchword.errors import MalformedError

MAX_FRAME: Final = 1 << 20
"""Far above a head and what is read ahead of a body, and above every answer of ours."""
_LENGTH: Final = struct.Struct("!I")
F = TypeVar("F")


class Frame(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The common shape."""


class Hello(Frame, tag=1, frozen=True):
    """The first frame, and again when the certificate is another: its chain and its key, in PEM."""

    chain: bytes
    key: bytes
    log_level: str
    log_as_json: bool | None
    grace_s: int
    """For requests in flight at the end, in seconds."""

    def __repr__(self) -> str:
        return "<Hello>"  # it holds a key


class Ready(Frame, tag=2, frozen=True):
    """Connections may come."""


class Ask(Frame, tag=3, frozen=True):
    """A request whose head is good, with as much of its body as came along; `more` of it may follow."""

    number: int
    place: int
    method: str
    path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    more: bool


class Need(Frame, tag=4, frozen=True):
    """The next piece of a body is wanted."""

    number: int


class More(Frame, tag=5, frozen=True):
    number: int
    body: bytes
    more: bool


class Gone(Frame, tag=6, frozen=True):
    """The caller left before its body was whole."""

    number: int


class Answer(Frame, tag=7, frozen=True):
    """`lines` are the answer's own header lines, as `Cycle.respond` takes them."""

    number: int
    status: int
    lines: bytes
    body: bytes


class Refused(Frame, tag=11, frozen=True):
    """What came was no request; the front has said so, with this status."""

    place: int
    status: int


class Left(Frame, tag=8, frozen=True):
    """A connection has ended."""

    place: int


class End(Frame, tag=9, frozen=True):
    """End this connection."""

    place: int


class Stop(Frame, tag=10, frozen=True):
    """No more connections; finish what is in work, and exit."""


class Ping(Frame, tag=12, frozen=True):
    """Are you there?"""


class Pong(Frame, tag=13, frozen=True):
    """Here I am. `share` of a core was used since the last time."""

    share: float


FromFront = Ready | Ask | More | Gone | Refused | Left | Pong
FromServer = Hello | Need | Answer | End | Ping | Stop
_encode: Final = msgspec.msgpack.Encoder().encode


def encode_frame(frame: Frame) -> bytes:
    data = _encode(frame)
    return _LENGTH.pack(len(data)) + data


class FrameReader(Generic[F]):
    """Frames out of the pieces in which they arrive."""

    def __init__(self, kinds: Any) -> None:
        self._decode = msgspec.msgpack.Decoder(kinds).decode
        self._pending = b""

    def feed(self, data: bytes) -> list[F]:
        """The frames that are whole now. Raises `MalformedError` for what is none."""
        data = self._pending + data if self._pending else data
        found: list[F] = []
        at = 0
        while len(data) - at >= _LENGTH.size:
            start = at + _LENGTH.size
            end = start + _LENGTH.unpack_from(data, at)[0]
            if end - start > MAX_FRAME:
                raise MalformedError("a frame is too long")
            if len(data) < end:
                break
            found.append(self._read(data[start:end]))
            at = end
        self._pending = data[at:]
        return found

    def _read(self, data: bytes) -> F:
        try:
            frame: F = self._decode(data)
        except msgspec.MsgspecError:
            raise MalformedError("not a frame") from None
        return frame
