"""Opening: what is looked at, in which order, before the first request."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import apsw

from watchword.core.clock import Clock
from watchword.core.entropy import Entropy
from watchword.errors import DamagedError
from watchword.server.db.migrate import INSTANCE_SIZE
from watchword.server.db.no_audit import NoAudit
from watchword.server.db.sqlite.before import copy_before_migration
from watchword.server.db.sqlite.check import check_in_background, check_whole, is_small
from watchword.server.db.sqlite.connection import check_checksums, configure, connect, pragma
from watchword.server.db.sqlite.database import Connections, SqliteDatabase
from watchword.server.db.sqlite.faults import Fault, classify, public_error
from watchword.server.db.sqlite.lock import DataLock
from watchword.server.db.sqlite.mark import Mark, check_reached, start_counting
from watchword.server.db.sqlite.place import check_place, create
from watchword.server.db.sqlite.schema import migrate
from watchword.server.db.sqlite.state import ServingState
from watchword.server.db.unit import AuditSink

LOCK_NAME: Final = "lock"
_LIST_READERS: Final = 2
_LOCKED_FOR: Final = 4.5  # seconds
_LOCKED_RETRY: Final = 0.05

Result = TypeVar("Result")


async def open_sqlite(
    path: Path, *, clock: Clock, entropy: Entropy, audit: AuditSink | None = None
) -> SqliteDatabase:
    """Open the database file `path`, made when missing, in a directory that must exist.

    Raises: see `open_database`.
    """
    check_place(path)
    lock = DataLock.take(path.with_name(LOCK_NAME), entropy)
    try:
        mark = Mark.open(path)
        try:
            return await _open(
                path, clock=clock, entropy=entropy, audit=audit or NoAudit(), lock=lock, mark=mark
            )
        except BaseException:
            mark.close()
            raise
    except BaseException:
        lock.release()
        raise


async def _open(
    path: Path, *, clock: Clock, entropy: Entropy, audit: AuditSink, lock: DataLock, mark: Mark
) -> SqliteDatabase:
    create(path)
    opened: list[apsw.Connection] = []

    def another(*, writes: bool) -> apsw.Connection:
        connection = connect(path)
        opened.append(connection)
        configure(connection, writes=writes)
        return connection

    async def prepare() -> SqliteDatabase:
        writer = await _patiently(lambda: another(writes=True))
        check_checksums(writer)
        await _patiently(lambda: check_reached(writer, mark))
        small = is_small(path)
        if small:
            await _patiently(lambda: check_whole(writer, path))
            pragma(writer, "shrink_memory")  # the check has read every page; most will not be wanted again
        await _patiently(lambda: copy_before_migration(writer, path, now=clock.now()))
        await _patiently(lambda: migrate(writer, now=clock.now(), instance=entropy.bytes(INSTANCE_SIZE)))
        start_counting(writer, mark)
        connections = Connections(
            writer=writer,
            checkpoints=another(writes=True),
            points=another(writes=False),
            lists=tuple(another(writes=False) for _ in range(_LIST_READERS)),
        )
        state = ServingState()
        if not small:
            check_in_background(path, state, asyncio.get_running_loop())
        return SqliteDatabase(connections, lock=lock, mark=mark, state=state, audit=audit)

    try:
        return await prepare()
    except BaseException as error:
        for connection in opened:
            connection.close(True)
        if classify(error) is Fault.DAMAGE:
            raise DamagedError(f"The file {path} is damaged, or is not a database: {error}.") from error
        raise (public_error(error) or error) from error


async def _patiently(work: Callable[[], Result]) -> Result:
    """Run `work` again while another process has the database locked, for a while."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _LOCKED_FOR
    while True:
        try:
            return work()
        except apsw.Error as error:
            if classify(error) is not Fault.LOCKED or loop.time() > until:
                raise
        await asyncio.sleep(_LOCKED_RETRY)
