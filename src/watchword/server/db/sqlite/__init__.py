"""The embedded engine: one SQLite file, one writer that commits what is queued as one group.

Every page carries a checksum (SQLite's own `cksumvfs`), so that a changed byte is an error and never an answer.
Files beside the database: `-wal` and `-shm` (SQLite's), `-mark` (the last acknowledged group), and `lock`.
"""

from watchword.server.db.sqlite.database import SqliteDatabase
from watchword.server.db.sqlite.start import open_sqlite

__all__ = ["SqliteDatabase", "open_sqlite"]
