"""Whoever watches is told what changes; nobody waits for a watcher."""

import asyncio
import contextlib
import enum
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from watchword.server.bans.model import Ban

MAX_BEHIND: Final = 1000
"""Changes that a watcher may be behind; more are not told."""


class Change(enum.StrEnum):
    BANNED = "banned"
    EXTENDED = "extended"
    LIFTED = "lifted"


class BanChange(NamedTuple):
    change: Change
    ban: Ban


class Watchers:
    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[BanChange]] = set()

    def tell(self, change: BanChange) -> None:
        for queue in self._queues:
            with contextlib.suppress(asyncio.QueueFull):
                queue.put_nowait(change)

    async def watch(self) -> AsyncIterator[BanChange]:
        """Everything from the first question on, for ever."""
        queue: asyncio.Queue[BanChange] = asyncio.Queue(MAX_BEHIND)
        self._queues.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._queues.discard(queue)
