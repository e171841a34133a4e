"""The bounded queue in front of expensive work, and the pool for slow hashes.

What does not fit is refused at once, before its body is parsed. What is admitted takes turns (`pace.py`), so that cheap
requests are answered in between.
"""

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from watchword.errors import OverloadedError
from watchword.server.http.pace import Pace
from watchword.server.memory import has_room

DEFAULT_SLOTS: Final = 64
"""Enough of them in flight that one commit to disk serves many."""
DEFAULT_QUEUE: Final = 256
"""At 2,000 logins/s the last of them waits for 0.13 s: shorter than anybody's patience, so no work is done in vain."""
_QUEUE_PER_CORE: Final = 8
Result = TypeVar("Result")


class Admission:
    """At most `slots` hold a place at once and at most `queue` wait for one, first come first served.

    Use `run`, or `async with admission:`; both raise `OverloadedError` when the queue is full. One loop only.
    """

    def __init__(
        self,
        *,
        slots: int = DEFAULT_SLOTS,
        queue: int = DEFAULT_QUEUE,
        retry_after: int = 1,
        pace: Pace | None = None,
    ) -> None:
        self.slots = slots
        self._free = slots
        self._queue = queue
        self._retry_after = retry_after
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._pace = pace or Pace()
        self.shed = 0
        """How many were refused since the start."""

    @property
    def busy(self) -> int:
        """How many hold a place."""
        return self.slots - self._free

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def check(self) -> None:
        """Raise `OverloadedError` if one more would not fit, here or in memory; nothing is reserved."""
        if (not self._free and len(self._waiting) >= self._queue) or not has_room():
            self.shed += 1
            raise OverloadedError(self._retry_after)

    async def __aenter__(self) -> Self:
        self.check()
        if self._free:
            self._free -= 1
        else:
            await self._wait_in(self._waiting)
        if self._pace.crowded:
            try:
                await self._pace.turn()
            except BaseException:
                self._release()
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """`work` with a place held, and each of its steps between two waits in a turn of its own.

        A commit that many wait for wakes them all in one moment; paced, they still let others through.
        """
        try:
            async with self:
                return await self._pace.run(work)
        finally:
            work.close()  # if it never began: no warning about that

    async def _wait_in(self, line: deque[asyncio.Future[None]]) -> None:
        future = asyncio.get_running_loop().create_future()
        line.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._release()  # the place was handed over in the moment of the cancellation
            else:
                with contextlib.suppress(ValueError):  # `_release` may have thrown it out already
                    line.remove(future)
            raise

    def _release(self) -> None:
        """Hand the place to whoever waits longest."""
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                return
        self._free += 1


class HashPool:
    """Threads for slow hashes (tens of milliseconds each, outside the interpreter's lock): all cores but one."""

    def __init__(self, *, cores: int | None = None) -> None:
        count = cores or os.cpu_count() or 1
        self._limit = _QUEUE_PER_CORE * count
        self._pending = 0
        self._threads = ThreadPoolExecutor(max(1, count - 1), thread_name_prefix="hash")
        self.shed = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """`work()` in a thread. Raises `OverloadedError` when 8 per core are pending, or no thread is to be had."""
        if self._pending >= self._limit:
            self.shed += 1
            raise OverloadedError
        try:
            future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        except RuntimeError:  # the system gives us no thread; nothing is promised
            self.shed += 1
            raise OverloadedError from None
        self._pending += 1
        future.add_done_callback(self._finished)
        # Shielded: a caller that goes away does not free a thread that is still hashing.
        return await asyncio.shield(future)

    @property
    def pending(self) -> int:
        """How many run or wait."""
        return self._pending

    def _finished(self, _future: "asyncio.Future[Result]") -> None:
        self._pending -= 1

    def close(self) -> None:
        """Let what runs finish; nothing new begins."""
        self._threads.shutdown(wait=True, cancel_futures=True)
