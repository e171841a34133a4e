"""What may be used once, and was: short keys, nonces. Whoever remembers it in Redis has the same interface."""

from collections import deque
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
    """`UsedKeys` of this process. Bounded; forgets a key only once it has expired."""

    def __init__(self, limit: int = MAX_REMEMBERED) -> None:
        self._limit: Final = limit
        self._seen: set[bytes] = set()
        self._order: deque[tuple[Instant, bytes]] = deque()

    async def claim(self, key: bytes, *, expires_at: Instant, now: Instant) -> bool:
        while self._order and self._order[0][0] <= now:
            self._seen.discard(self._order.popleft()[1])
        if key in self._seen:
            return False
        if len(self._seen) >= self._limit:
            raise OverloadedError
        self._seen.add(key)
        self._order.append((expires_at, key))
        return True
