"""Counts to a number within a window, for each source by itself."""

from collections import OrderedDict
from typing import Final

from watchword.core.clock import Instant

MAX_SOURCES: Final = 16_384
"""More: the one that was heard of longest ago begins again."""


class EveryNth:
    """Says of each `number`-th call for a source that it is due, if all came within `window_ms` of the first."""

    def __init__(self, number: int, window_ms: int, *, max_sources: int = MAX_SOURCES) -> None:
        self._number = number
        self._window_ms = window_ms
        self._max_sources = max_sources
        self._counts: OrderedDict[str, tuple[int, Instant]] = OrderedDict()
        """For each source how many there were, and when the first came."""

    def __len__(self) -> int:
        return len(self._counts)

    def is_due(self, source: str, now: Instant) -> bool:
        count, began_at = self._counts.pop(source, (0, now))
        if now - began_at >= self._window_ms:
            count, began_at = 0, now
        if count + 1 >= self._number:
            return True
        self._counts[source] = count + 1, began_at
        if len(self._counts) > self._max_sources:
            self._counts.popitem(last=False)
        return False
