"""The server `Database`: reads through a small pool, writes through the group writer."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import asyncpg

from watchword.errors import UnavailableError
from watchword.server.db.dialect import for_postgres
from watchword.server.db.postgres.connection import COMMAND_TIMEOUT, CONNECT_TIMEOUT
from watchword.server.db.postgres.faults import Fault, classify, public_error
from watchword.server.db.postgres.writer import GroupWriter
from watchword.server.db.unit import AuditSink, Parameters, Row, Unit
from watchword.server.measures import DatabaseMeasures

READ_CONNECTIONS: Final = 8
_READ_ATTEMPTS: Final = 2
_READ_DELAY: Final = 0.05
_CLOSE_SECONDS: Final = 2.0

Result = TypeVar("Result")


class PostgresDatabase:
    """Made by `open_postgres`. Used from the event loop that opened it, and from no other process."""

    def __init__(self, pool: asyncpg.Pool, writer: GroupWriter) -> None:
        self._pool = pool
        self._writer = writer
        self._process = os.getpid()
        self._closed = False

    def use_audit(self, audit: AuditSink) -> None:
        """Write the events of later units through `audit`."""
        self._writer.audit = audit

    def use_measures(self, measures: DatabaseMeasures) -> None:
        """Count the writer's transactions in `measures` from now on."""
        self._writer.measures = measures

    async def fetch_one(self, sql: str, parameters: Parameters) -> Row | None:
        """The first row, or None."""
        row = await self._read("fetchrow", sql, parameters)
        return None if row is None else tuple(row)

    async def fetch_all(self, sql: str, parameters: Parameters) -> list[Row]:
        """All rows."""
        return [tuple(row) for row in await self._read("fetch", sql, parameters)]

    async def commit(self, unit: Unit) -> None:
        """Run `unit`; return when it is on disk."""
        self._check()
        await self._writer.submit(unit)

    async def close(self) -> None:
        """Finish what is queued, then close every connection."""
        if self._closed:
            return
        self._closed = True
        await self._writer.drain()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._pool.close()
        except (TimeoutError, OSError, asyncpg.InterfaceError):
            self._pool.terminate()

    def _check(self) -> None:
        if self._closed:
            raise UnavailableError("The database is closed.")
        if os.getpid() != self._process:
            raise UnavailableError("The database was opened by another process.")

    async def _read(self, method: str, sql: str, parameters: Parameters) -> Any:
        """Reads change nothing, so one that loses its connection is asked again."""
        self._check()
        statement = for_postgres(sql)
        values = statement.bind(parameters)

        async def ask() -> Any:
            async with self._pool.acquire(timeout=CONNECT_TIMEOUT) as connection:
                return await getattr(connection, method)(statement.text, *values, timeout=COMMAND_TIMEOUT)

        return await _with_second_try(ask)


async def _with_second_try(ask: Callable[[], Awaitable[Result]]) -> Result:
    for attempt in range(1, _READ_ATTEMPTS + 1):
        try:
            return await ask()
        except Exception as error:
            if classify(error) is not Fault.CONNECTION or attempt == _READ_ATTEMPTS:
                raise public_error(error) from error
            await asyncio.sleep(_READ_DELAY)
    raise AssertionError  # the loop returns or raises
