"""Snapshots and loads on PostgreSQL: one read-only transaction, and one that is committed at the end."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import asyncpg

from watchword.core.clock import Clock
from watchword.core.entropy import Entropy
from watchword.errors import DamagedError, InvalidConfigError
from watchword.server.db.dialect import for_postgres
from watchword.server.db.migrate import INSERT_INSTANCE, INSTANCE_SIZE, Applied, Migration
from watchword.server.db.postgres.connection import connect
from watchword.server.db.postgres.faults import public_error
from watchword.server.db.postgres.schema import (
    apply,
    check_keeps,
    find_applied,
    has_tables,
    make_migrations_table,
)
from watchword.server.db.postgres.start import WRONG_CONFIG
from watchword.server.db.postgres_url import check_transport
from watchword.server.db.restored import RESTORED
from watchword.server.db.transfer import BATCH, NOT_DATA, Table, in_order
from watchword.server.db.unit import Row

_COLUMNS: Final = (
    "select table_name::text, column_name::text from information_schema.columns "
    "where table_schema = any (current_schemas(false)) order by table_name, ordinal_position"
)
_REFERENCES: Final = (
    "select c.relname::text, f.relname::text from pg_constraint k join pg_class c on c.oid = k.conrelid "
    "join pg_class f on f.oid = k.confrelid join pg_namespace n on n.oid = k.connamespace "
    "where k.contype = 'f' and n.nspname = any (current_schemas(false))"
)
_MARK: Final = "insert into meta (name, value) values ($1, $2)"


class PostgresSnapshot:
    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def applied(self) -> list[Applied]:
        return await find_applied(self._connection)

    async def tables(self) -> list[Table]:
        columns = await _all_columns(self._connection)
        refers: dict[str, set[str]] = {}
        for name, other in await self._connection.fetch(_REFERENCES):
            refers.setdefault(name, set()).add(other)
        names = in_order(columns.keys() - NOT_DATA, {name: frozenset(each) for name, each in refers.items()})
        return [Table(name, tuple(columns[name])) for name in names]

    async def size(self) -> int:
        return int(await self._connection.fetchval("select pg_database_size(current_database())"))

    async def one(self, sql: str) -> Row | None:
        row = await self._connection.fetchrow(sql)
        return None if row is None else tuple(row)

    async def rows(self, table: Table) -> AsyncIterator[Sequence[Row]]:
        with _said():
            cursor = await self._connection.cursor(table.select)
            while rows := await cursor.fetch(BATCH):
                yield [tuple(row) for row in rows]


class PostgresLoader:
    def __init__(self, connection: asyncpg.Connection, clock: Clock, entropy: Entropy) -> None:
        self._connection = connection
        self._clock = clock
        self._entropy = entropy
        self.finished = False

    async def columns(self, table: str) -> frozenset[str]:
        return frozenset((await _all_columns(self._connection)).get(table, ()))

    async def insert(self, table: Table, rows: Sequence[Row]) -> None:
        with _written():
            await self._connection.copy_records_to_table(table.name, records=rows, columns=table.columns)

    async def finish(self, pending: Sequence[Migration], mark: bytes) -> None:
        with _written():
            for migration in pending:
                await apply(self._connection, migration, self._clock.now())
            instance = for_postgres(INSERT_INSTANCE).text
            await self._connection.execute(instance, self._entropy.bytes(INSTANCE_SIZE))
            await self._connection.execute(_MARK, RESTORED, mark)
        self.finished = True


@asynccontextmanager
async def open_snapshot(url: str) -> AsyncIterator[PostgresSnapshot]:
    connection = await _connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            if not await find_applied(connection):
                raise InvalidConfigError("The database holds nothing of Watchword's.")
            yield PostgresSnapshot(connection)
    finally:
        connection.terminate()


@asynccontextmanager
async def open_loader(
    url: str, schema: Sequence[Migration], *, clock: Clock, entropy: Entropy
) -> AsyncIterator[PostgresLoader]:
    """Everything in one transaction, the tables too: until its end the database is empty for everybody else."""
    connection = await _connect(url)
    try:
        transaction = connection.transaction()
        await transaction.start()
        await check_keeps(connection)
        if await has_tables(connection):
            raise InvalidConfigError("The database has tables already: restore into a new, empty one.")
        await make_migrations_table(connection)
        for migration in schema:
            await apply(connection, migration, clock.now())
        loader = PostgresLoader(connection, clock, entropy)
        yield loader
        if loader.finished:
            with _said():
                await transaction.commit()
    finally:
        connection.terminate()


async def _connect(url: str) -> asyncpg.Connection:
    check_transport(url)
    try:
        return await connect(url, patient=True)
    except WRONG_CONFIG as error:
        raise InvalidConfigError(f"PostgreSQL does not let us in: {error}.") from error
    except Exception as error:
        raise public_error(error) from error


async def _all_columns(connection: asyncpg.Connection) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for table, column in await connection.fetch(_COLUMNS):
        found.setdefault(table, []).append(column)
    return found


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise public_error(error) from error


@contextmanager
def _written() -> Iterator[None]:
    """A row that the schema refuses is the backup's fault."""
    try:
        yield
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, TypeError, OverflowError) as error:
        raise DamagedError(f"The backup does not fit its own schema: {error}.") from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise public_error(error) from error
