"""Counts to a number, for each source by itself."""

from collections import OrderedDict
from typing import Final

MAX_SOURCES: Final = 16_384
"""More: the one that was heard of longest ago begins again."""


class EachOf:
    """Says of each `number`-th call for a source that it is due."""

    def __init__(self, number: int, *, max_sources: int = MAX_SOURCES) -> None:
        self._number = number
        self._max_sources = max_sources
        self._counts: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    def is_due(self, source: str) -> bool:
        count = self._counts.pop(source, 0) + 1
        if count >= self._number:
            return True
        self._counts[source] = count
        if len(self._counts) > self._max_sources:
            self._counts.popitem(last=False)
        return False
