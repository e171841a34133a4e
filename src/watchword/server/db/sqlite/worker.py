"""A thread for what may block: it does one thing after another and answers on the event loop."""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from watchword.errors import UnavailableError

Result = TypeVar("Result")
_Job = Callable[[], None]


class Worker:
    """One thread with a queue. Results arrive by `call_soon_threadsafe`: one wake-up for each job."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._loop = loop
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the system's limit of threads or of memory
            raise UnavailableError("No thread can be started.") from None

    def submit(self, work: Callable[[], Result], done: Callable[[Result | BaseException], None]) -> None:
        """Run `work` on the thread, then `done` with its result or its error on the loop."""

        def job() -> None:
            try:
                outcome: Result | BaseException = work()
            except BaseException as error:  # noqa: BLE001  # handed to `done`, which decides
                outcome = error
            try:
                self._loop.call_soon_threadsafe(done, outcome)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

        self._jobs.put(job)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run `work` on the thread and wait for it."""
        future: asyncio.Future[Result] = self._loop.create_future()

        def done(outcome: Result | BaseException) -> None:
            if future.done():
                return
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        self.submit(work, done)
        return await future

    def stop(self) -> None:
        """Let the thread end after what is queued; does not wait."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
