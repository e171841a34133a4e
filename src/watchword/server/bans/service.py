"""The bans of a running server: found and made in memory at once, kept in the database just behind.

offend ──▶ book ──▶ ban in the table ──▶ (wake) rows and audit entries ──▶ other nodes are told
                          ▲                                                       │
                          └──────────── what other nodes have kept ◀──────────────┘
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final

from watchword.core.clock import SECOND, Instant
from watchword.core.ids import BanId
from watchword.errors import ForbiddenError, MalformedError, NotFoundError
from watchword.server.addresses import parse_network, source_of
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.bans.book import OffenceBook
from watchword.server.bans.keeping import BanKeeper
from watchword.server.bans.making import BanMaker, facts_of
from watchword.server.bans.model import FOR_EVER, MAX_NOTE, Ban, BanReason, Offence
from watchword.server.bans.networks import dangers
from watchword.server.bans.store import MAX_SAVED
from watchword.server.bans.table import BanTable, LiveBan
from watchword.server.bans.waiting import PendingBan
from watchword.server.bans.watching import BanChange, Change
from watchword.server.db.unit import Unit
from watchword.server.logs import get_log
from watchword.server.prefixes import prefix_of

LOOK_EVERY_S: Final = 2.0
"""Between two looks at what other nodes did, and two writes of what was counted here."""
MAX_PAGE: Final = 500
"""Bans in one answer."""
MAX_LENGTH: Final = 3650 * 86_400 * SECOND
"""Ten years: for longer there is “for ever”."""

_log: Final = get_log("bans")
Facts = Mapping[str, str | int]


class Bans:
    """`find` and `offend` never wait.

    `maker` works on the same table, book and keeper. `shared`: other processes work on the same database.
    """

    def __init__(
        self,
        maker: BanMaker,
        *,
        table: BanTable,
        book: OffenceBook,
        keeper: BanKeeper,
        shared: bool,
    ) -> None:
        self._clock = maker.means.clock
        self._steady = maker.means.steady
        self._table = table
        self._book = book
        self._keeper = keeper
        self._shared = shared
        self._counted_at = Instant(0)
        self._maker = maker
        self.find: Final[Callable[[str], LiveBan | None]] = table.find
        """The ban that keeps an address (canonical) out, or None. A few microseconds."""
        self.offend: Final[Callable[[Offence], None]] = self._maker.offend
        """Count an offence, and ban its source where that is due."""
        self.made: Final[Mapping[BanReason, int]] = self._maker.made
        """Bans made here since the start."""
        keeper.on_heard = self._heard

    @property
    def live(self) -> int:
        """How many bans are live here."""
        return len(self._table)

    def is_exempt(self, address: str) -> bool:
        """Whether nothing bans `address`: it is in `bans.allow`, or a trusted proxy."""
        return self._table.is_exempt(address)

    def on_written(self, tell: Callable[[], None]) -> None:
        """Have `tell` called whenever bans of this process are in the database: for other nodes to look."""
        self._keeper.on_written = tell

    def wake(self) -> None:
        """Look at once what other nodes have written, and write what is to be written here."""
        self._keeper.wake.set()

    def page(self, *, after: BanId | None = None, limit: int = MAX_PAGE) -> list[Ban]:
        """Live bans in the order of their ids, which is that of their beginnings; the next ones behind `after`."""
        return self._table.page(after, max(1, min(limit, MAX_PAGE)))

    async def add(
        self,
        network: str,
        *,
        by: Facts,
        length_ms: int | None = None,
        note: str = "",
        own: str = "",
        confirmed: bool = False,
    ) -> Ban:
        """Ban an address or a network for `length_ms`, or for ever, whatever ban it has.

        `by` says who asks; `own` is the address from which, where it is known. Once this returns the ban is kept.

        Raises:
            MalformedError: that is no network, no length or no note.
            ForbiddenError: what may be a mistake was not `confirmed`, or everybody in it is exempt.
        """
        text = _parse_target(network)
        _check_length(length_ms, note)
        if self._table.covers_exempt(text):
            raise ForbiddenError(f"{text} is in bans.allow, or a trusted proxy: no ban would reach it")
        found = dangers(text, own)
        if found and not confirmed:
            raise ForbiddenError(f"{'; '.join(found)}: say --yes if you mean it")
        now = self._steady.now()
        ban = Ban(
            id=self._maker.new_id(),
            network=text,
            reason=BanReason.OPERATOR,
            made_at=now,
            ends_at=FOR_EVER if length_ms is None else Instant(now + length_ms),
            doublings=0,
            note=note,
        )
        await self._keeper.keep([PendingBan(ban, self._added(ban, by), replace=True)])
        self._maker.take(ban, Change.BANNED, request=str(by.get("request", "")))
        return ban

    async def lift(self, target: str, *, by: Facts, confirmed: bool = False) -> list[Ban]:
        """End the bans that `target` means: an id, an address (its source), or a network with all that is in it.

        What led to them is forgotten too. Raises `NotFoundError`, `MalformedError`, `ForbiddenError`.
        """
        bans = self._meant(target)
        if len(bans) > 1 and not confirmed and not prefix_of(_parse_target(target)).length:
            raise ForbiddenError(f"that lifts all {len(bans)} bans: say --yes if you mean it")
        lifted: list[Ban] = []
        for start in range(0, len(bans), MAX_SAVED):
            lifted += await self._lift(bans[start : start + MAX_SAVED], by)
        return lifted

    async def _lift(self, bans: Sequence[Ban], by: Facts) -> list[Ban]:
        """So many at once that others have their turn in between."""
        await self._keeper.flush()  # what waits would be kept after its lift, and hold again
        now = self._steady.now()
        lifted = [_lifted(ban, now) for ban in bans]
        events = [self._lifted_event(ban, by) for ban in lifted]
        await self._keeper.keep(
            [PendingBan(ban, event, replace=True) for ban, event in zip(lifted, events, strict=True)]
        )
        for ban in lifted:
            self._table.remove(ban.network)
            self._book.forget(ban.network)
            self._maker.say_lifted(ban, request=str(by.get("request", "")))
        return lifted

    def watch(self) -> AsyncIterator[BanChange]:
        """What changes from now on, for ever."""
        return self._maker.watchers.watch()

    def _meant(self, target: str) -> list[Ban]:
        if target.startswith(f"{BanId.prefix}_"):
            meant = self._table.by_id(BanId.parse(target))
            found = [meant] if meant is not None else []
        else:
            network = _parse_target(target)
            found = self._table.within(source_of(network) or network)
        if not found:
            raise NotFoundError(self._why_none(target))
        return found

    def _why_none(self, target: str) -> str:
        around = self._table.around(target)
        if around:
            return f"“{target}” is banned with all of {around[0].network}: lift that, by its name"
        return f"nobody at “{target}” is banned"

    def _added(self, ban: Ban, by: Facts) -> AuditEvent:
        personal = {"address": self._maker.show(ban.network), **({"note": ban.note} if ban.note else {})}
        facts = {**facts_of(ban), **by}
        return AuditEvent(tag=AuditTag.BAN_ADDED, at=self._clock.now(), facts=facts, personal=personal)

    def _lifted_event(self, ban: Ban, by: Facts) -> AuditEvent:
        facts = {"ban": str(ban.id), "prefix": prefix_of(ban.network).length, **by}
        personal = {"address": self._maker.show(ban.network)}
        return AuditEvent(tag=AuditTag.BAN_LIFTED, at=self._clock.now(), facts=facts, personal=personal)

    async def load(self) -> None:
        """Read what was kept, once, before anybody is let in. Raises `UnavailableError`, `DamagedError`."""
        await self._keeper.load()
        await self._book.load()

    async def run(self) -> None:
        """Keep what happens here, and hear of what happens elsewhere, for ever."""
        trouble = False
        while True:
            try:
                await self.keep()
                if trouble:
                    _log.info("bans.kept_again")
                trouble = False
            except Exception as error:  # noqa: BLE001  # whatever it is, bans must be kept once it is over
                if not trouble:
                    _log.fault("bans.not_kept", error)
                trouble = True
            await self._rest(trouble=trouble)

    async def flush(self) -> None:
        """Keep everything that is not yet kept, as far as the database can: at the end. Never raises."""
        for part in (self._keeper, self._book):
            try:
                await part.flush()
            except Exception as error:  # noqa: BLE001  # the other part is to be kept all the same
                _log.fault("bans.not_kept", error)

    def drop_old(self, unit: Unit) -> None:
        """Add to `unit` what forgets rows that make no difference any more."""
        self._keeper.drop_old(unit)

    def _heard(self, ban: Ban, *, was_live: bool) -> None:
        """Another node has banned or lifted, and the table has it."""
        if ban.was_lifted:
            self._book.forget(ban.network)
            if was_live:
                self._maker.watchers.tell(BanChange(Change.LIFTED, ban))
        elif ban.is_live(self._steady.now()):
            self._maker.watchers.tell(BanChange(Change.EXTENDED if was_live else Change.BANNED, ban))

    async def keep(self) -> None:
        """Write what is to be written, and take what other nodes have written. Raises `UnavailableError`."""
        await self._expire()
        await self._keeper.flush()
        now = self._steady.now()
        if now - self._counted_at >= LOOK_EVERY_S * SECOND:  # not with each ban of a storm
            await self._book.flush()
            self._counted_at = now
        if self._shared:
            await self._keeper.hear()

    async def _expire(self) -> None:
        more = True
        while more:
            more = self._table.expire()
            await asyncio.sleep(0)  # others have their turn

    async def _rest(self, *, trouble: bool) -> None:
        if trouble:  # what is to be kept would wake us at once
            await asyncio.sleep(LOOK_EVERY_S)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._keeper.wake.wait(), LOOK_EVERY_S)
        self._keeper.wake.clear()


def _parse_target(text: str) -> str:
    """An address or a network as an operator types it. An IPv6 address means its source. Raises `MalformedError`."""
    network = parse_network(text)
    return source_of(network) or network


def _check_length(length_ms: int | None, note: str) -> None:
    if length_ms is not None and not 0 < length_ms <= MAX_LENGTH:
        raise MalformedError("a ban lasts for ten years at most, or for ever")
    if len(note) > MAX_NOTE:
        raise MalformedError(f"a reason has at most {MAX_NOTE} characters")


def _lifted(ban: Ban, now: Instant) -> Ban:
    return Ban(
        id=ban.id,
        network=ban.network,
        reason=ban.reason,
        made_at=now,
        ends_at=now,
        doublings=0,
        note=ban.note,
    )
