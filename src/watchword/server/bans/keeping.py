"""Bans between memory and database: read at the start, written just behind, heard of from other nodes."""

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from watchword.core.clock import HOUR, SECOND, Instant, SteadyClock
from watchword.server.bans.model import Ban, BanReason
from watchword.server.bans.policy import BanPolicy
from watchword.server.bans.store import BANS, MAX_SAVED, PAGE, BanStore, Cursor, OffenceStore
from watchword.server.bans.table import MAX_LIVE, BanTable
from watchword.server.bans.waiting import PendingBan, Waiting
from watchword.server.db.unit import Database, Unit

_FRESH: Final = 10 * SECOND
"""Who looked within this time hears of what happened just now."""

_SETTLED: Final = HOUR


class Store(BanStore, OffenceStore, Protocol):
    """Both."""


class Heard(Protocol):
    def __call__(self, ban: Ban, *, was_live: bool) -> None: ...


class BanKeeper:
    """`shared`: other processes, with other clocks, work on the same database."""

    def __init__(
        self,
        store: Store,
        database: Database,
        table: BanTable,
        policy: BanPolicy,
        clock: SteadyClock,
        *,
        shared: bool,
    ) -> None:
        self._store = store
        self._database = database
        self._table = table
        self._policy = policy
        self._clock = clock
        self._shared = shared
        self._waiting: Final = Waiting(MAX_LIVE)
        self._writing = asyncio.Lock()
        self._cursor = Cursor()
        self._heard_at = Instant(0)
        self._began_at = clock.now()
        self.wake: Final = asyncio.Event()
        """Set when there is something to write or to hear."""
        self.on_written: Callable[[], None] = _nobody
        self.on_heard: Heard = _unheard

    def later(self, made: PendingBan) -> None:
        """Keep `made` soon. Never waits."""
        self._waiting.put(made)
        self.wake.set()

    async def flush(self) -> None:
        """Keep everything that waits. Raises `UnavailableError`: then it waits on."""
        while self._waiting:
            batch = self._waiting.take(MAX_SAVED)
            try:
                await self.keep(batch)
            except BaseException:
                self._waiting.put_back(batch)
                raise

    async def keep(self, bans: Sequence[PendingBan]) -> None:
        """Keep `bans` now, together with their audit entries. Raises `UnavailableError`."""
        async with self._writing:
            for start in range(0, len(bans), MAX_SAVED):
                await self._write(bans[start : start + MAX_SAVED])
        self.on_written()

    async def _write(self, bans: Sequence[PendingBan]) -> None:
        unit = Unit(key=BANS)
        self._store.begin(unit)
        for made in bans:
            self._store.put(unit, made.ban, replace=made.replace)
            if made.event is not None:
                unit.note(made.event)
        await self._database.commit(unit)

    async def load(self) -> None:
        """Fill the table."""
        now = self._clock.now()
        loaded = await self._store.load(since=Instant(now - self._policy.remembered_ms), limit=MAX_LIVE)
        for kept in loaded.bans:
            if not self._holds(kept):
                continue
            ban = self._bounded(kept, now)
            self._table.put(ban)
            if ban.ends_at < kept.ends_at and not self._shared:
                self.later(
                    PendingBan(ban, replace=True)
                )  # else its end would stand before that of any further ban
        self._cursor = loaded.cursor
        self._heard_at = now

    async def hear(self) -> None:
        """Take what other nodes have kept since the last time."""
        now = self._clock.now()
        is_fresh = now - self._heard_at < _FRESH
        while True:
            changes = await self._store.changes(self._cursor)
            for _cursor, ban in changes:
                self._take(ban, now, is_fresh=is_fresh)
            if changes:
                self._cursor = changes[-1].cursor
            if len(changes) < PAGE:
                break
        self._heard_at = now

    def drop_old(self, unit: Unit) -> None:
        """Nothing in the first hour: a clock that was wrong at the start would have dropped what is live."""
        now = self._clock.now()
        if now - self._began_at < _SETTLED:
            return
        self._store.drop_old(unit, now)
        self._store.drop_old_offences(unit, Instant(now - self._policy.window_ms))

    def _take(self, kept: Ban, now: Instant, *, is_fresh: bool) -> None:
        here = self._table.last_of(kept.network)
        if here == kept or not self._holds(kept):
            return  # our own, or none that counts here
        if self._gives_way(kept):
            return
        ban = self._as_if_now(kept, now) if is_fresh else self._bounded(kept, now)
        self._table.put(ban)
        self.on_heard(ban, was_live=here is not None and here.is_live(now))

    def _holds(self, kept: Ban) -> bool:
        """A policy that bans nobody has nobody kept out by what another one did. The rows stay."""
        return kept.reason is BanReason.OPERATOR or not self._policy.off

    def _gives_way(self, kept: Ban) -> bool:
        """Whether ours of the same network is longer, and about to be kept. An operator's gives way to none."""
        waiting = self._waiting.find(kept.network)
        if waiting is None or (kept.reason is BanReason.OPERATOR and not kept.was_lifted):
            return False
        return waiting.ban.ends_at >= kept.ends_at

    def _bounded(self, kept: Ban, now: Instant) -> Ban:
        """No ban lasts longer from now on than it did when it was made: a clock may have been ahead then."""
        if kept.was_lifted:
            return dataclasses.replace(kept, made_at=now, ends_at=now)
        if kept.is_for_ever:
            return kept
        ends_at = Instant(min(kept.ends_at, now + self._length(kept)))
        return kept if ends_at == kept.ends_at else dataclasses.replace(kept, made_at=now, ends_at=ends_at)

    def _as_if_now(self, kept: Ban, now: Instant) -> Ban:
        """What another node has just made, by our clock: its own may show another time."""
        if kept.is_for_ever:
            return kept
        return dataclasses.replace(kept, made_at=now, ends_at=Instant(now + max(0, self._length(kept))))

    def _length(self, kept: Ban) -> int:
        if kept.reason is BanReason.OPERATOR:
            return kept.length_ms
        return min(kept.length_ms, self._policy.longest_ms)


def _nobody() -> None:
    """No other node has to be told."""


def _unheard(ban: Ban, *, was_live: bool) -> None:
    del ban, was_live
