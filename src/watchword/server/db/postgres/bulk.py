"""Many rows in one insert: `values` of one row becomes a select from arrays, one array for each parameter.

Only for plain inserts, whose rows do not touch each other. An update of many rows by one statement would change a row
that two units name once and not twice, so updates travel as many statements.
"""

import re
from collections.abc import Sequence
from typing import Final

import asyncpg

from watchword.server.db.dialect import for_postgres
from watchword.server.db.unit import Value

_PLAIN_INSERT: Final = re.compile(
    r"\s*insert\s+into\s+\w+\s*\([\w\s,]*\)\s*values\s*\((?P<values>\s*\$\d+\s*(?:,\s*\$\d+\s*)*)\)\s*",
    re.IGNORECASE,
)
_VALUES: Final = re.compile(r"values\s*\([^)]*\)\s*\Z", re.IGNORECASE)


class BulkInserts:
    """The bulk forms of one connection's inserts; the types of the arrays are the server's to say."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._forms: dict[str, str | None] = {}

    async def find(self, sql: str) -> str | None:
        """The statement that inserts from arrays, in the order of the names of `for_postgres(sql)`; None if unfit."""
        if sql not in self._forms:
            self._forms[sql] = await self._make(sql)
        return self._forms[sql]

    async def _make(self, sql: str) -> str | None:
        text = for_postgres(sql).text
        found = _PLAIN_INSERT.fullmatch(text)
        if found is None:
            return None
        prepared = await self._connection.prepare(text)
        types = [f"{kind.schema}.{kind.name}[]" for kind in prepared.get_parameters()]
        arrays = ", ".join(f"${place}::{kind}" for place, kind in enumerate(types, 1))
        columns = ", ".join(f"p{place}" for place in range(1, len(types) + 1))
        chosen = re.sub(r"\$(\d+)", r"u.p\1", found["values"])
        return _VALUES.sub(f"select {chosen} from unnest({arrays}) as u({columns})", text)  # noqa: S608  # sql: no values, our own statement


def columns(rows: Sequence[tuple[Value, ...]]) -> list[list[Value]]:
    """Rows as one list for each parameter."""
    return [list(column) for column in zip(*rows, strict=True)]
