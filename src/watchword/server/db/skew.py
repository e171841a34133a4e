"""How far this node's clock is from that of PostgreSQL, which all nodes share."""

from typing import Final, Protocol

from watchword.core.clock import SECOND, Clock
from watchword.errors import UnavailableError
from watchword.server.db.unit import Parameters, Row
from watchword.server.logs import Log

ALARM: Final = 30 * SECOND
"""Half of what the nodes and apps allow each other: time to act before tokens are refused."""
_NOW: Final = "select cast(extract(epoch from clock_timestamp()) * 1000 as bigint)"


class _Reader(Protocol):
    async def fetch_one(self, sql: str, parameters: Parameters) -> Row | None:
        """The first row, or None."""


async def measure_skew(database: _Reader, clock: Clock) -> int:
    """Milliseconds by which this node's clock is ahead of the database's; negative where it is behind.

    Exact to the time that the question takes. Raises `UnavailableError`.
    """
    before = clock.now()
    row = await database.fetch_one(_NOW, {})
    after = clock.now()
    theirs = row[0] if row is not None else None
    if not isinstance(theirs, int):
        raise UnavailableError("the database does not tell its time")
    return (before + after) // 2 - theirs


async def warn_of_skew(database: _Reader, clock: Clock, log: Log) -> None:
    """Log `clock.skew` where tokens of this node will soon be refused by others, or others' by this one."""
    skew = await measure_skew(database, clock)
    if abs(skew) > ALARM:
        log.error("clock.skew", ahead_of_database_s=round(skew / SECOND), allowed_s=2 * ALARM // SECOND)
