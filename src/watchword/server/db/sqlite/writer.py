"""The one writer: takes what is queued, runs it in one transaction, and commits it with one sync.

The statements run on the event loop, a few microseconds each: a thread would hand the interpreter's lock to and fro
with the loop at every statement. Only the commit, which waits for the disk, runs on a thread.

    idle ──submit──▶ (end of the tick) begin ──▶ units ──▶ commit on the thread ──▶ answers ──▶ next group or idle
                          │ locked by another process: again in a moment, for `_LOCKED_FOR` at most
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import apsw

from watchword.errors import OverloadedError, UnavailableError, WatchwordError
from watchword.server.db.dialect import for_sqlite
from watchword.server.db.sqlite.checkpoint import Checkpointer
from watchword.server.db.sqlite.faults import Fault, classify
from watchword.server.db.sqlite.mark import Mark, next_number
from watchword.server.db.sqlite.state import ServingState
from watchword.server.db.sqlite.worker import Worker
from watchword.server.db.unit import AuditSink, GuardError, Step, Unit

MAX_GROUP: Final = 256
"""Units in one transaction: about four milliseconds of the loop at a time."""
MAX_QUEUE: Final = 4096
"""Units waiting; one more is refused with 503. At 20,000 a second the last waits 0.2 s."""
_LOCKED_FOR: Final = 4.5  # seconds; the answer is to be there within five
_LOCKED_RETRY: Final = 0.02

Waiting = tuple[Unit, asyncio.Future[None]]


@dataclass(frozen=True, slots=True)
class _Group:
    """A transaction that was run and is to be committed."""

    kept: list[asyncio.Future[None]]
    number: int


class GroupWriter:
    """Owns the writing connection. Everything but the commit itself happens on the loop."""

    def __init__(
        self,
        connection: apsw.Connection,
        *,
        state: ServingState,
        mark: Mark,
        checkpointer: Checkpointer,
        loop: asyncio.AbstractEventLoop,
        audit: AuditSink,
    ) -> None:
        self._connection = connection
        self._execute = connection.cursor().execute
        self._state = state
        self._mark = mark
        self._checkpointer = checkpointer
        self._loop = loop
        self.audit = audit
        self._queue: deque[Waiting] = deque()
        self._busy = False
        self._locked_until: float | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._committer = Worker("watchword-commit", loop)
        connection.set_wal_hook(self._note_log_size)
        self._log_pages = 0

    def submit(self, unit: Unit) -> asyncio.Future[None]:
        """Queue `unit`. The future ends when the unit is on disk, or was undone."""
        if len(self._queue) >= MAX_QUEUE:
            raise OverloadedError
        future: asyncio.Future[None] = self._loop.create_future()
        self._queue.append((unit, future))
        if not self._busy:
            self._busy = True
            self._idle.clear()
            self._loop.call_soon(self._next)  # at the end of this tick: what else it queues goes along
        return future

    async def drain(self) -> None:
        """Wait until everything queued is done, then let the thread end."""
        await self._idle.wait()
        self._committer.stop()

    def _next(self) -> None:
        if not self._queue:
            self._busy = False
            self._idle.set()
        elif self._checkpointer.must_run_first(self._log_pages):
            self._checkpointer.run_before(self._next, self._log_pages)
        elif self._begin():
            self._run_group()

    def _begin(self) -> bool:
        """Open the transaction, or see to what happens instead."""
        try:
            self._state.check_write()
            self._execute("begin immediate")
        except Exception as error:  # every failure to begin fails who waits
            if classify(error) is Fault.LOCKED and self._may_wait():
                self._loop.call_later(_LOCKED_RETRY, self._next)
                return False
            self._locked_until = None
            self._refuse_waiting(self._state.judge(error))
            return False
        self._locked_until = None
        return True

    def _may_wait(self) -> bool:
        now = self._loop.time()
        if self._locked_until is None:
            self._locked_until = now + _LOCKED_FOR
        return now < self._locked_until

    def _refuse_waiting(self, error: BaseException) -> None:
        waiting, self._queue = self._queue, deque()
        _fail((future for _, future in waiting), error)
        self._loop.call_soon(self._next)

    def _run_group(self) -> None:
        kept: list[asyncio.Future[None]] = []
        taken: list[asyncio.Future[None]] = []
        self.audit.begin()
        try:
            while self._queue and len(kept) < MAX_GROUP:
                unit, future = self._queue.popleft()
                if future.done():
                    continue  # given up before it began
                taken.append(future)
                failure = self._run_unit(unit)
                if failure is None:
                    kept.append(future)
                else:
                    _fail((future,), failure)
            number = next_number(self._execute) if kept else 0
        except Exception as error:  # what reaches beyond one unit fails the group
            self._abandon(taken, error)
            return
        if kept:
            group = _Group(kept, number)
            self._committer.submit(lambda: self._commit(group), lambda outcome: self._finish(group, outcome))
        else:
            self._execute("rollback")
            self.audit.rolled_back()
            self._loop.call_soon(self._next)

    def _run_unit(self, unit: Unit) -> BaseException | None:
        """Run one unit in its savepoint: None, or why it was undone. Raises what concerns the whole group."""
        execute = self._execute
        execute("savepoint unit")
        chained = False
        try:
            for step in unit.steps:
                self._run_step(step)
            if unit.events:
                steps = self.audit.entries(unit.events)
                chained = True
                for step in steps:
                    self._run_step(step)
        except Exception as error:
            if classify(error) is not Fault.STATEMENT or not self._connection.in_transaction:
                raise
            execute("rollback to unit")
            execute("release unit")
            if chained:
                self.audit.undo()
            return error if isinstance(error, GuardError | WatchwordError) else self._state.judge(error)
        execute("release unit")
        return None

    def _run_step(self, step: Step) -> None:
        statement = for_sqlite(step.sql)
        try:
            rows = self._execute(statement.text, step.parameters)
            if step.guard is None:
                if statement.gives_rows:
                    rows.fetchall()  # a statement with `returning` is whole only then
                return
            count = len(rows.fetchall()) if statement.gives_rows else self._connection.changes()
        except apsw.ConstraintError:
            if step.guard is None:
                raise
            count = -1  # another unit was first: what the guard is there to tell
        if count != step.rows:
            raise GuardError(step.guard)

    def _commit(self, group: _Group) -> None:
        """On the thread."""
        self._connection.execute("commit")
        self._mark.write(group.number)

    def _finish(self, group: _Group, outcome: BaseException | None) -> None:
        if isinstance(outcome, BaseException):
            self._abandon(group.kept, outcome)
            return
        self.audit.committed()
        for future in group.kept:
            if not future.done():
                future.set_result(None)
        self._checkpointer.consider(self._log_pages)
        self._next()

    def _abandon(self, futures: Sequence[asyncio.Future[None]], error: BaseException) -> None:
        """Undo the group and tell everybody in it."""
        failure = self._state.judge(error)
        try:
            if self._connection.in_transaction:
                self._execute("rollback")
        except apsw.Error as second:
            stuck = UnavailableError("A transaction could not be undone.")
            self._state.fail(stuck, cause=second)
        self.audit.rolled_back()
        _fail(futures, failure)
        self._loop.call_soon(self._next)

    def _note_log_size(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK


def _fail(futures: Iterable[asyncio.Future[None]], error: BaseException) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
