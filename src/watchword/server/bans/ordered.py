"""Keys in their order, in short runs: adding, removing and finding a place moves a thousand of them at most."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Final

RUN: Final = 1000


class Ordered:
    """Different keys, smallest first."""

    def __init__(self, run: int = RUN) -> None:
        self._run: Final = run
        self._runs: list[list[bytes]] = []
        self._lasts: list[bytes] = []
        """The last key of each run."""

    def add(self, key: bytes) -> None:
        """`key` is not yet there."""
        if not self._runs:
            self._runs.append([])
            self._lasts.append(key)
        at = min(bisect_left(self._lasts, key), len(self._runs) - 1)
        run = self._runs[at]
        insort(run, key)
        if len(run) > self._run:
            half = (
                len(run) if run[-1] == key else self._run // 2
            )  # ids mostly come in their order: full runs then
            half = min(half, self._run)
            self._runs[at : at + 1] = [run[:half], run[half:]]
            self._lasts.insert(at, run[half - 1])
            at += 1
        self._lasts[at] = self._runs[at][-1]

    def remove(self, key: bytes) -> None:
        """`key` is there."""
        at = bisect_left(self._lasts, key)
        run = self._runs[at]
        del run[bisect_left(run, key)]
        if run:
            self._lasts[at] = run[-1]
        else:
            del self._runs[at], self._lasts[at]

    def after(self, key: bytes) -> Iterator[bytes]:
        """The keys behind `key`, in their order; nothing may change meanwhile."""
        for at in range(bisect_right(self._lasts, key), len(self._runs)):
            run = self._runs[at]
            for found in range(bisect_right(run, key), len(run)):
                yield run[found]
