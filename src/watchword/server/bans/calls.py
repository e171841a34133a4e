"""Nodes call each other when they have banned or lifted: over Redis, beside the looks that each takes by itself."""

import asyncio
import contextlib
from typing import Final

from watchword.errors import UnavailableError
from watchword.server.bans.service import Bans
from watchword.server.redis.link import RedisLink

CHANNEL: Final = "bans"


class BanCalls:
    """Make it before the link starts. A call that is missed costs no more than the time to the next look."""

    def __init__(self, bans: Bans, link: RedisLink) -> None:
        self._link: Final = link
        self._calling: asyncio.Task[None] | None = None
        self._again = False
        bans.on_written(self.call)
        link.subscribe(CHANNEL, lambda _message: bans.wake())

    def call(self) -> None:
        """Have the other nodes look. Never waits."""
        self._again = True
        if self._calling is None or self._calling.done():
            self._calling = asyncio.get_running_loop().create_task(self._call())

    async def _call(self) -> None:
        while self._again:
            self._again = False
            with contextlib.suppress(UnavailableError):
                await self._link.publish(CHANNEL, b"")
