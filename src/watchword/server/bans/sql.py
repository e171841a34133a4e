"""Bans and offences in portable SQL."""

from typing import Final

from watchword.core.clock import DAY, Instant
from watchword.core.ids import BanId
from watchword.errors import DamagedError
from watchword.server.bans.model import Ban, BanReason
from watchword.server.bans.store import PAGE, Changed, Cursor, KeptOffences, Loaded
from watchword.server.bans.window import read_window
from watchword.server.db.rows import Columns
from watchword.server.db.unit import Database, Row, Unit

_BEGIN: Final = (
    "insert into changes (name, last) values ('bans', 1)"
    " on conflict (name) do update set last = changes.last + 1"
)
_PUT: Final = (
    "insert into bans (network, id, reason, note, made_at, ends_at, doublings, change) values (:network, :id, :reason,"
    " :note, :made_at, :ends_at, :doublings, (select last from changes where name = 'bans'))"
    " on conflict (network) do update set id = excluded.id, reason = excluded.reason, note = excluded.note,"
    " made_at = excluded.made_at, ends_at = excluded.ends_at, doublings = excluded.doublings,"
    " change = excluded.change"
)
_PUT_LATER: Final = (
    f"{_PUT} where bans.ends_at <= excluded.made_at"
    " or (bans.ends_at <= excluded.ends_at and bans.reason <> 'operator')"
)
_BAN: Final = "network, id, reason, note, made_at, ends_at, doublings, change"
_LOAD: Final = f"select {_BAN} from bans where ends_at > :since order by ends_at desc, network limit :limit"  # noqa: S608  # constants only
_LAST: Final = "select last from changes where name = 'bans'"
_CHANGES: Final = (
    f"select {_BAN} from bans where change > :change or (change = :change and network > :network)"  # noqa: S608  # constants only
    " order by change, network limit :limit"
)
_DROP_OLD: Final = "delete from bans where ends_at < :now and ends_at + (doublings + 1) * :day <= :now"
_LOAD_OFFENCES: Final = (
    "select source, times, names from offences where node = :node and newest_at > :since"
    " order by newest_at desc limit :limit"
)
_SAVE_OFFENCES: Final = (
    "insert into offences (source, node, times, names, newest_at) values (:source, :node, :times, :names, :newest_at)"
    " on conflict (source, node) do update set times = excluded.times, names = excluded.names,"
    " newest_at = excluded.newest_at"
)
_DROP_OFFENCES: Final = "delete from offences where source = :source and node = :node"
_DROP_OLD_OFFENCES: Final = "delete from offences where newest_at < :before"


class SQLBanStore:
    """`BanStore` and `OffenceStore` on either engine."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, unit: Unit) -> None:
        unit.add(_BEGIN, {})

    def put(self, unit: Unit, ban: Ban, *, replace: bool = False) -> None:
        unit.add(
            _PUT if replace else _PUT_LATER,
            {
                "network": ban.network,
                "id": ban.id.value,
                "reason": ban.reason.value,
                "note": ban.note,
                "made_at": ban.made_at,
                "ends_at": ban.ends_at,
                "doublings": ban.doublings,
            },
        )

    async def load(self, *, since: Instant, limit: int) -> Loaded:
        # The number first: what is changed in between is read twice, and not missed.
        last = await self._database.fetch_one(_LAST, {})
        rows = await self._database.fetch_all(_LOAD, {"since": since, "limit": limit})
        change = Columns(last).integer() if last is not None else 0
        return Loaded([_read(row).ban for row in rows], Cursor(change + 1))

    async def changes(self, after: Cursor) -> list[Changed]:
        rows = await self._database.fetch_all(
            _CHANGES, {"change": after.change, "network": after.network, "limit": PAGE}
        )
        return [_read(row) for row in rows]

    def drop_old(self, unit: Unit, now: Instant) -> None:
        unit.add(_DROP_OLD, {"now": now, "day": DAY})

    async def load_offences(self, node: str, *, since: Instant, limit: int) -> list[KeptOffences]:
        rows = await self._database.fetch_all(_LOAD_OFFENCES, {"node": node, "since": since, "limit": limit})
        return [_read_offences(row) for row in rows]

    def save_offences(self, unit: Unit, kept: KeptOffences, node: str) -> None:
        window = kept.window
        unit.add(
            _SAVE_OFFENCES,
            {
                "source": kept.source,
                "node": node,
                "times": window.times,
                "names": window.names,
                "newest_at": window.newest_at,
            },
        )

    def drop_offences(self, unit: Unit, source: str, node: str) -> None:
        unit.add(_DROP_OFFENCES, {"source": source, "node": node})

    def drop_old_offences(self, unit: Unit, before: Instant) -> None:
        unit.add(_DROP_OLD_OFFENCES, {"before": before})


def _read(row: Row) -> Changed:
    columns = Columns(row)
    network = columns.text()
    try:
        ban = Ban(
            network=network,
            id=BanId(columns.blob()),
            reason=BanReason(columns.text()),
            note=columns.text(),
            made_at=columns.instant(),
            ends_at=columns.instant(),
            doublings=columns.integer(),
        )
    except ValueError:
        raise DamagedError("a stored ban has no reason that there is") from None
    return Changed(Cursor(columns.integer(), network), ban)


def _read_offences(row: Row) -> KeptOffences:
    columns = Columns(row)
    source = columns.text()
    try:
        return KeptOffences(source, read_window(columns.blob(), columns.blob()))
    except ValueError:
        raise DamagedError("stored offences do not parse") from None
