"""How many accounts and sessions there are: counted at most once a minute, since counting reads every row."""

from dataclasses import dataclass
from typing import Final

from watchword.core.clock import Clock
from watchword.errors import WatchwordError
from watchword.server.db.unit import Database

COUNTED_FOR_S: Final = 60.0
_COUNT: Final = """
select
  (select count(*) from accounts where state = 'active'),
  (select count(*) from accounts where state <> 'active'),
  (select count(*) from devices),
  (select count(*) from sessions where ended_at is null and expires_at > :now and ends_at > :now)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    active_accounts: int
    suspended_accounts: int
    devices: int
    live_sessions: int


class Population:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._counted: Counted | None = None
        self._counted_at = float("-inf")

    async def count(self) -> Counted | None:
        """As of the last minute; None while the database cannot say."""
        now = self._clock.monotonic()
        if now - self._counted_at >= COUNTED_FOR_S:
            self._counted_at = now  # who asks meanwhile gets the old numbers: two counts at once help nobody
            self._counted = await self._read()
        return self._counted

    async def _read(self) -> Counted | None:
        try:
            rows = await self._database.fetch_all(_COUNT, {"now": self._clock.now()})
        except WatchwordError:
            return None
        active, suspended, devices, live = (int(value or 0) for value in rows[0])
        return Counted(
            active_accounts=active, suspended_accounts=suspended, devices=devices, live_sessions=live
        )
