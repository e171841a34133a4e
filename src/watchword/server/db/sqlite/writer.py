"""The one writer: takes what is queued, runs it in one transaction, and commits it with one sync.

The statements run on the event loop, a few microseconds each: a thread would hand the interpreter's lock to and fro
with the loop at every statement. Only the commit, which waits for the disk, runs on a thread.

    idle ──submit──▶ (end of the tick) begin ──▶ units ──▶ commit on the thread ──▶ answers ──▶ next group or idle
                          │ locked by another process: again in a moment, for `_LOCKED_FOR` at most
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import apsw

from watchword.errors import OverloadedError, UnavailableError
from watchword.server.db.dialect import for_sqlite
from watchword.server.db.sqlite.checkpoint import Checkpointer
from watchword.server.db.sqlite.faults import Fault, classify
from watchword.server.db.sqlite.mark import Mark
from watchword.server.db.sqlite.state import ServingState
from watchword.server.db.sqlite.worker import Worker
from watchword.server.db.unit import AuditSink, GuardError, Step, Unit
from watchword.server.measures import DatabaseMeasures

MAX_GROUP: Final = 256
"""Units in one transaction: about four milliseconds of the loop at a time."""
MAX_QUEUE: Final = 4096
"""Units waiting; one more is refused with 503. At 20,000 a second the last waits 0.2 s."""
_LOCKED_FOR: Final = 4.5  # seconds; the answer is to be there within five
_LOCKED_RETRY: Final = 0.02

Waiting = tuple[Unit, asyncio.Future[None]]


@dataclass(slots=True)
class _Group:
    """A transaction that was run and is to be committed."""

    kept: list[asyncio.Future[None]] = field(default_factory=list)
    failed: list[tuple[asyncio.Future[None], BaseException]] = field(default_factory=list)
    number: int = 0
    commit_s: float = 0.0

    def tell_failed(self) -> None:
        for future, error in self.failed:
            _fail((future,), error)

    def everybody(self) -> list[asyncio.Future[None]]:
        return self.kept + [future for future, _ in self.failed]


class _DirtyError(Exception):
    """A unit failed after it had written something, and there is no savepoint to go back to."""


class _UnitFailedError(Exception):
    """A unit failed and left nothing behind."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


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
        self._changes = connection.changes
        self._place = 0
        self._state = state
        self._mark = mark
        self._checkpointer = checkpointer
        self._loop = loop
        self.audit = audit
        self.measures = DatabaseMeasures()
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
        except Exception as error:  # noqa: BLE001  # every failure to begin fails who waits
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
        taken = self._take()
        try:
            try:
                group = self._run_units(taken, careful=False)
            except _DirtyError:
                # A unit failed after it had written: all once more, so that it can be undone alone.
                self._execute("rollback")
                self.audit.rolled_back()
                self._execute("begin immediate")
                group = self._run_units(taken, careful=True)
            if group.kept:
                group.number = self._mark.advance(self._execute)
        except Exception as error:  # noqa: BLE001  # what reaches beyond one unit fails the group
            self._abandon([future for _, future in taken], error)
            return
        if group.kept:
            self._committer.submit(lambda: self._commit(group), lambda outcome: self._finish(group, outcome))
        else:
            self._execute("rollback")
            self.audit.rolled_back()
            group.tell_failed()
            self._loop.call_soon(self._next)

    def _take(self) -> list[Waiting]:
        """The next units; those given up before they began are left out."""
        taken: list[Waiting] = []
        queue = self._queue
        while queue and len(taken) < MAX_GROUP:
            waiting = queue.popleft()
            if not waiting[1].done():
                taken.append(waiting)
        return taken

    def _run_units(self, taken: Sequence[Waiting], *, careful: bool) -> "_Group":
        """Run all; those that fail are told with the others, since what they ran into is not yet durable.

        Savepoints cost as much as a statement and are seldom used: only a `careful` run makes them.

        Raises:
            _DirtyError: not `careful`, and a unit failed after its first write.
            Exception: what concerns the whole group.
        """
        group = _Group()
        self.audit.begin()
        run = self._run_saved if careful else self._run_plain
        for unit, future in taken:
            try:
                run(unit)
            except _UnitFailedError as failure:
                group.failed.append((future, failure.error))
            else:
                group.kept.append(future)
        return group

    def _run_plain(self, unit: Unit) -> None:
        chained = False
        try:
            self._run_steps(unit.steps)
            if unit.events:
                self._place = len(unit.steps)
                steps = self.audit.entries(unit.events)
                chained = True
                self._run_steps(steps)
        except Exception as error:
            if not self._concerns_all(error) and (chained or self._has_written(unit.steps, error)):
                raise _DirtyError from error
            raise self._judge_unit(error) from error

    def _has_written(self, steps: Sequence[Step], error: Exception) -> bool:
        """Whether a unit of `steps` left something behind when `error` was raised at `_place`."""
        if any(not for_sqlite(step.sql).is_select for step in steps[: self._place]):
            return True
        if self._place == len(steps) or for_sqlite(steps[self._place].sql).is_select:
            return False
        # A statement that raises undoes itself; one that changed other rows than its guard demands does not.
        miscounted = isinstance(error, GuardError) and error.__cause__ is None
        return miscounted and self._changes() > 0

    def _run_saved(self, unit: Unit) -> None:
        self._execute("savepoint unit")
        chained = False
        try:
            self._run_steps(unit.steps)
            if unit.events:
                steps = self.audit.entries(unit.events)
                chained = True
                self._run_steps(steps)
        except Exception as error:
            failure = self._judge_unit(error)
            self._execute("rollback to unit")
            self._execute("release unit")
            if chained:
                self.audit.undo()
            raise failure from error
        self._execute("release unit")

    def _judge_unit(self, error: Exception) -> "_UnitFailedError":
        """What to tell the unit that raised `error`; raises `error` again when it concerns the whole group."""
        if self._concerns_all(error):
            raise error
        return _UnitFailedError(error if isinstance(error, GuardError) else self._state.judge(error))

    def _concerns_all(self, error: Exception) -> bool:
        return classify(error) is not Fault.STATEMENT or not self._connection.in_transaction

    def _run_steps(self, steps: Sequence[Step]) -> None:
        """Run one step after another; `_place` is where it got to. All in one function: it is the hottest there is."""
        execute = self._execute
        for place, (sql, parameters, guard, rows) in enumerate(steps):
            self._place = place
            statement = for_sqlite(sql)
            try:
                cursor = execute(statement.text, statement.bind(parameters))
            except apsw.ConstraintError as error:
                if guard is None:
                    raise
                raise GuardError(guard) from error  # another unit was first: what the guard is there to tell
            if statement.gives_rows:
                count = len(cursor.fetchall())  # a statement with `returning` is whole only then
            elif guard is not None:
                count = self._changes()
            if guard is not None and count != rows:
                raise GuardError(guard)

    def _commit(self, group: _Group) -> None:
        """On the thread. What happens after the commit cannot undo it, so it must not raise."""
        began = time.perf_counter()
        self._connection.execute("commit")
        group.commit_s = time.perf_counter() - began
        self._mark.write(group.number)

    def _finish(self, group: _Group, outcome: BaseException | None) -> None:
        if isinstance(outcome, BaseException):
            self._abandon(group.everybody(), outcome)
            return
        self.audit.committed()
        self.measures.group(len(group.kept), group.commit_s)
        for future in group.kept:
            if not future.done():
                future.set_result(None)
        group.tell_failed()
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
