"""A copy of the database before a migration, so that the way back to the version before is one file.

Made at the start that migrates, while nobody else writes. The copy carries the mark of restored data: whoever puts it
in place has gone back in time, and is asked for `after-restore` as after any restore.
"""

import logging
import os
from pathlib import Path
from typing import Final

import apsw

from watchword.core.clock import Instant
from watchword.errors import InvalidConfigError
from watchword.server.data_directory import sync_directory, sync_file
from watchword.server.db.migrate import Applied, Migration, list_migrations, plan
from watchword.server.db.restored import RESTORED, RestoredMark
from watchword.server.db.sqlite.connection import connect, pragma
from watchword.server.db.sqlite.place import create
from watchword.server.db.sqlite.schema import find_applied

LIMIT: Final = 1 << 30
"""Bytes: a larger database is not copied at a start, which would take minutes; a backup before is the operator's."""
_ROOM: Final = 3
"""How many times the database must fit into what is free: the copy, and a migration that writes every page anew."""
_PAGES: Final = 2048
_MARK: Final = "insert into meta (name, value) values (?1, ?2) on conflict (name) do nothing"
_log: Final = logging.getLogger(__name__)


def copy_before_migration(connection: apsw.Connection, path: Path, *, now: Instant) -> None:
    """Copy the database beside itself if it is about to be migrated.

    Raises:
        InvalidConfigError: the disk has no room for it, and so none for the migration either; or as `plan`.
    """
    applied = find_applied(connection)
    pending = plan(list_migrations(), applied)
    if not applied or not pending:
        return
    size = _size(connection)
    if size > LIMIT:
        _log.warning(
            "the database has %d bytes and is migrated without a copy: keep your backup until all is well",
            size,
        )
        return
    _check_room(path, size)
    _copy(connection, copy_path(path, pending[0]), applied[-1], now)


def copy_path(path: Path, first: Migration) -> Path:
    """Where the copy before `first` stands."""
    return path.with_name(f"{path.name}-before-{first.number:04}")


def _check_room(path: Path, size: int) -> None:
    found = os.statvfs(path.parent)
    free = found.f_bavail * found.f_frsize
    if free < _ROOM * size:
        raise InvalidConfigError(
            f"The database is about to be migrated, and its disk has {free:,} bytes left: {_ROOM * size:,} are needed "
            "for a copy and the change. Nothing was changed."
        )


def _copy(connection: apsw.Connection, place: Path, last: Applied, now: Instant) -> None:
    """A copy from an earlier try that was cut off is of the same data, and is made again."""
    partial = place.with_name(f"{place.name}.partial")
    partial.unlink(missing_ok=True)
    create(partial)
    target = connect(partial)
    try:
        with target.backup("main", connection, "main") as backup:
            while not backup.done:
                backup.step(_PAGES)
        pragma(target, "journal_mode=delete")  # one file, without a log beside it
        mark = RestoredMark(backup=f"copy after {last.name}", taken_at=now, restored_at=now)
        target.execute(_MARK, (RESTORED, mark.encode()))
    finally:
        target.close(True)
    sync_file(partial)
    partial.replace(place)
    sync_directory(place.parent)
    _log.info("the database was copied to %s before its migration", place.name)


def _size(connection: apsw.Connection) -> int:
    pages, size = pragma(connection, "page_count"), pragma(connection, "page_size")
    return pages * size if isinstance(pages, int) and isinstance(size, int) else 0
