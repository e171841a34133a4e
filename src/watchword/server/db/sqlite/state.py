"""Whether the database still serves: once it has failed it stays so until the process is started again."""

import logging
import os

import apsw

from watchword.errors import UnavailableError, WatchwordError
from watchword.server.db.sqlite.faults import Fault, classify, public_error

_log = logging.getLogger(__name__)


class ServingState:
    """Serving, or failed (no writes, reads as long as they are right), or closed (nothing)."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._failure: WatchwordError | None = None
        self._closed = False

    @property
    def failed(self) -> bool:
        return self._failure is not None

    def check_read(self) -> None:
        if self._closed:
            raise UnavailableError("The database is closed.")
        if os.getpid() != self._process:  # a copy of our connections would break the file's locks
            raise UnavailableError("The database was opened by another process.")

    def check_write(self) -> None:
        self.check_read()
        if self._failure is not None:
            raise type(self._failure)(self._failure.detail)

    def close(self) -> None:
        self._closed = True

    def fail(self, failure: WatchwordError, *, cause: object) -> None:
        """Take no more writes. Said once, at the level that wakes somebody."""
        if self._failure is None:
            self._failure = failure
            _log.critical("database takes no more writes: %s (%s)", failure.detail, cause)

    def judge(self, error: BaseException) -> BaseException:
        """The error to raise for `error`; a damaged page or a failed sync ends the writing for good."""
        public = public_error(error)
        if public is None:
            return error
        fault = classify(error)
        if fault in (Fault.SYNC, Fault.DAMAGE):
            self.fail(public, cause=error)
        elif fault is Fault.ENGINE:
            code = getattr(error, "extendedresult", None)
            name = apsw.mapping_extended_result_codes.get(code) if code is not None else None
            _log.error("database error: %s (%s)", error, name)
        public.__cause__ = error
        return public
