"""How much costly work the loop does in one go before it looks at everybody else.

A login costs some tenths of a millisecond of the loop's own time. Sixty-four that arrive together, or that one commit
wakes together, would hold every other request up for 25 ms. So costly work takes turns: what exceeds the budget of one
iteration of the loop waits for a later one, first come first served, and between two iterations the loop reads its
sockets and runs what is cheap. Work that comes alone never waits.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final, Generic, TypeVar

BUDGET_S: Final = 0.001
"""Of one iteration. A turn of its own for each step kept others' waiting no shorter and cost 0.15 ms a request."""
_SMOOTHING: Final = 0.1
Result = TypeVar("Result")


class Pace:
    """Turns on one event loop. With a budget of 0, one step an iteration."""

    def __init__(self, *, budget_s: float = BUDGET_S, timer: Callable[[], float] = time.perf_counter) -> None:
        self._budget = budget_s
        self.timer: Final = timer
        self._spent = 0.0
        self._typical = budget_s or 1.0
        self._line: deque[asyncio.Future[None]] = deque()
        self._armed = False

    @property
    def crowded(self) -> bool:
        """Whether the next step must wait for its turn."""
        return bool(self._line) or self._spent >= self._budget

    async def turn(self) -> None:
        """Return at once while there is budget and nobody waits; else in a later iteration of the loop."""
        if self.crowded:
            await self._wait()

    def run(self, work: Coroutine[Any, Any, Result]) -> "_Paced[Result]":
        """Await `work`, with a turn before each of its steps but the first."""
        return _Paced(work, self)

    async def _wait(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._line.append(future)
        self._arm()
        await future

    def charge(self, taken: float) -> None:
        """Count `taken` seconds of work. The loop is only asked for a fresh start once the budget is spent."""
        self._spent += taken
        self._typical += _SMOOTHING * (taken - self._typical)
        if self._spent >= self._budget:
            self._arm()

    def _arm(self) -> None:
        if not self._armed:
            self._armed = True
            asyncio.get_running_loop().call_soon(self._next_iteration)

    def _next_iteration(self) -> None:
        """The budget is whole again: wake as many as will probably fit into it."""
        self._armed = False
        self._spent = 0.0
        room = max(1, int(self._budget / self._typical)) if self._typical > 0 else 1
        while self._line and room:
            future = self._line.popleft()
            if not future.done():  # else its task was cancelled
                future.set_result(None)
                room -= 1
        if self._line:
            self._arm()


class _Paced(Generic[Result]):
    """Awaits a coroutine step by step."""

    __slots__ = ("_pace", "_work")

    def __init__(self, work: Coroutine[Any, Any, Result], pace: Pace) -> None:
        self._work, self._pace = work, pace

    def __await__(self) -> Generator[Any, None, Result]:
        pace, work, timer = self._pace, self._work, self._pace.timer
        error: BaseException | None = None
        while True:
            began = timer()
            try:
                waited = work.send(None) if error is None else work.throw(error)
            except StopIteration as finished:
                result: Result = finished.value
                return result
            finally:
                pace.charge(timer() - began)
            error = None
            try:
                yield waited  # to the loop, which wakes us when it is done
                if pace.crowded:
                    yield from pace.turn().__await__()
            except BaseException as thrown:  # noqa: BLE001  # a cancellation belongs to the work
                error = thrown
