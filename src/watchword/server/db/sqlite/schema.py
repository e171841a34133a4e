"""Migrations and the instance id, on SQLite."""

import logging
from typing import Final

import apsw

from watchword.core.clock import Instant
from watchword.errors import DamagedError, InvalidConfigError
from watchword.server.db.dialect import Engine, define
from watchword.server.db.migrate import (
    CREATE_TABLE,
    INSERT_INSTANCE,
    RECORD,
    SELECT_APPLIED,
    Applied,
    Migration,
    list_migrations,
    plan,
)

_log: Final = logging.getLogger(__name__)


def migrate(connection: apsw.Connection, *, now: Instant, instance: bytes) -> None:
    """Bring the schema up to date; a new database becomes `instance`.

    Raises:
        InvalidConfigError: the database is newer than the code, or not ours.
    """
    if not connection.table_exists("main", "schema_migrations"):
        _check_empty(connection)
        make_migrations_table(connection)
    applied = find_applied(connection)
    for migration in plan(list_migrations(), applied):
        apply(connection, migration, now)
        if applied:
            _log.info("the database was migrated: %s", migration.name)
    connection.execute(INSERT_INSTANCE, {"value": instance})


def make_migrations_table(connection: apsw.Connection) -> None:
    connection.execute(define(CREATE_TABLE, Engine.SQLITE))


def find_applied(connection: apsw.Connection) -> list[Applied]:
    """The migrations that the database has had; none for a new one."""
    if not connection.table_exists("main", "schema_migrations"):
        return []
    rows = connection.execute(SELECT_APPLIED).fetchall()
    return [Applied(number, name, checksum) for number, name, checksum in rows]  # type: ignore[arg-type]  # as declared


def _check_empty(connection: apsw.Connection) -> None:
    if connection.execute("select 1 from sqlite_master").fetchone() is not None:
        raise InvalidConfigError(
            "The database has tables, but none of Watchword's: it belongs to something else."
        )


def _check_references(connection: apsw.Connection, migration: Migration) -> None:
    if connection.execute("pragma foreign_key_check").fetchone() is not None:
        raise DamagedError(f"Migration {migration.name} would leave rows that refer to nothing.")


def apply(connection: apsw.Connection, migration: Migration, now: Instant) -> None:
    """Run one migration and record it, in one transaction.

    A table that is made anew is dropped, and what refers to it must not go with it: references are checked at the end.
    """
    connection.execute("pragma foreign_keys=off")
    connection.execute("begin immediate")
    try:
        for _ in connection.execute(define(migration.sql, Engine.SQLITE)):
            pass  # a script runs statement by statement as its rows are asked for
        connection.execute(
            RECORD,
            {
                "number": migration.number,
                "name": migration.name,
                "checksum": migration.checksum,
                "applied_at": now,
            },
        )
        _check_references(connection, migration)
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise
    finally:
        connection.execute("pragma foreign_keys=on")
