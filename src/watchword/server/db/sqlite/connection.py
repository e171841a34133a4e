"""Connections as we want them: checksums on every page, a write-ahead log, each commit on disk before it returns."""

import functools
from pathlib import Path
from typing import Final

import apsw
import apsw.sqlite_extra

from watchword.errors import InvalidConfigError

CHECKSUM_VFS: Final = "cksmvfs"
CHECKSUM_SIZE: Final = 8
"""Bytes reserved at the end of each page; the VFS works only with exactly these."""
PAGE_SIZE: Final = 4096
_CACHED_STATEMENTS: Final = 512
_CACHE_KIB: Final = 16 * 1024


@functools.cache
def _load_checksums() -> None:
    if CHECKSUM_VFS not in apsw.vfs_names():
        loader = apsw.Connection(":memory:")
        apsw.sqlite_extra.load(loader, "cksumvfs")
        loader.close()


def connect(path: Path) -> apsw.Connection:
    """Open the existing file `path`. An empty file becomes a database with checksums."""
    _load_checksums()
    connection = apsw.Connection(
        str(path),
        flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW,
        vfs=CHECKSUM_VFS,
        statementcachesize=_CACHED_STATEMENTS,
    )
    connection.set_busy_timeout(0)  # waiting is for the caller, who has a loop to run
    connection.reserve_bytes("main", CHECKSUM_SIZE)  # no effect on an existing database
    return connection


def configure(connection: apsw.Connection, *, writes: bool) -> None:
    """Set what SQLite does not keep in the file, and check what it does."""
    pragma(connection, f"page_size={PAGE_SIZE}")
    # The change to a write-ahead log goes through a rollback journal: were its removal not synced too, a power cut
    # could bring the journal back, and with it the empty database.
    pragma(connection, "synchronous=extra")
    if pragma(connection, "journal_mode=wal") != "wal":
        raise InvalidConfigError("The file system of the database does not allow a write-ahead log.")
    pragma(connection, "synchronous=full")
    pragma(connection, "foreign_keys=on")
    pragma(connection, f"cache_size=-{_CACHE_KIB}")
    pragma(connection, "cache_spill=off")  # pages reach the disk in the commit, not on the loop before it
    pragma(connection, "trusted_schema=off")
    pragma(connection, "temp_store=memory")
    if not writes:
        pragma(connection, "query_only=on")
    connection.wal_autocheckpoint(0)
    # A sync that failed must not be tried again by closing: only a healthy close checkpoints (`start.py`).
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    # Plans do not depend on bound values: else SQLite prepares a join anew each time that it is run.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)


def check_checksums(connection: apsw.Connection) -> None:
    """Raise unless every page carries a checksum that is verified."""
    verified = str(pragma(connection, "checksum_verification")) == "1"
    if connection.reserve_bytes("main", -1) != CHECKSUM_SIZE or not verified:
        raise InvalidConfigError("The database has no page checksums: it was not made by Watchword.")


def pragma(connection: apsw.Connection, text: str) -> int | float | bytes | str | None:
    """The first value that a pragma gives."""
    rows = connection.execute(f"pragma {text}").fetchall()  # sql: our own words, never input
    return rows[0][0] if rows else None
