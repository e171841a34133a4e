"""The time that one call of a method may take."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from watchword.client.settings import Timeouts
from watchword.core.clock import Clock
from watchword.errors import UnreachableError


class Deadline:
    """Counts from its making, except for what passes in `paused`: stretching, or a person who is asked."""

    def __init__(self, timeouts: Timeouts, clock: Clock) -> None:
        self._timeouts, self._clock = timeouts, clock
        self._ends = clock.monotonic() + timeouts.total

    def left(self) -> float:
        """Seconds. Raises `UnreachableError` when there are none."""
        left = self._ends - self._clock.monotonic()
        if left <= 0:
            raise UnreachableError(f"no answer within {self._timeouts.total:g} seconds")
        return left

    def sleep_for(self, seconds: float) -> float:
        """`seconds`, if there is more time left than that. Raises `UnreachableError`."""
        if seconds >= self.left():
            raise UnreachableError(f"no answer within {self._timeouts.total:g} seconds")
        return seconds

    def for_httpx(self) -> httpx.Timeout:
        """The timeouts of one request now. Raises `UnreachableError`."""
        left, times = self.left(), self._timeouts
        return httpx.Timeout(min(times.read, left), connect=min(times.connect, left))

    @contextmanager
    def paused(self) -> Iterator[None]:
        began = self._clock.monotonic()
        try:
            yield
        finally:
            self._ends += self._clock.monotonic() - began
