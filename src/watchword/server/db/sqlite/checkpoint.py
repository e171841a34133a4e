"""Writing the log back into the database, on a thread and a connection of its own, so that no commit waits for it."""

import asyncio
from collections.abc import Callable
from typing import Final

import apsw

from watchword.errors import UnavailableError
from watchword.server.db.sqlite.faults import Fault, classify
from watchword.server.db.sqlite.lock import DataLock
from watchword.server.db.sqlite.state import ServingState
from watchword.server.db.sqlite.worker import Worker

START_PAGES: Final = 2000
"""8 MB of log: begin to write it back."""
LIMIT_PAGES: Final = 16000
"""64 MB: writers wait for one checkpoint, so that the log starts again from its beginning."""


class Checkpointer:
    def __init__(
        self,
        connection: apsw.Connection,
        *,
        state: ServingState,
        lock: DataLock,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._connection = connection
        self._state = state
        self._lock = lock
        self._worker = Worker("watchword-checkpoint", loop)
        self._running = False
        self._waiting: list[Callable[[], None]] = []
        self._started_at = 0
        self._paused_at = 0

    def consider(self, log_pages: int) -> None:
        """Start a checkpoint when the log has grown enough since the last; `log_pages` is its length now."""
        if log_pages < self._started_at:
            self._started_at = self._paused_at = 0  # the log began again
        if not self._running and log_pages - self._started_at >= START_PAGES:
            self._started_at = log_pages
            self._start()

    def must_run_first(self, log_pages: int) -> bool:
        """Whether the log is so long that writing must pause: a reader may hold it, so not at every group."""
        return log_pages >= LIMIT_PAGES and log_pages - self._paused_at >= START_PAGES

    def run_before(self, then: Callable[[], None], log_pages: int) -> None:
        """Run a whole checkpoint while nothing is written, then `then`."""
        self._paused_at = log_pages
        self._waiting.append(then)
        if not self._running:
            self._start()

    async def drain(self) -> None:
        """Wait for a checkpoint under way, then let the thread end."""
        await self._worker.run(lambda: None)
        self._worker.stop()

    def _start(self) -> None:
        self._running = True
        waiting, self._waiting = self._waiting, []
        self._worker.submit(self._checkpoint, lambda outcome: self._finished(outcome, waiting))

    def _checkpoint(self) -> None:
        """On the thread. Passive: waits for nobody."""
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def _finished(self, outcome: BaseException | None, waiting: list[Callable[[], None]]) -> None:
        self._running = False
        if isinstance(outcome, BaseException) and classify(outcome) is not Fault.LOCKED:
            self._state.judge(outcome)
        if not self._lock.is_ours():
            lost = UnavailableError(
                "The lock file was removed or taken over: another process may be writing."
            )
            self._state.fail(lost, cause="lock file")
        for then in waiting:
            then()
        if self._waiting:  # came while this one was under way, which may have missed the end of the log
            self._start()
