"""A few new connections for whoever is banned: enough for a neighbour behind the same address, not worth attacking by.

What exceeds is closed right after `accept`, before a handshake or a byte: that is what a ban costs us.
"""

from collections.abc import Callable
from typing import Final

from watchword.server.addresses import network_48, source_of

PER_SECOND: Final = 20
AT_ONCE: Final = 40
WIDER: Final = 4
"""So many times that for all sources of one IPv6 /48: whoever has many side by side would else have that in each."""
MAX_SOURCES: Final = 16_384
_US: Final = 1_000_000
_FILLS_IN_US: Final = AT_ONCE * _US // PER_SECOND
IsBanned = Callable[[str], bool]
"""Of a canonical address; a few microseconds."""


def nobody_is_banned(_address: str) -> bool:
    return False


class Trickle:
    """New connections of those who are banned."""

    def __init__(self, is_banned: IsBanned) -> None:
        self._is_banned = is_banned
        self._knocks = Knocks()

    def lets_in(self, address: str, now: float) -> bool:
        """Whether `address` may have one more connection. `now` is of a monotonic clock, in seconds."""
        return not self._is_banned(address) or self._knocks.take(address, now)


class Knocks:
    """A token bucket for each source, and a larger one for all of an IPv6 /48; both are asked before either is taken.

    A bucket is kept as the instant at which it will be full again (GCRA), in whole microseconds.
    """

    def __init__(self) -> None:
        self._full_at: dict[str, int] = {}

    def take(self, address: str, now: float) -> bool:
        """Whether `address` may knock once more. `now` is of a monotonic clock, in seconds."""
        at = round(now * _US)
        taken = [
            (source, max(self._full_at.get(source, at), at) + _US // (PER_SECOND * times))
            for source, times in _buckets_of(address)
        ]
        if any(full_at - at > _FILLS_IN_US for _, full_at in taken):
            return False
        for source, full_at in taken:
            if len(self._full_at) >= MAX_SOURCES and source not in self._full_at:
                self._forget(at)
            self._full_at[source] = full_at
        return True

    def _forget(self, now: int) -> None:
        """Full buckets say nothing; if all say something, the oldest half has said it for long enough."""
        self._full_at = {source: full_at for source, full_at in self._full_at.items() if full_at > now}
        if len(self._full_at) >= MAX_SOURCES:
            self._full_at = dict(list(self._full_at.items())[MAX_SOURCES // 2 :])


def _buckets_of(address: str) -> list[tuple[str, int]]:
    """Each with how many times the rate of one source it has."""
    own, wider = (source_of(address), 1), network_48(address)
    return [own, (wider, WIDER)] if wider else [own]
