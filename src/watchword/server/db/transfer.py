"""All of a database's rows out of one engine and into another: what backups are made from, and restored to.

Tables are found in the database itself, so that a new one cannot be forgotten. Left out is what belongs to this one
database and not to its data: migrations (compared by themselves), the instance's id and group counter, and the ids of
recent commits.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from watchword.core.clock import Clock
from watchword.core.entropy import Entropy
from watchword.errors import DamagedError
from watchword.server.db.migrate import Applied, Migration
from watchword.server.db.open import is_postgres
from watchword.server.db.restored import RESTORED
from watchword.server.db.unit import Row

BATCH: Final = 500
"""Rows that are read, written and kept in memory together."""
NOT_DATA: Final = frozenset({"schema_migrations", "commits"})
_OWN_NAMES: Final = ("instance", "group", RESTORED)


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    columns: tuple[str, ...]

    @property
    def selection(self) -> str:
        """What follows `select …`: the table's rows that are data."""
        if self.name != "meta":
            return f"from {self.name}"
        own = ", ".join(f"'{name}'" for name in _OWN_NAMES)
        return f"from meta where name not in ({own})"  # sql: our own constants

    @property
    def select(self) -> str:
        return f"select {', '.join(self.columns)} {self.selection}"  # sql: names from the catalogue

    @property
    def count(self) -> str:
        return f"select count(*) {self.selection}"  # sql: names from the catalogue


class Snapshot(Protocol):
    """The database as it was at one moment; writers go on meanwhile. Raises `DamagedError`, `UnavailableError`."""

    async def applied(self) -> list[Applied]:
        """The migrations that the database has had."""
        ...

    async def tables(self) -> list[Table]:
        """All tables with data, each behind those that it refers to."""
        ...

    async def size(self) -> int:
        """About how many bytes it takes."""
        ...

    async def one(self, sql: str) -> Row | None: ...
    def rows(self, table: Table) -> AsyncIterator[Sequence[Row]]:
        """All rows, at most `BATCH` at a time."""
        ...


class Loader(Protocol):
    """An empty database that is being filled; nobody sees it before `finish`."""

    async def columns(self, table: str) -> frozenset[str]:
        """The columns of a table; empty when there is none."""
        ...

    async def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Raises `DamagedError` when the table does not take them."""
        ...

    async def finish(self, pending: Sequence[Migration], mark: bytes) -> None:
        """Apply `pending`, keep `mark` as `RESTORED` in `meta`, and make everything last."""
        ...


def open_snapshot(location: str | Path, *, alone: bool) -> AbstractAsyncContextManager[Snapshot]:
    """A snapshot of the database at `location`, which another process may be using unless `alone`."""
    if is_postgres(location):
        from watchword.server.db.postgres.transfer import open_snapshot as open_it  # noqa: PLC0415  # an extra

        return open_it(str(location))
    from watchword.server.db.sqlite.transfer import open_snapshot as open_file  # noqa: PLC0415  # as above

    return open_file(Path(location), alone=alone)


def open_loader(
    location: str | Path, schema: Sequence[Migration], *, clock: Clock, entropy: Entropy
) -> AbstractAsyncContextManager[Loader]:
    """A new database at `location` with the tables of `schema`; gone again unless `finish` was called.

    Raises `InvalidConfigError` when there is something already.
    """
    if is_postgres(location):
        from watchword.server.db.postgres.transfer import open_loader as open_it  # noqa: PLC0415  # an extra

        return open_it(str(location), schema, clock=clock, entropy=entropy)
    from watchword.server.db.sqlite.transfer import open_loader as open_file  # noqa: PLC0415  # as above

    return open_file(Path(location), schema, clock=clock, entropy=entropy)


def in_order(names: Iterable[str], references: Mapping[str, frozenset[str]]) -> list[str]:
    """The names so that each stands behind those that it refers to; otherwise by name."""
    left = sorted(names)
    ordered: list[str] = []
    while left:
        ready = [name for name in left if references.get(name, frozenset()) - {name} <= {*ordered}]
        if not ready:
            raise DamagedError("the tables of the database refer to each other in a circle")
        ordered += ready
        left = [name for name in left if name not in ready]
    return ordered


def copy_before(location: str | Path, size: int, pending: Sequence[Migration]) -> Path | None:
    """Where a database of this size is copied to before `pending` are applied; None when it is not."""
    if is_postgres(location) or not pending:
        return None
    from watchword.server.db.sqlite.before import LIMIT, copy_path  # noqa: PLC0415  # as above

    return copy_path(Path(location), pending[0]) if size <= LIMIT else None
