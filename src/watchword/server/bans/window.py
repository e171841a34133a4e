"""What one source did within the window, in two packed strings: small, so that 65,536 of them stay small.

times   8 bytes each: the instants of its failures, the oldest first
names   16 bytes each: instant, and the keyed tag of a name that was tried; each tag once, the oldest first
"""

import struct
from typing import Final, NamedTuple

from watchword.core.clock import Instant
from watchword.server.bans.policy import BanPolicy, Tally

TAG_SIZE: Final = 8
"""Two names share a tag once in 10^19 pairs."""
_TIME: Final = struct.Struct(">q")
_TIME_SIZE: Final = _TIME.size
_NAME_SIZE: Final = _TIME_SIZE + TAG_SIZE


class Window(NamedTuple):
    times: bytes
    names: bytes

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.times) + len(self.names)

    @property
    def newest_at(self) -> Instant:
        return Instant(_TIME.unpack(self.times[-_TIME_SIZE:])[0] if self.times else 0)

    def tally(self) -> Tally:
        return Tally(len(self.times) // _TIME_SIZE, len(self.names) // _NAME_SIZE)

    def since(self, start: Instant) -> "Window":
        """Without what happened before `start`."""
        return Window(_since(self.times, start, _TIME_SIZE), _since(self.names, start, _NAME_SIZE))

    def add(self, tag: bytes, now: Instant, policy: BanPolicy) -> "Window":
        """With one failure more; `tag` is empty where no name was tried. Never more than the policy asks about."""
        fresh = self.since(Instant(now - policy.window_ms))
        at = _TIME.pack(now)
        times = (fresh.times + at)[-policy.failures * _TIME_SIZE :]
        if not tag:
            return Window(times, fresh.names)
        names = _without(fresh.names, tag) + at + tag
        return Window(times, names[-policy.names * _NAME_SIZE :])

    def not_after(self, now: Instant) -> "Window":
        """Instants behind `now` become `now`: another process' clock was ahead."""
        return Window(_not_after(self.times, now, _TIME_SIZE), _not_after(self.names, now, _NAME_SIZE))


NOTHING: Final = Window(b"", b"")


def read_window(times: bytes, names: bytes) -> Window:
    """What was stored. Raises `ValueError` for what is none."""
    if len(times) % _TIME_SIZE or len(names) % _NAME_SIZE:
        raise ValueError("instants and names have fixed sizes")
    return Window(times, names)


def _since(packed: bytes, start: Instant, size: int) -> bytes:
    begin = 0
    while begin < len(packed) and _TIME.unpack_from(packed, begin)[0] <= start:
        begin += size
    return packed[begin:]


def _without(names: bytes, name: bytes) -> bytes:
    for begin in range(0, len(names), _NAME_SIZE):
        if names[begin + _TIME_SIZE : begin + _NAME_SIZE] == name:  # both made here: nobody sends one
            return names[:begin] + names[begin + _NAME_SIZE :]
    return names


def _not_after(packed: bytes, now: Instant, size: int) -> bytes:
    limit = _TIME.pack(max(now, 0))
    parts = (packed[begin : begin + size] for begin in range(0, len(packed), size))
    return b"".join(min(part[:_TIME_SIZE], limit) + part[_TIME_SIZE:] for part in parts)
