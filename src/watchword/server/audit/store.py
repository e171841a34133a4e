"""What the audit service needs kept. Rows are handed up as stored: a damaged one is a finding, not an error.

Every method may raise `UnavailableError`.
"""

from collections.abc import Sequence
from typing import Protocol

from watchword.server.db.unit import Row, Unit, Value


class AuditStore(Protocol):
    async def next_node(self, after: Value) -> Value:
        """The first node that has entries, behind `after` unless that is None; None at the end."""
        ...

    async def page(self, node: Value, *, start: int, limit: int) -> Sequence[Row]:
        """Rows of `node` with `seq >= start`, in order of `seq`."""
        ...

    async def next_seq(self, node: Value, *, start: int) -> Value:
        """The first `seq >= start` of `node`, read from the index alone; None at the end."""
        ...

    async def newest(self, node: Value, *, limit: int) -> Sequence[Row]:
        """The last rows of `node`, in order of `seq`."""
        ...

    async def personal(
        self, node: str, *, after: int, until: int, before: int, fact: str | None
    ) -> Sequence[Row]:
        """Rows with `after < seq <= until` that still hold personal values and are older than `before`.

        With `fact`, only rows where some fact is that text.
        """
        ...

    async def holding(
        self, node: str, field: str, *, after: int, until: int, before: int, limit: int
    ) -> Sequence[Row]:
        """The first rows with `after < seq <= until`, older than `before`, that still hold the personal `field`."""
        ...

    async def with_fact(self, node: Value, fact: str, *, since: int, until: int, limit: int) -> Sequence[Row]:
        """Rows with `since <= at < until` where some fact is that text, in order of `seq`. Reads every row."""
        ...

    async def commit(self, unit: Unit) -> None:
        """Durable, or an error and nothing."""
        ...
