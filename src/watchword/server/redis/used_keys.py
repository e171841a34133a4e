"""`UsedKeys` in Redis: for nonces, which name no memory that judges them."""

from typing import Final

from watchword.core.clock import Instant
from watchword.server.redis.uses import Use, Uses


class RedisUsedKeys:
    """`window_ms` is how long before its `expires_at` a key can have been used for the first time.

    Redis' clock decides whether a key is in its window, and so whether it is remembered: where a node's own clock is
    wrong, more is refused, and nothing twice accepted. A key whose window began before the memory did is refused.
    """

    def __init__(self, uses: Uses, *, name: str, window_ms: int) -> None:
        self._uses: Final = uses
        self._name: Final = name.encode()
        self._window_ms: Final = window_ms

    async def claim(self, key: bytes, *, expires_at: Instant, now: Instant) -> bool:
        del now  # Redis has its own
        from_ = Instant(expires_at - self._window_ms)
        return await self._uses.claim(self._name + key, from_=from_, till=expires_at) is Use.FIRST
