"""Migrations and the instance id, on PostgreSQL."""

import logging
from typing import Final

import asyncpg

from watchword.core.clock import Instant
from watchword.errors import InvalidConfigError
from watchword.server.db.dialect import Engine, define, for_postgres
from watchword.server.db.migrate import (
    CREATE_TABLE,
    INSERT_INSTANCE,
    RECORD,
    SELECT_APPLIED,
    SELECT_INSTANCE,
    Applied,
    Migration,
    list_migrations,
    plan,
)

_log: Final = logging.getLogger(__name__)
_LOCK: Final = "select pg_advisory_lock(7735921)"  # a number of ours: nodes that start together wait in turn
_UNLOCK: Final = "select pg_advisory_unlock(7735921)"
_HAS_MIGRATIONS: Final = "select to_regclass('schema_migrations') is not null"
_HAS_TABLES: Final = "select exists (select from pg_tables where schemaname = any (current_schemas(false)))"


async def migrate(connection: asyncpg.Connection, *, now: Instant, instance: bytes) -> bytes:
    """Bring the schema up to date and return the database's instance id; a new one becomes `instance`.

    Raises:
        InvalidConfigError: the database is newer than the code, not ours, or does not keep what it confirms.
    """
    await check_keeps(connection)
    await connection.execute(_LOCK)
    try:
        if not await connection.fetchval(_HAS_MIGRATIONS):
            if await connection.fetchval(_HAS_TABLES):
                raise InvalidConfigError(
                    "The database has tables, but none of Watchword's: it belongs to something else."
                )
            await make_migrations_table(connection)
        applied = await find_applied(connection)
        for migration in plan(list_migrations(), applied):
            await apply(connection, migration, now)
            if applied:
                _log.info("the database was migrated: %s", migration.name)
        await connection.execute(for_postgres(INSERT_INSTANCE).text, instance)
        return bytes(await connection.fetchval(SELECT_INSTANCE))
    finally:
        await connection.execute(_UNLOCK)


async def check_keeps(connection: asyncpg.Connection) -> None:
    """Raise `InvalidConfigError` when the server would not keep what it confirms."""
    if await connection.fetchval("show fsync") != "on":
        raise InvalidConfigError("PostgreSQL runs with fsync off: it would lose what it confirmed.")


async def has_tables(connection: asyncpg.Connection) -> bool:
    return bool(await connection.fetchval(_HAS_TABLES))


async def make_migrations_table(connection: asyncpg.Connection) -> None:
    await connection.execute(define(CREATE_TABLE, Engine.POSTGRES))


async def find_applied(connection: asyncpg.Connection) -> list[Applied]:
    """The migrations that the database has had; none for a new one."""
    if not await connection.fetchval(_HAS_MIGRATIONS):
        return []
    return [Applied(*row) for row in await connection.fetch(SELECT_APPLIED)]


async def apply(connection: asyncpg.Connection, migration: Migration, now: Instant) -> None:
    """Run one migration and record it, in one transaction."""
    async with connection.transaction():
        await connection.execute("set local statement_timeout = 0", timeout=None)
        await connection.execute(define(migration.sql, Engine.POSTGRES), timeout=None)
        await connection.execute(
            for_postgres(RECORD).text, migration.number, migration.name, migration.checksum, now
        )
