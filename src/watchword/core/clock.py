"""Time. The only module that asks the system what time it is; everybody else is handed an instant."""

import time
from typing import Final, NewType, Protocol

Instant = NewType("Instant", int)
"""Milliseconds since 1970-01-01T00:00:00Z."""

MILLISECOND: Final = 1
SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


class Clock(Protocol):
    def now(self) -> Instant:
        """The wall clock."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> Instant:
        return Instant(time.time_ns() // 1_000_000)

    def monotonic(self) -> float:
        return time.monotonic()


class SteadyClock:
    """The wall clock as it was when this was made, advanced by the monotonic one: setting the clock changes nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.now() - round(clock.monotonic() * SECOND)

    def now(self) -> Instant:
        return Instant(self._offset + round(self._clock.monotonic() * SECOND))


def later(instant: Instant, milliseconds: int) -> Instant:
    return Instant(instant + milliseconds)


def iso(instant: Instant) -> str:
    """RFC 3339 in UTC with milliseconds, for people and logs; defined for every instant a database may hold."""
    seconds, milliseconds = divmod(instant, 1000)
    try:
        moment = time.gmtime(seconds)
    except (OverflowError, OSError, ValueError):
        return f"@{instant}"
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', moment)}.{milliseconds:03d}Z"
