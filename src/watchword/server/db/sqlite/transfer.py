"""Snapshots and loads on SQLite. One thread, one connection: it is a command's process and not a server's."""

import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, TypeVar

import apsw

from watchword.core.clock import Clock
from watchword.core.entropy import Entropy
from watchword.errors import DamagedError, InvalidConfigError
from watchword.server.data_directory import sync_file
from watchword.server.db.migrate import INSERT_INSTANCE, INSTANCE_SIZE, Applied, Migration
from watchword.server.db.restored import RESTORED
from watchword.server.db.sqlite.connection import check_checksums, configure, connect, pragma
from watchword.server.db.sqlite.faults import Fault, classify, public_error
from watchword.server.db.sqlite.mark import Mark, check_reached, mark_path, start_counting_anew
from watchword.server.db.sqlite.place import check_place, create
from watchword.server.db.sqlite.schema import apply, find_applied, make_migrations_table
from watchword.server.db.transfer import BATCH, NOT_DATA, Table, in_order
from watchword.server.db.unit import Row

Result = TypeVar("Result")
_BUSY_MS: Final = 4500
_TABLES: Final = (
    "select name from sqlite_master where type = 'table' and name not like 'sqlite!_%' escape '!'"
)
_COLUMNS: Final = "select name from pragma_table_info(?1) order by cid"
_REFERENCES: Final = 'select "table" from pragma_foreign_key_list(?1)'
_SIZE: Final = "select page_count * page_size from pragma_page_count, pragma_page_size"
_CHECKPOINT_PAGES: Final = 4000
_MARK: Final = "insert into meta (name, value) values (?1, ?2)"


class SqliteSnapshot:
    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    async def applied(self) -> list[Applied]:
        return _read(lambda: find_applied(self._connection))

    async def tables(self) -> list[Table]:
        found = {str(name) for (name,) in self._all(_TABLES)} - NOT_DATA
        refers = {name: frozenset(str(other) for (other,) in self._all(_REFERENCES, name)) for name in found}
        return [Table(name, _columns(self._connection, name)) for name in in_order(found, refers)]

    async def size(self) -> int:
        row = await self.one(_SIZE)
        return row[0] if row is not None and isinstance(row[0], int) else 0

    async def one(self, sql: str) -> Row | None:
        return _read(lambda: self._connection.execute(sql).fetchone())

    async def rows(self, table: Table) -> AsyncIterator[Sequence[Row]]:
        cursor = _read(lambda: self._connection.execute(table.select))

        while rows := _read(lambda: list(itertools.islice(cursor, BATCH))):
            yield rows

    def _all(self, sql: str, *values: str) -> list[Row]:
        return _read(lambda: list(self._connection.execute(sql, values)))


class SqliteLoader:
    def __init__(self, connection: apsw.Connection, clock: Clock, entropy: Entropy) -> None:
        self._connection = connection
        self._clock = clock
        self._entropy = entropy
        self.finished = False

    async def columns(self, table: str) -> frozenset[str]:
        return frozenset(_columns(self._connection, table))

    async def insert(self, table: Table, rows: Sequence[Row]) -> None:
        places = ", ".join("?" * len(table.columns))
        sql = f"insert into {table.name} ({', '.join(table.columns)}) values ({places})"  # noqa: S608  # sql: names checked against the schema
        with _written(), self._connection:
            self._connection.executemany(sql, rows)

    async def finish(self, pending: Sequence[Migration], mark: bytes) -> None:
        with _written():
            for migration in pending:
                apply(self._connection, migration, self._clock.now())
            with self._connection:
                self._connection.execute(INSERT_INSTANCE, {"value": self._entropy.bytes(INSTANCE_SIZE)})
                self._connection.execute(_MARK, (RESTORED, mark))
                start_counting_anew(self._connection)
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self.finished = True


@asynccontextmanager
async def open_snapshot(path: Path, *, alone: bool) -> AsyncIterator[SqliteSnapshot]:
    """The file at `path`, which a server may have open. The reader's mark in the log is all that it takes.

    `alone`, there is no server that has seen to it that nothing acknowledged is missing.
    """
    _check_there(path, alone=alone)
    connection = connect(path)
    try:
        connection.set_busy_timeout(_BUSY_MS)

        def begin() -> None:
            configure(connection, writes=False)
            check_checksums(connection)
            connection.execute("begin")
            connection.execute(
                "select count(*) from sqlite_master"
            ).fetchall()  # the snapshot begins with a read

        _read(begin)
        if not connection.table_exists("main", "schema_migrations"):
            raise InvalidConfigError(f"{path} is no database of Watchword.")
        if alone:
            _check_reached(connection, path)
        yield SqliteSnapshot(connection)
    finally:
        connection.close(True)


@asynccontextmanager
async def open_loader(
    path: Path, schema: Sequence[Migration], *, clock: Clock, entropy: Entropy
) -> AsyncIterator[SqliteLoader]:
    """A new file at `path`. Its syncs come at the end: until then nobody counts on it."""
    if not create(path):
        raise InvalidConfigError(f"There is a database {path} already.")
    connection = connect(path)
    loader = SqliteLoader(connection, clock, entropy)
    try:
        configure(connection, writes=True)
        pragma(connection, "synchronous=off")
        connection.wal_autocheckpoint(_CHECKPOINT_PAGES)
        with _written():
            make_migrations_table(connection)
            for migration in schema:
                apply(connection, migration, clock.now())
        yield loader
    finally:
        connection.close(True)
        if loader.finished:
            sync_file(path)
        else:
            for ending in ("", "-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)


def _check_there(path: Path, *, alone: bool) -> None:
    """Root may look while the server's user has the database open; alone, it would leave files of its own beside it."""
    if alone or os.geteuid() != 0:
        check_place(path)
    if not path.exists():
        raise InvalidConfigError(f"There is no database {path}.")


def _check_reached(connection: apsw.Connection, path: Path) -> None:
    if not mark_path(path).exists():
        return
    mark = Mark.open(path)
    try:
        check_reached(connection, mark)
    finally:
        mark.close()


def _columns(connection: apsw.Connection, table: str) -> tuple[str, ...]:
    return tuple(str(name) for (name,) in connection.execute(_COLUMNS, (table,)))


def _read(work: Callable[[], Result]) -> Result:
    """Run `work`; what the engine finds wrong is said in our words."""
    try:
        return work()
    except apsw.Error as error:
        raise (public_error(error) or error) from error
    except UnicodeDecodeError:
        raise DamagedError("The database holds a text that is not UTF-8.") from None


@contextmanager
def _written() -> Iterator[None]:
    """A row that the schema refuses is the backup's fault."""
    try:
        yield
    except (apsw.Error, UnicodeEncodeError) as error:
        constraint = isinstance(error, apsw.ConstraintError | apsw.MismatchError | UnicodeEncodeError)
        if constraint and classify(error) is Fault.STATEMENT:
            raise DamagedError(f"The backup does not fit its own schema: {error}.") from error
        raise (public_error(error) or error) from error
