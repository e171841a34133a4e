"""The end of kept addresses: after `privacy.addresses_days` they are erased from the audit trail and the sessions.

Once an hour everything is looked through from its beginning, since nothing says where addresses still are: a restored
backup, another node's chain, a clock that was wrong. Each step is small, so that nobody who writes waits for long, and
a long trail takes several turns.
"""

import asyncio
from typing import Final

from watchword.core.clock import DAY, Clock, Instant, SteadyClock
from watchword.errors import ConflictError, DamagedError
from watchword.server.audit.service import AuditService
from watchword.server.db.unit import Database, Unit
from watchword.server.logs import get_log
from watchword.server.sessions.store import SessionStore

FIELD: Final = "address"
EVERY_S: Final = 60.0
"""Between turns."""
PASS_S: Final = 3600.0
"""From the beginning of one look through all to the next."""
STEPS: Final = 100
"""Of one turn."""
SPAN: Final = 10_000
"""Entries that one step looks at; it changes 100 of them at most."""
ROWS: Final = 100
"""Sessions of one step."""
_PAUSE_S: Final = 0.02
"""Between steps."""
_log: Final = get_log("privacy")


class AddressRetention:
    def __init__(
        self,
        *,
        days: int,
        audit: AuditService,
        sessions: SessionStore,
        database: Database,
        clock: Clock,
    ) -> None:
        self._age = days * DAY
        self._audit, self._sessions, self._database, self._clock = audit, sessions, database, clock
        self._steady = SteadyClock(clock)
        self._left: dict[str, tuple[int, int]] = {}
        """By node: behind which entry this pass goes on, and where it ends."""
        self._session: bytes | None = None
        """Behind which session this pass goes on; None: it is through."""
        self._next_pass = float("-inf")

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.turn()
            except Exception as error:  # noqa: BLE001  # whatever it is, the next turn tries again
                _log.fault("privacy.not_erased", error)

    async def turn(self) -> None:
        """Go on with this pass, or begin the next one when it is due."""
        if not self._left and self._session is None:
            if self._clock.monotonic() < self._next_pass:
                return
            self._next_pass = self._clock.monotonic() + PASS_S
            self._left = {node: (0, end) for node, end in (await self._audit.ends()).items()}
            self._session = b""
        before = Instant(self._steady.now() - self._age)  # nothing brings back what a wrong clock erased
        for _ in range(STEPS):
            if not (await self._erase_sessions(before) or await self._erase_entries(before)):
                return
            await asyncio.sleep(_PAUSE_S)  # others first

    async def _erase_sessions(self, before: Instant) -> bool:
        """One step; False when there is none to make."""
        if self._session is None:
            return False
        found = await self._sessions.holding_addresses(before, after=self._session, limit=ROWS)
        if found:
            unit = Unit(key=b"retention")
            self._sessions.forget_addresses(unit, found[0], found[-1])
            await self._database.commit(unit)
        self._session = found[-1] if len(found) == ROWS else None
        return True

    async def _erase_entries(self, before: Instant) -> bool:
        """One step; False when there is none to make."""
        node = next(iter(self._left), None)
        if node is None:
            return False
        after, end = self._left[node]
        until = min(after + SPAN, end)
        try:
            after = await self._audit.erase_next(node, FIELD, before, after=after, until=until)
        except ConflictError:  # another node is at it
            after = until
        except DamagedError as error:  # `watchword audit verify` says which entry it is
            _log.fault("privacy.not_erased", error)
            after = until
        if after < end:
            self._left[node] = after, end
        else:
            del self._left[node]
        return True
