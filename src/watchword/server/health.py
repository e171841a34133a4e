"""Whether the server can do its work, and if not, why. What it says holds no names and no paths.

A disk that is full shows at the next change, so that is what readiness goes by: while the last change failed for the
engine's sake, each question tries an empty one. The first that succeeds makes the server ready again.
"""

import enum
from typing import Final

from watchword.errors import WatchwordError
from watchword.server.audit.checkpointer import Checkpointer
from watchword.server.db.unit import Database, Unit
from watchword.server.measures import DatabaseMeasures, Shared

_KEY: Final = b"health"


class Trouble(enum.StrEnum):
    """Why the server is not ready."""

    STOPPING = "stopping"
    READING = "database cannot be read"
    WRITING = "database cannot be written"
    AUDIT = "audit checkpoints fail"
    UPKEEP = "background work has ended"
    REDIS = "Redis does not answer"


_LOCAL: Final = "this node counts limits for itself, and what it does not know it refuses"


class Health:
    def __init__(
        self,
        *,
        database: Database,
        measures: DatabaseMeasures,
        checkpointer: Checkpointer,
        shared: Shared | None = None,
    ) -> None:
        self._database = database
        self._shared = shared
        self._measures = measures
        self._checkpointer = checkpointer
        self.stopping = False
        self.upkeep_ended = False
        """What should run beside the requests does not, for good: keys are not rotated, or checkpoints not written."""

    async def ready(self) -> bool:
        return not await self.troubles()

    async def troubles(self) -> tuple[Trouble, ...]:
        """All that is the matter; nothing: ready."""
        found = [Trouble.STOPPING] if self.stopping else []
        if not await self._can_read():
            return (*found, Trouble.READING)
        if self._measures.failing and not await self._can_write():
            found.append(Trouble.WRITING)
        if self._checkpointer.health().degraded:
            found.append(Trouble.AUDIT)
        if self.upkeep_ended:
            found.append(Trouble.UPKEEP)
        if self._shared is not None and self._shared.needed and not self._shared.link.up:
            found.append(Trouble.REDIS)
        return tuple(found)

    def notes(self) -> tuple[str, ...]:
        """What is not as it should be and keeps nobody from being served."""
        if self._shared is None or not self._shared.local:
            return ()
        why = self._shared.link.why
        return (f"{Trouble.REDIS}{f' ({why})' if why else ''}: {_LOCAL}",)

    async def _can_read(self) -> bool:
        try:
            await self._database.fetch_one("select 1", {})
        except WatchwordError:
            return False
        return True

    async def _can_write(self) -> bool:
        try:
            await self._database.commit(Unit(key=_KEY))
        except WatchwordError:
            return False
        return True
