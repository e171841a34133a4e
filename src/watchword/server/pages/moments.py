"""Instants as people read them: in UTC, in the words of their language. A script may show the local time instead."""

import time
from typing import Final

from watchword.core.clock import Instant, iso
from watchword.server.pages.catalogue import Texts

_SECOND: Final = 1000


def moment_of(texts: Texts, instant: Instant) -> str:
    """Day and minute."""
    return _said(texts, "time.moment", instant)


def date_of(texts: Texts, instant: Instant) -> str:
    return _said(texts, "time.date", instant)


def clock_of(instant: Instant) -> str:
    """RFC 3339, for `datetime`."""
    return iso(instant)


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
