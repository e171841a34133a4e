"""The judge that all nodes share: a boot is one memory of Redis (server/redis/uses.py)."""

from typing import Final

from watchword.core.clock import Instant
from watchword.errors import BeginAgainError, RefusedError
from watchword.server.redis.uses import Use, Uses
from watchword.server.sessions.boots import LIFE, Boot, IssuedKey


class RedisBoot:
    """`SharedBoot` over Redis. A claim is one round trip, and all its questions are decided there as one step."""

    def __init__(self, uses: Uses) -> None:
        self._uses: Final = uses

    @property
    def last_id(self) -> bytes:
        return self._uses.last_id

    @property
    def up(self) -> bool:
        return self._uses.up

    async def current(self) -> Boot:
        memory = await self._uses.current()
        return Boot(memory.id, memory.now)

    async def claim(self, key: IssuedKey) -> None:
        till = Instant(key.issued_at + LIFE)
        use = await self._uses.claim(
            key.boot_id + key.unique, from_=key.issued_at, till=till, memory_id=key.boot_id
        )
        match use:
            case Use.FIRST:
                return
            case Use.USED:
                raise RefusedError("short_key_used")
            case Use.EXPIRED:
                raise BeginAgainError("short_key_expired")
            case Use.FORGOTTEN:
                raise BeginAgainError("short_key_boot")
