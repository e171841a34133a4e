"""Lanes in portable SQL."""

import hmac
from dataclasses import replace
from typing import Final

from watchword.core.clock import Instant
from watchword.errors import DamagedError
from watchword.server.db.rows import Columns
from watchword.server.db.unit import Database, Unit, Value
from watchword.server.guessing.model import BY_EMAIL, BY_NAME, FRESH, LaneKey, LaneState

LANE_COLUMNS: Final = "g.tag, g.recent, g.in_row, g.failed_at"
"""Of `guessing_lanes g`, joined from the left; read them by `read_lane`."""
EMAIL_LANE_COLUMNS: Final = "e.tag, e.recent, e.in_row, e.failed_at"
"""The same of `guessing_lanes e`, where that of the e-mail address is joined as well."""
LANE_WIDTH: Final = 4
_FIND: Final = (
    f"select {LANE_COLUMNS}, b.in_row from (select 1 as one) o"  # noqa: S608  # constants only
    " left join guessing_lanes g on g.owner = :owner and g.way = :way"
    " left join guessing_lanes b on b.owner = :owner and b.way = :beside"
)
_REPLACE: Final = (
    "insert into guessing_lanes (owner, way, tag, recent, in_row, failed_at)"
    " values (:owner, :way, :tag, :recent, :in_row, :failed_at) on conflict (owner, way) do update"
    " set tag = excluded.tag, recent = excluded.recent, in_row = excluded.in_row, failed_at = excluded.failed_at"
    " where guessing_lanes.tag <> excluded.tag or (guessing_lanes.recent = :was_recent"
    " and guessing_lanes.in_row = :was_in_row and guessing_lanes.failed_at = :was_failed_at)"
)
_CLEAR: Final = "delete from guessing_lanes where owner = :owner and way = :way"
_END_ROW: Final = (
    "update guessing_lanes set in_row = 0 where owner = :owner and (way = :by_name or way = :by_email)"
)
_NOWHERE: Final = b"-"
"""No way of anybody."""
_DROP_QUIET: Final = "delete from guessing_lanes where in_row = 0 and failed_at < :before"


class SQLLaneStore:
    """`LaneStore` on either engine."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, key: LaneKey) -> LaneState:
        beside = key.beside
        parameters = {**_place(key), "beside": beside.way if beside else _NOWHERE}
        row = await self._database.fetch_one(_FIND, parameters)
        if row is None:
            raise DamagedError("a query that always gives a row gave none")
        columns = Columns(row)
        state = read_lane(columns, key.tag)
        return replace(state, beside=columns.instant_or_none() or 0)

    def replace(self, unit: Unit, key: LaneKey, old: LaneState, new: LaneState) -> None:
        parameters: dict[str, Value] = {
            **_place(key),
            "tag": key.tag,
            "recent": new.recent,
            "in_row": new.in_row,
            "failed_at": new.failed_at,
            "was_recent": old.recent,
            "was_in_row": old.in_row,
            "was_failed_at": old.failed_at,
        }
        unit.add(_REPLACE, parameters, guard="lane")

    def clear(self, unit: Unit, key: LaneKey) -> None:
        unit.add(_CLEAR, _place(key))

    def end_row(self, unit: Unit, key: LaneKey) -> None:
        unit.add(_END_ROW, {"owner": key.owner, "by_name": BY_NAME, "by_email": BY_EMAIL})

    def drop_quiet(self, unit: Unit, before: Instant) -> None:
        unit.add(_DROP_QUIET, {"before": before})


def read_lane(columns: Columns, tag: bytes) -> LaneState:
    """The four `LANE_COLUMNS`, all of them null where there is no row."""
    found = columns.blob_or_none()
    recent, in_row, failed_at = (columns.instant_or_none() or Instant(0) for _ in range(3))
    same = found is not None and hmac.compare_digest(found, tag)
    return LaneState(recent, in_row, failed_at) if same else FRESH


def _place(key: LaneKey) -> dict[str, Value]:
    return {"owner": key.owner, "way": key.way}
