"""Requests that reached the application."""

from collections.abc import Iterable
from typing import Final

from watchword.server.measures.histogram import REQUEST_S, Histogram

STATUS_CLASSES: Final = ("gone", "1xx", "2xx", "3xx", "4xx", "5xx")
"""By the hundreds of the status; 0 is a caller that left before its request was whole."""
OTHER: Final = "other"
"""Stands for a path where nothing lies, and for a method that a path does not have."""


MISPLACED: Final = ("query", "authorization")
"""Where a request for a page may bring what pages do not read."""


class Row:
    """One method on one route."""

    __slots__ = ("seconds", "statuses")

    def __init__(self) -> None:
        self.statuses: Final = [0] * len(STATUS_CLASSES)
        self.seconds: Final = Histogram(REQUEST_S)


class RequestMeasures:
    """Rows appear when they are first used; there are never more than declared routes and methods, and `OTHER`."""

    def __init__(self) -> None:
        self.rows: Final[dict[tuple[str, str], Row]] = {}
        self.errors: Final[dict[str, int]] = {}
        """Answers with an error, by its code: an `ErrorCode`."""
        self.misplaced: Final = dict.fromkeys(MISPLACED, 0)
        """Requests for pages with parameters that nobody asked for, or with `Authorization`."""
        self.begun = 0
        self.done = 0

    def observe(self, template: str, method: str, status: int, seconds: float) -> None:
        """Count a request. `template` and `method` are a route's own words, or `OTHER`."""
        row = self.rows.get((template, method))
        if row is None:
            row = self.rows[template, method] = Row()
        row.statuses[status // 100] += 1
        row.seconds.observe(seconds)
        self.done += 1

    def misplace(self, places: Iterable[str]) -> None:
        """Count each of `places`, which are of `MISPLACED`."""
        for place in places:
            self.misplaced[place] += 1

    def error(self, code: str) -> None:
        self.errors[code] = self.errors.get(code, 0) + 1
