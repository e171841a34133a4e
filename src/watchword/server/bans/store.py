"""What must be kept of bans and offences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from watchword.core.clock import Instant
from watchword.server.bans.model import Ban
from watchword.server.bans.window import Window
from watchword.server.db.unit import Unit

BANS: Final = b"bans"
"""The key of every unit that changes bans: they count one number up, so they stand behind each other anyway."""
PAGE: Final = 1000
"""Bans read at once."""
MAX_SAVED: Final = 1000
"""Sources, or bans, written by one unit."""


class Cursor(NamedTuple):
    """How far the changes of the table are known."""

    change: int = 0
    network: str = ""


class Changed(NamedTuple):
    cursor: Cursor
    ban: Ban


class KeptOffences(NamedTuple):
    source: str
    window: Window


@dataclass(frozen=True, slots=True)
class Loaded:
    bans: Sequence[Ban]
    cursor: Cursor


class BanStore(Protocol):
    """Each change counts: `begin` comes first in a unit that puts anything, once."""

    def begin(self, unit: Unit) -> None: ...

    def put(self, unit: Unit, ban: Ban, *, replace: bool = False) -> None:
        """Keep `ban` as the newest of its network (`replace`: whatever is kept).

        Else not where one is kept that ends later, or one by an operator that has not ended when `ban` is made.
        """
        ...

    async def load(self, *, since: Instant, limit: int) -> Loaded:
        """Up to `limit` bans that end after `since`, those that end last; and where later changes begin."""
        ...

    async def changes(self, after: Cursor) -> list[Changed]:
        """At most PAGE, in their order. Changes are seen in the order of their numbers, none late."""
        ...

    def drop_old(self, unit: Unit, now: Instant) -> None:
        """Forget bans that make no difference any more: a day after their end, and a day more for each doubling."""
        ...


class OffenceStore(Protocol):
    async def load_offences(self, node: str, *, since: Instant, limit: int) -> list[KeptOffences]:
        """Of one node, with an offence after `since`; the newest first."""
        ...

    def save_offences(self, unit: Unit, kept: KeptOffences, node: str) -> None: ...
    def drop_offences(self, unit: Unit, source: str, node: str) -> None: ...
    def drop_old_offences(self, unit: Unit, before: Instant) -> None:
        """Of all nodes."""
        ...
