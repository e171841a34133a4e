"""What may be used once, and was: short keys, nonces. Whoever remembers it in Redis has the same interface."""

import heapq
from typing import Final, Protocol

from watchword.core.clock import Instant
from watchword.errors import OverloadedError

MAX_REMEMBERED: Final = 1_000_000
"""Used keys remembered at once, about 100 bytes each; more than 16,000 logins a second for a minute. Full: refuse."""


class UsedKeys(Protocol):
    async def claim(self, key: bytes, *, expires_at: Instant, now: Instant) -> bool:
        """True for the first caller alone, wherever the others are.

        Nobody takes `key` after `expires_at`, so it may be forgotten then. Raises `OverloadedError` when nothing more
        can be remembered, `UnavailableError` when it cannot be told whether the key was used.
        """
        ...


class MemoryUsedKeys:
    """`UsedKeys` of this process. Bounded; forgets a key only once it has expired.

    What ends no later than one that was forgotten counts as used: a clock that is set back would make both good again.
    """

    def __init__(self, limit: int = MAX_REMEMBERED) -> None:
        self._limit: Final = limit
        self._seen: set[bytes] = set()
        self._ends: list[tuple[Instant, bytes]] = []
        """A heap: those that end first come first, in whatever order they were used."""
        self._forgotten = Instant(0)
        """The latest end of a key that was forgotten."""

    async def claim(self, key: bytes, *, expires_at: Instant, now: Instant) -> bool:
        while self._ends and self._ends[0][0] <= now:
            self._forgotten, old = heapq.heappop(self._ends)
            self._seen.discard(old)
        if key in self._seen or expires_at <= self._forgotten:
            return False
        if len(self._seen) >= self._limit:
            raise OverloadedError
        self._seen.add(key)
        heapq.heappush(self._ends, (expires_at, key))
        return True
