"""The embedded `Database`: reads on the loop, writes through the group writer."""

import asyncio
import os
from dataclasses import dataclass
from itertools import cycle

import apsw

from watchword.errors import UnavailableError
from watchword.server.db.dialect import for_sqlite
from watchword.server.db.sqlite.checkpoint import Checkpointer
from watchword.server.db.sqlite.lock import DataLock
from watchword.server.db.sqlite.mark import Mark
from watchword.server.db.sqlite.state import ServingState
from watchword.server.db.sqlite.worker import Worker
from watchword.server.db.sqlite.writer import GroupWriter
from watchword.server.db.unit import AuditSink, Parameters, Row, Unit
from watchword.server.measures import DatabaseMeasures


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """One connection for each use, since two uses of one wait for each other."""

    writer: apsw.Connection
    checkpoints: apsw.Connection
    points: apsw.Connection
    """Short reads, on the loop: two microseconds each, where a thread would cost fifty."""
    lists: tuple[apsw.Connection, ...]
    """Long reads, each on its own thread."""

    def close_readers(self) -> None:
        for connection in (self.points, *self.lists, self.checkpoints):
            connection.close()


class SqliteDatabase:
    """Made by `open_sqlite`. Used from the event loop that opened it, and from no other process."""

    def __init__(
        self,
        connections: Connections,
        *,
        lock: DataLock,
        mark: Mark,
        state: ServingState,
        audit: AuditSink,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._connections = connections
        self._lock = lock
        self._mark = mark
        self._state = state
        self._checkpointer = Checkpointer(connections.checkpoints, state=state, lock=lock, loop=loop)
        self._writer = GroupWriter(
            connections.writer,
            state=state,
            mark=mark,
            checkpointer=self._checkpointer,
            loop=loop,
            audit=audit,
        )
        self._list_workers = [
            (Worker("watchword-read", loop), connection) for connection in connections.lists
        ]
        self._next_list = cycle(self._list_workers)
        self._point = connections.points.execute
        self._closing = False

    def use_audit(self, audit: AuditSink) -> None:
        """Write the events of later units through `audit`."""
        self._writer.audit = audit

    def use_measures(self, measures: DatabaseMeasures) -> None:
        """Count the writer's transactions in `measures` from now on."""
        self._writer.measures = measures

    async def fetch_one(self, sql: str, parameters: Parameters) -> Row | None:
        """The first row, or None."""
        self._state.check_read()
        try:
            statement = for_sqlite(sql)
            cursor = self._point(statement.text, statement.bind(parameters))
            row = cursor.fetchone()
            cursor.close(True)
        except (apsw.Error, MemoryError) as error:
            raise self._state.judge(error) from error
        return row

    async def fetch_all(self, sql: str, parameters: Parameters) -> list[Row]:
        """All rows, read on a thread."""
        self._state.check_read()
        statement = for_sqlite(sql)
        values = statement.bind(parameters)
        worker, connection = next(self._next_list)

        def read() -> list[Row]:
            return list(connection.execute(statement.text, values))

        try:
            return await worker.run(read)
        except (apsw.Error, MemoryError) as error:
            raise self._state.judge(error) from error

    async def commit(self, unit: Unit) -> None:
        """Run `unit`; return when it is on disk."""
        self._state.check_write()
        if self._closing:
            raise UnavailableError("The database is closed.")
        await self._writer.submit(unit)

    async def close(self) -> None:
        """Finish what is queued, write the log back, close, and let go of the lock."""
        if self._closing:
            return
        self._closing = True
        await self._writer.drain()
        await self._checkpointer.drain()
        for worker, _ in self._list_workers:
            await worker.run(os.getpid)  # what was queued before is done
            worker.stop()
        self._state.close()
        self._connections.close_readers()
        self._close_writer()
        self._mark.close()
        self._lock.release()

    def _close_writer(self) -> None:
        """A healthy database is left without a log; a failed one is left exactly as it is."""
        writer = self._connections.writer
        if not self._state.failed:
            writer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        try:
            writer.close()
        except apsw.Error as error:
            self._state.judge(error)
            writer.close(True)
