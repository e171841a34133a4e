"""What an error of PostgreSQL, or of the way to it, means for us."""

import enum
import logging

import asyncpg

from watchword.errors import ConflictError, DamagedError, MalformedError, UnavailableError, WatchwordError

_log = logging.getLogger(__name__)


class Fault(enum.Enum):
    STATEMENT = enum.auto()
    """The statement is wrong, or breaks a constraint: its unit fails alone."""
    CONTENTION = enum.auto()
    """Deadlock or serialization failure: rolled back; units are data and run again."""
    SLOW = enum.auto()
    """A lock or a statement took too long."""
    CONNECTION = enum.auto()
    """The connection is gone, or none can be had now."""
    ENGINE = enum.auto()
    """The server cannot do it now: disk full, out of memory, read-only standby."""
    DAMAGE = enum.auto()


_CONTENTION = frozenset(("40001", "40P01"))
_SLOW = frozenset(("57014", "55P03"))  # statement_timeout, lock_timeout
_CONNECTION_CLASSES = frozenset(("08", "57"))  # connection exceptions; shut down, starting up
_CONNECTION_STATES = frozenset(("53300", "25P03"))  # too many connections; idle in a transaction for too long
_ENGINE_CLASSES = frozenset(("53", "58"))  # no disk, no memory; the system's own errors
_ENGINE_STATES = frozenset(("25006",))  # read only
_DAMAGE = frozenset(("XX001", "XX002"))


def classify(error: BaseException) -> Fault:
    if isinstance(error, asyncpg.InternalClientError):
        return Fault.CONNECTION
    if isinstance(error, asyncpg.PostgresError):
        return _by_state(error.sqlstate or "")
    if isinstance(error, OSError | TimeoutError | EOFError | asyncpg.InterfaceError):
        # A wrong argument is an InterfaceError too, with `DataError` as its other half.
        return Fault.STATEMENT if isinstance(error, asyncpg.DataError) else Fault.CONNECTION
    return Fault.STATEMENT


def _by_state(state: str) -> Fault:  # a table
    if state in _CONTENTION:
        return Fault.CONTENTION
    if state in _SLOW:
        return Fault.SLOW
    if state in _DAMAGE:
        return Fault.DAMAGE
    if state in _CONNECTION_STATES or state[:2] in _CONNECTION_CLASSES:
        return Fault.CONNECTION
    if state in _ENGINE_STATES or state[:2] in _ENGINE_CLASSES:
        return Fault.ENGINE
    return Fault.STATEMENT


_DETAIL = {
    Fault.CONTENTION: "The database was too busy with the same rows.",
    Fault.SLOW: "The database took too long.",
    Fault.CONNECTION: "The database cannot be reached.",
    Fault.ENGINE: "The database cannot be written or read now.",
}


_AUDIT_TABLE = "audit_entries"


def public_error(error: BaseException) -> BaseException:
    """The error that our callers see; a mistake in a statement is seen itself.

    A second audit entry at one place of the chain is no conflict of the caller's, and wakes somebody. A value that
    PostgreSQL cannot hold (a NUL in a text, half of a surrogate pair, a number of more than 64 bits) came from one.
    """
    if isinstance(error, WatchwordError):
        return error
    fault = classify(error)
    public: WatchwordError
    if fault is Fault.DAMAGE:
        public = DamagedError("The database is damaged.")
    elif fault is not Fault.STATEMENT:
        public = UnavailableError(_DETAIL[fault])
    elif isinstance(error, asyncpg.UniqueViolationError) and error.table_name == _AUDIT_TABLE:
        _log.critical("an audit entry is there already: does somebody else write as this node?")
        public = UnavailableError("The audit trail cannot be continued.")
    elif isinstance(error, asyncpg.UniqueViolationError | asyncpg.ForeignKeyViolationError):
        public = ConflictError()
    elif _is_value(error):
        public = MalformedError("The database cannot hold a value.")
    else:
        return error
    public.__cause__ = error
    return public


def _is_value(error: BaseException) -> bool:
    """Whether a value is at fault, said by the server or by asyncpg, which would not send it.

    A value of the wrong type is not: that is a mistake of ours.
    """
    return isinstance(error, asyncpg.DataError) and not isinstance(error.__cause__, TypeError)
