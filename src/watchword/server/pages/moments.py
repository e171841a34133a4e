"""Instants as people read them: in UTC, in the words of their language. A script may show the local time instead."""

import time
from typing import Final

from watchword.core.clock import Instant, iso
from watchword.server.pages.catalogue import Texts

_SECOND: Final = 1000
_IN_MINUTE: Final = 60
_IN_HOUR: Final = 3600
_MANY: Final = 90
"""Seconds and minutes that are still said as such; `waitFor` in `web/src/pages/problem.ts` does the same."""


def moment_of(texts: Texts, instant: Instant) -> str:
    """Day and minute."""
    return _said(texts, "time.moment", instant)


def date_of(texts: Texts, instant: Instant) -> str:
    return _said(texts, "time.date", instant)


def clock_of(instant: Instant) -> str:
    """RFC 3339, for `datetime`."""
    return iso(instant)


def said_wait(seconds: int) -> tuple[str, int]:
    """The key of the sentence for a wait, and its number: rounded up, so that nobody comes too early."""
    if seconds <= _MANY:
        return "script.wait_seconds", seconds
    if seconds <= _MANY * _IN_MINUTE:
        return "script.wait_minutes", -(-seconds // _IN_MINUTE)
    return "script.wait_hours", -(-seconds // _IN_HOUR)


def _said(texts: Texts, key: str, instant: Instant) -> str:
    try:
        moment = time.gmtime(instant // _SECOND)
    except (OverflowError, OSError, ValueError):
        return iso(instant)
    return texts.plain(
        key,
        day=moment.tm_mday,
        month=texts.plain(f"month.m{moment.tm_mon}"),
        year=moment.tm_year,
        clock=f"{moment.tm_hour:02d}:{moment.tm_min:02d}",
    )
