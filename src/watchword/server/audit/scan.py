"""Reading a chain in pages, damaged rows included: what cannot be read is a finding with its place."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from watchword.errors import DamagedError, MalformedError
from watchword.server.audit.entry import AuditEntry
from watchword.server.audit.sql import parse_row
from watchword.server.audit.store import AuditStore
from watchword.server.db.unit import Row, Value

PAGE: Final = 256
"""Rows: a few milliseconds of checking, between which other requests are served."""
_LEAST: Final = -(1 << 63)
_GREATEST: Final = (1 << 63) - 1
_UNREADABLE: Final = (DamagedError, UnicodeDecodeError)  # a bad page; text that is not UTF-8

Found = tuple[int, AuditEntry | MalformedError]
"""A sequence number (the one expected, where the row has none) with its entry or what is wrong with it."""


async def list_nodes(store: AuditStore) -> tuple[list[str], bool]:
    """The nodes that have entries, and whether all names could be read."""
    found: list[str] = []
    whole = True
    node: Value = None
    while True:
        try:
            node = await store.next_node(node)
        except _UNREADABLE:
            return found, False
        if node is None:
            return found, whole
        if isinstance(node, str):
            found.append(node)
        else:
            whole = False


async def scan(store: AuditStore, node: Value, *, start: int = _LEAST) -> AsyncIterator[Sequence[Found]]:
    """Everything that the table holds of `node` from `start` on, in order, page by page."""
    limit = PAGE
    while start <= _GREATEST:
        try:
            rows = await store.page(node, start=start, limit=limit)
        except _UNREADABLE:
            if limit > 1:
                limit = 1  # one by one up to the row that cannot be read
                continue
            seq = await _next_seq(store, node, start)
            yield [(_shown(start if seq is None else seq), MalformedError("the row cannot be read"))]
            if seq is None:
                return
            start, limit = seq + 1, PAGE
            continue
        found = [_parse(row, start) for row in rows]
        if found:
            yield found
        numbers = [row[1] for row in rows if isinstance(row[1], int)]
        if len(rows) < limit or not numbers:
            return
        start = max(numbers) + 1


async def _next_seq(store: AuditStore, node: Value, start: int) -> int | None:
    try:
        seq = await store.next_seq(node, start=start)
    except _UNREADABLE:
        return None
    return seq if isinstance(seq, int) else None


def _parse(row: Row, expected: int) -> Found:
    try:
        entry = parse_row(row)
    except MalformedError as error:
        return (row[1] if isinstance(row[1], int) else _shown(expected)), error
    return entry.seq, entry


def _shown(seq: int) -> int:
    return max(seq, 1)
