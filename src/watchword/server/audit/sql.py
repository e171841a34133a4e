"""The audit table in SQL that both engines run."""

from collections.abc import Sequence
from typing import Final

from watchword.errors import MalformedError
from watchword.server.audit.entry import MAC_SIZE, AuditEntry, ChainHead
from watchword.server.db.unit import Database, Row, Unit, Value

COLUMN_NAMES: Final = (
    "node",
    "seq",
    "at",
    "tag",
    "facts",
    "commitments",
    "personal",
    "key_version",
    "previous_mac",
    "mac",
)
"""In the order of every select, and of `parse_row`."""
_COLUMNS: Final = ", ".join(COLUMN_NAMES)
_TYPES: Final[tuple[type | tuple[type, ...], ...]] = (
    str,
    int,
    int,
    str,
    str,
    str,
    (str, type(None)),
    int,
    bytes,
    bytes,
)
ENTRY_GUARD: Final = "audit-entry"
_LIKE_ESCAPES: Final = str.maketrans({"!": "!!", "%": "!%", "_": "!_"})

INSERT_ENTRY: Final = (
    f"insert into audit_entries ({_COLUMNS}) values "  # noqa: S608  # fixed column names
    "(:node, :seq, :at, :tag, :facts, :commitments, :personal, :key_version, :previous_mac, :mac)"
)
_SELECT: Final = f"select {_COLUMNS} from audit_entries where node = :node"  # noqa: S608  # fixed column names
_PAGE: Final = f"{_SELECT} and seq >= :start order by seq limit :limit"
_NEXT_SEQ: Final = "select seq from audit_entries where node = :node and seq >= :start order by seq limit 1"
_NEWEST: Final = f"{_SELECT} order by seq desc limit :limit"
_PERSONAL: Final = (
    f"{_SELECT} and seq > :after and seq <= :until and personal is not null"
    " and at < :before and facts like :pattern escape '!' order by seq"
)
_HOLDING: Final = (
    f"{_SELECT} and seq > :after and seq <= :until and at < :before and personal like :pattern escape '!'"
    " order by seq limit :limit"
)
_WITH_FACT: Final = (
    f"{_SELECT} and at >= :since and at < :until and facts like :pattern escape '!' order by seq limit :limit"
)
# Only over what was read: of two erasures at a time, neither brings back what the other took away.
_ERASE: Final = (
    "update audit_entries set personal = :personal where node = :node and seq = :seq and personal = :stored"
)
# The first node, then the next after it: look-ups in the primary key, however many entries there are.
_FIRST_NODE: Final = "select min(node) from audit_entries"
_NEXT_NODE: Final = "select min(node) from audit_entries where node > :after"


def parse_row(row: Row) -> AuditEntry:
    """An entry from a row of `_COLUMNS`. Raises `MalformedError`: SQLite stores any type in any column."""
    if len(row) != len(_TYPES) or not all(
        isinstance(value, kind) for value, kind in zip(row, _TYPES, strict=True)
    ):
        raise MalformedError("a column has another type")
    node, seq, at, tag, facts, commitments, personal, key_version, previous_mac, mac = row
    if len(previous_mac) != MAC_SIZE or len(mac) != MAC_SIZE:  # type: ignore[arg-type]  # bytes, checked above
        raise MalformedError("a MAC has 32 bytes")
    return AuditEntry(
        node=node,  # type: ignore[arg-type]  # the types were checked above, as all of these
        seq=seq,  # type: ignore[arg-type]
        at=at,  # type: ignore[arg-type]
        tag=tag,  # type: ignore[arg-type]
        facts=facts,  # type: ignore[arg-type]
        commitments=commitments,  # type: ignore[arg-type]
        personal=personal,  # type: ignore[arg-type]
        key_version=key_version,  # type: ignore[arg-type]
        previous_mac=previous_mac,  # type: ignore[arg-type]
        mac=mac,  # type: ignore[arg-type]
    )


class SQLAuditStore:
    """`AuditStore` over either engine."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def next_node(self, after: Value) -> Value:
        if after is None:
            row = await self._database.fetch_one(_FIRST_NODE, {})
        else:
            row = await self._database.fetch_one(_NEXT_NODE, {"after": after})
        return None if row is None else row[0]

    async def page(self, node: Value, *, start: int, limit: int) -> Sequence[Row]:
        return await self._database.fetch_all(_PAGE, {"node": node, "start": start, "limit": limit})

    async def next_seq(self, node: Value, *, start: int) -> Value:
        row = await self._database.fetch_one(_NEXT_SEQ, {"node": node, "start": start})
        return None if row is None else row[0]

    async def newest(self, node: Value, *, limit: int) -> Sequence[Row]:
        rows = await self._database.fetch_all(_NEWEST, {"node": node, "limit": limit})
        return rows[::-1]

    async def personal(
        self, node: str, *, after: int, until: int, before: int, fact: str | None
    ) -> Sequence[Row]:
        pattern = "%" if fact is None else f'%"{fact.translate(_LIKE_ESCAPES)}"%'
        parameters: dict[str, Value] = {"node": node, "after": after, "until": until, "before": before}
        return await self._database.fetch_all(_PERSONAL, {**parameters, "pattern": pattern})

    async def holding(
        self, node: str, field: str, *, after: int, until: int, before: int, limit: int
    ) -> Sequence[Row]:
        # In a value, which is JSON too, a quote has a backslash before it: only a member's name reads so.
        pattern = f'%"{field.translate(_LIKE_ESCAPES)}":%'
        parameters: dict[str, Value] = {"node": node, "after": after, "until": until, "before": before}
        return await self._database.fetch_all(_HOLDING, {**parameters, "pattern": pattern, "limit": limit})

    async def with_fact(self, node: Value, fact: str, *, since: int, until: int, limit: int) -> Sequence[Row]:
        pattern = f'%"{fact.translate(_LIKE_ESCAPES)}"%'
        times: dict[str, Value] = {"since": since, "until": until, "limit": limit}
        return await self._database.fetch_all(_WITH_FACT, {"node": node, "pattern": pattern, **times})

    async def commit(self, unit: Unit) -> None:
        await self._database.commit(unit)


def set_personal(unit: Unit, entry: AuditEntry, personal: str | None) -> None:
    """Add to `unit` the replacement of the erasable column of `entry`."""
    place: dict[str, Value] = {"node": entry.node, "seq": entry.seq}
    unit.add(_ERASE, {**place, "stored": entry.personal, "personal": personal}, guard=ENTRY_GUARD)


async def load_head(database: Database, node: str) -> ChainHead:
    """Where the chain of `node` ends, for `AuditChain` at start. `MalformedError` for a damaged row."""
    rows = await SQLAuditStore(database).newest(node, limit=1)
    if not rows:
        return ChainHead()
    entry = parse_row(rows[0])
    return ChainHead(seq=entry.seq, mac=entry.mac)
