"""When one process is not enough: how many fronts there should be, from how busy the server is.

    none ──(half a core for `BUSY_S`)──▶ all ──(next to nothing for `QUIET_S`, and no connection there)──▶ none

An idle server is one process, in a quarter of the memory that several would take.
"""

import os
from dataclasses import dataclass, field
from typing import Final

BUSY: Final = 0.5
"""Share of a core that the server's loop uses: beyond it others begin to wait for their turn."""
BUSY_S: Final = 2.0
QUIET: Final = 0.05
QUIET_S: Final = 300.0
MOST_BY_ITSELF: Final = 2
"""One front keeps up with a server that is busy with logins; two, with one whose callers all are new."""


def count_for(processes: int | None) -> int:
    """How many fronts `processes` in all leave; None decides by the cores that we may use."""
    if processes is not None:
        return processes - 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores - 1, MOST_BY_ITSELF)


@dataclass(slots=True, kw_only=True)
class Demand:
    """`count` fronts, always or while there is use for them."""

    count: int
    always: bool
    _wanted: bool = False
    _since: float | None = field(default=None)
    """Since when the load has asked for a change."""

    def look(self, share: float, *, connections: int, now: float) -> int:
        """How many there should be. `share` of a core was used since the last look; they have `connections` now."""
        if self.always:
            return self.count
        asks = share < QUIET and not connections if self._wanted else share >= BUSY
        if not asks:
            self._since = None
        elif self._since is None:
            self._since = now
        elif now - self._since >= (QUIET_S if self._wanted else BUSY_S):
            self._wanted, self._since = not self._wanted, None
        return self.count if self._wanted else 0
