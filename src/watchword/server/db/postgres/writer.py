"""The one writer of a node: takes what is queued, and commits it as one group.

One at a time, since the node's audit chain has one transaction at a time; more is won by larger groups than by more
connections. A group that loses its connection before the commit was sent is run again; one that loses it during the
commit is asked for by its random id, and fenced off so that it cannot commit later.

    take (different keys) ──▶ batch ──▶ commit ──▶ answers
                               │ guard failed: again without those units, then those alone
                               │ another failure: the halves, down to the unit whose fault it was
                               │ connection lost: again on a new one │ during commit: ask, then answer or again
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from watchword.core.clock import HOUR, Clock
from watchword.core.entropy import Entropy
from watchword.errors import OverloadedError, UnavailableError, WatchwordError
from watchword.server.db.postgres.batch import UnitsFailedError, run_alone, run_steps, run_units
from watchword.server.db.postgres.bulk import BulkInserts
from watchword.server.db.postgres.connection import Source
from watchword.server.db.postgres.faults import Fault, classify, public_error
from watchword.server.db.postgres.fence import GROUP_ID_SIZE, UnknownOutcomeError, begin_text, find_out
from watchword.server.db.unit import AuditSink, GuardError, Step, Unit
from watchword.server.measures import DatabaseMeasures

MAX_GROUP: Final = 256
MAX_QUEUE: Final = 4096
_PATIENCE: Final = 3.0
"""Seconds for which a unit waits for a connection before it is refused."""
_RECONNECT_DELAY: Final = 0.1
_ATTEMPTS: Final = 6
_PRUNE_EVERY: Final = 1000
_PRUNE: Final = "delete from commits where number < $1"

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Waiting:
    unit: Unit
    future: asyncio.Future[None]
    since: float


class GroupWriter:
    def __init__(self, source: Source, *, clock: Clock, entropy: Entropy, audit: AuditSink) -> None:
        self._source = source
        self._clock = clock
        self._entropy = entropy
        self.audit = audit
        self.measures = DatabaseMeasures()
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Waiting] = deque()
        self._wake = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._bulk: BulkInserts
        self._groups = 0
        self._closing = False
        self._task = self._loop.create_task(self._run(), name="watchword-writer")

    def submit(self, unit: Unit) -> asyncio.Future[None]:
        """Queue `unit`. The future ends when the unit is on disk, or was undone."""
        if len(self._queue) >= MAX_QUEUE:
            raise OverloadedError
        future: asyncio.Future[None] = self._loop.create_future()
        self._queue.append(Waiting(unit, future, self._loop.time()))
        self._wake.set()
        return future

    async def drain(self) -> None:
        """Finish what is queued, then end."""
        self._closing = True
        self._wake.set()
        await self._task
        if self._connection is not None:
            await _close(self._connection)

    async def _run(self) -> None:
        while True:
            if not self._queue:
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            group = self._take()
            try:
                await self._run_group(group)
            except Exception as error:  # noqa: BLE001  # whatever it is, nobody must wait for ever
                _log.exception("a group failed in an unforeseen way")
                _fail(group, public_error(error))
                self._drop()

    def _take(self) -> list[Waiting]:
        """The next units, at most one of each key, in the order of their keys; the rest keep their order."""
        taken: dict[bytes, Waiting] = {}
        left: deque[Waiting] = deque()
        while self._queue and len(taken) < MAX_GROUP:
            waiting = self._queue.popleft()
            if waiting.future.done():
                continue  # given up before it began
            if waiting.unit.key in taken:
                left.append(waiting)
            else:
                taken[waiting.unit.key] = waiting
        left.extend(self._queue)
        self._queue = left
        return [taken[key] for key in sorted(taken)]

    async def _run_group(self, group: list[Waiting]) -> None:
        alone: list[Waiting] = []
        while group:
            try:
                await self._commit(group, batch=True)
            except UnitsFailedError as failed:
                alone += [group[place] for place in sorted(failed.places)]
                group = [waiting for place, waiting in enumerate(group) if place not in failed.places]
                continue
            except _BatchFailedError as failed:
                alone += await self._split(group, failed.fault)
            break
        for waiting in alone:
            await self._commit([waiting], batch=False)

    async def _split(self, group: list[Waiting], fault: Fault) -> list[Waiting]:
        """Run the halves of a group that failed for an unknown unit's sake; return whom to run alone.

        Halving finds one bad unit among 256 in 16 small transactions. A lock that makes us wait is not looked for so:
        each half that holds it would wait again.
        """
        if len(group) == 1 or fault is Fault.SLOW:
            return group
        half = len(group) // 2
        await self._run_group(group[:half])
        await self._run_group(group[half:])
        return []

    async def _commit(self, group: list[Waiting], *, batch: bool) -> None:
        """Bring `group` to its end, with as many attempts as its patience allows; resolves its futures.

        Raises, with `batch`: UnitsFailedError, _BatchFailedError.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                connection = await self._connect(group)
                await self._attempt(connection, group, batch=batch)
            except UnitsFailedError:
                raise
            except Exception as error:  # judged here
                fault = classify(error)
                if fault is Fault.CONNECTION:
                    self._drop()
                if fault in (Fault.CONNECTION, Fault.CONTENTION) and attempt < _ATTEMPTS and _patient(group):
                    await asyncio.sleep(0.005 * attempt)
                    continue
                if batch and fault in (Fault.STATEMENT, Fault.SLOW, Fault.CONTENTION):
                    raise _BatchFailedError(fault) from error
                _fail(group, error if isinstance(error, GuardError) else public_error(error))
            else:
                _succeed(group)
            return

    async def _attempt(self, connection: asyncpg.Connection, group: list[Waiting], *, batch: bool) -> None:
        """Run `group` once and commit it. On return it is on disk; on any error it is not, and never will be."""
        group_id = self._entropy.bytes(GROUP_ID_SIZE)
        units = [waiting.unit for waiting in group]
        self.audit.begin()
        try:
            await connection.execute(begin_text(group_id, self._clock.now()))
            await self._run_statements(connection, units, batch=batch)
        except BaseException as error:
            self.audit.rolled_back()
            await self._roll_back(connection, error)
            raise
        await self._finish(connection, group, group_id)

    async def _run_statements(
        self, connection: asyncpg.Connection, units: Sequence[Unit], *, batch: bool
    ) -> None:
        if batch:
            await run_units(connection, self._bulk, units)
        else:
            for unit in units:
                await run_alone(connection, unit.steps)
        entries: list[Step] = []
        for unit in units:
            if unit.events:
                entries += self.audit.entries(unit.events)
        await run_steps(connection, self._bulk, entries)

    async def _roll_back(self, connection: asyncpg.Connection, error: BaseException) -> None:
        if connection.is_closed() or classify(error) is Fault.CONNECTION:
            self._drop()
            return
        try:
            await connection.execute("rollback")
        except Exception:  # noqa: BLE001  # the server rolls back what lost its connection
            self._drop()

    async def _finish(self, connection: asyncpg.Connection, group: list[Waiting], group_id: bytes) -> None:
        """Commit; when the answer is lost, find out."""
        began = self._loop.time()
        try:
            await connection.execute("commit")
        except Exception:
            self._drop()
            if not await self._find_out(group, group_id):
                self.audit.rolled_back()
                raise
        self.audit.committed()
        self.measures.group(len(group), self._loop.time() - began)
        await self._prune()

    async def _find_out(self, group: list[Waiting], group_id: bytes) -> bool:
        """Whether the group was committed. Those who wait are told in time that it is not known yet."""
        told = False
        while True:
            try:
                return await find_out(self._source, group_id, self._clock.now())
            except UnknownOutcomeError as error:
                if not told and not _patient(group):
                    told = True
                    _fail(
                        group,
                        UnavailableError(
                            "The connection was lost during the commit; its outcome is unknown."
                        ),
                    )
                    _log.error("outcome of a commit unknown: %s", error)
                if self._closing and told:
                    raise UnavailableError("The outcome of the last commit is unknown.") from error
            await asyncio.sleep(_RECONNECT_DELAY)

    async def _connect(self, group: Sequence[Waiting]) -> asyncpg.Connection:
        """The writer's connection, made anew when it is gone, within the patience of `group`."""
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        while True:
            try:
                self._connection = await self._source.connect()
            except WatchwordError:
                raise
            except Exception as error:
                if classify(error) is not Fault.CONNECTION or not _patient(group):
                    raise UnavailableError("The database cannot be reached.") from error
                await asyncio.sleep(_RECONNECT_DELAY)
            else:
                self._bulk = BulkInserts(self._connection)
                return self._connection

    async def _prune(self) -> None:
        """Forget the ids of groups that nobody asks for any more."""
        self._groups += 1
        if self._groups % _PRUNE_EVERY == 1 and self._connection is not None:
            try:
                await self._connection.execute(_PRUNE, self._clock.now() - HOUR)
            except Exception as error:  # noqa: BLE001  # the group is committed; the next prune does it
                _log.warning("old commits were not pruned: %s", error)
                self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


class _BatchFailedError(Exception):
    """The batch failed, and which unit's fault it was is not known."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


def _patient(group: Sequence[Waiting]) -> bool:
    """Whether somebody in the group may still wait."""
    now = asyncio.get_running_loop().time()
    return any(now - waiting.since < _PATIENCE for waiting in group)


async def _close(connection: asyncpg.Connection) -> None:
    try:
        await connection.close(timeout=1)
    except Exception:  # noqa: BLE001  # it ends either way
        connection.terminate()


def _succeed(group: Sequence[Waiting]) -> None:
    for waiting in group:
        if not waiting.future.done():
            waiting.future.set_result(None)


def _fail(group: Sequence[Waiting], error: BaseException) -> None:
    for waiting in group:
        if not waiting.future.done():
            waiting.future.set_exception(error)
