"""What an error of SQLite means for us: who may try again, and when the database must take no more writes."""

import enum
import logging

import apsw

from watchword.errors import ConflictError, DamagedError, UnavailableError, WatchwordError

_log = logging.getLogger(__name__)
_SYNC_FAILED = frozenset((apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC))


class Fault(enum.Enum):
    """How far an error reaches."""

    STATEMENT = enum.auto()
    """This statement is wrong or breaks a constraint: its unit fails, its neighbours do not."""
    LOCKED = enum.auto()
    """Another process writes: wait a little."""
    ENGINE = enum.auto()
    """Disk full, a failed read or write, no memory: the group fails, the next may succeed."""
    SYNC = enum.auto()
    """The kernel could not write what it had accepted, and may forget it: nothing later can be trusted."""
    DAMAGE = enum.auto()
    """A page fails its checksum or makes no sense."""


_BY_RESULT = {
    apsw.SQLITE_BUSY: Fault.LOCKED,
    apsw.SQLITE_LOCKED: Fault.LOCKED,
    apsw.SQLITE_CORRUPT: Fault.DAMAGE,
    apsw.SQLITE_NOTADB: Fault.DAMAGE,
    apsw.SQLITE_FORMAT: Fault.DAMAGE,
    apsw.SQLITE_FULL: Fault.ENGINE,
    apsw.SQLITE_IOERR: Fault.ENGINE,
    apsw.SQLITE_NOMEM: Fault.ENGINE,
    apsw.SQLITE_CANTOPEN: Fault.ENGINE,
    apsw.SQLITE_READONLY: Fault.ENGINE,
    apsw.SQLITE_PERM: Fault.ENGINE,
    apsw.SQLITE_PROTOCOL: Fault.ENGINE,
    apsw.SQLITE_INTERRUPT: Fault.ENGINE,
    apsw.SQLITE_NOLFS: Fault.ENGINE,
}


def classify(error: BaseException) -> Fault:
    if isinstance(error, MemoryError):
        return Fault.ENGINE
    if not isinstance(error, apsw.Error):
        return Fault.STATEMENT
    extended = getattr(error, "extendedresult", 0)
    if extended in _SYNC_FAILED:
        return Fault.SYNC
    if extended == apsw.SQLITE_IOERR_DATA:  # the checksum of a page
        return Fault.DAMAGE
    return _BY_RESULT.get(getattr(error, "result", 0), Fault.STATEMENT)


_DETAIL = {
    Fault.LOCKED: "The database is locked by another process.",
    Fault.ENGINE: "The database cannot be written or read now.",
    Fault.SYNC: "The disk did not confirm a write; the server takes no more writes until it is restarted.",
}


def public_error(error: BaseException) -> WatchwordError | None:
    """The error that our callers see, or None where `error` is a mistake in a statement and should be seen itself.

    A second audit entry at one place of the chain is no conflict of the caller's, and wakes somebody.
    """
    fault = classify(error)
    if fault is Fault.DAMAGE:
        return DamagedError("The database is damaged.")
    if fault is not Fault.STATEMENT:
        return UnavailableError(_DETAIL[fault])
    if getattr(error, "extendedresult", 0) not in _CONFLICTS:
        return None
    if _AUDIT_COLUMN in str(error):
        _log.critical("an audit entry is there already: does somebody else write as this node?")
        return UnavailableError("The audit trail cannot be continued.")
    return ConflictError()


_AUDIT_COLUMN = "audit_entries."


_CONFLICTS = frozenset(
    (
        apsw.SQLITE_CONSTRAINT_UNIQUE,
        apsw.SQLITE_CONSTRAINT_PRIMARYKEY,
        apsw.SQLITE_CONSTRAINT_ROWID,
        apsw.SQLITE_CONSTRAINT_FOREIGNKEY,
    )
)
