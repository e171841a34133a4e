"""A few new connections for whoever is banned: enough for a neighbour behind the same address, not worth attacking by.

What exceeds is closed right after `accept`, before a handshake or a byte: that is what a ban costs us.
"""

from collections.abc import Callable
from typing import Final

from watchword.server.addresses import source_of, wider_sources

PER_SECOND: Final = 2.0
AT_ONCE: Final = 10
MAX_SOURCES: Final = 16_384
_FILLS_IN_S: Final = AT_ONCE / PER_SECOND
IsBanned = Callable[[str], bool]
"""Of a canonical address; a few microseconds."""


def nobody_is_banned(_address: str) -> bool:
    return False


class Trickle:
    """One token bucket for each banned IPv4 address, and for all that is banned of one IPv6 /48.

    It is kept as the instant at which it will be full again (GCRA).
    """

    def __init__(self, is_banned: IsBanned) -> None:
        self._is_banned = is_banned
        self._full_at: dict[str, float] = {}

    def lets_in(self, address: str, now: float) -> bool:
        """Whether `address` may have one more connection. `now` is of a monotonic clock, in seconds."""
        if not self._is_banned(address):
            return True
        source = _shared_by(address)
        full_at = max(self._full_at.get(source, now), now) + 1 / PER_SECOND
        if full_at - now > _FILLS_IN_S:
            return False
        if len(self._full_at) >= MAX_SOURCES and source not in self._full_at:
            self._forget(now)
        self._full_at[source] = full_at
        return True

    def _forget(self, now: float) -> None:
        """Full buckets say nothing; if all say something, the oldest half has said it for long enough."""
        self._full_at = {source: full_at for source, full_at in self._full_at.items() if full_at > now}
        if len(self._full_at) >= MAX_SOURCES:
            self._full_at = dict(list(self._full_at.items())[MAX_SOURCES // 2 :])


def _shared_by(address: str) -> str:
    """Whoever has many networks of 64 bits side by side would else have ten connections in each."""
    wider = wider_sources(address)
    return wider[-1] if wider else source_of(address)
