"""What lanes need kept. Methods that take a `Unit` add steps to it; the caller commits."""

from typing import Protocol

from watchword.core.clock import Instant
from watchword.server.db.unit import Unit
from watchword.server.guessing.model import LaneKey, LaneState


class LaneStore(Protocol):
    async def find(self, key: LaneKey) -> LaneState:
        """`FRESH` where there is no row, or another name's."""
        ...

    def replace(self, unit: Unit, key: LaneKey, old: LaneState, new: LaneState) -> None:
        """Guard "lane": it is still `old`, or another name's."""
        ...

    def clear(self, unit: Unit, key: LaneKey) -> None:
        """Forget its failures."""
        ...

    def end_row(self, unit: Unit, key: LaneKey) -> None:
        """Forget how many failed in a row by all strangers of its owner, whatever was counted meanwhile."""
        ...

    def drop_quiet(self, unit: Unit, before: Instant) -> None:
        """Forget lanes that say nothing any more: no row of failures, and the newest of them before this instant."""
        ...
