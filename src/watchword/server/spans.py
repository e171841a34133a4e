"""Marks the parts of a request that a trace shows: `with part("commit"): …`.

Whoever traces a request says so in the request's own context; without that a mark costs a look-up and does nothing.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Final

OpenPart = Callable[[str], AbstractContextManager[None]]

OPEN_PART: Final[ContextVar[OpenPart | None]] = ContextVar("watchword_open_part", default=None)
_NOTHING: Final = nullcontext()


def part(name: str) -> AbstractContextManager[None]:
    """The part `name` of the request that is traced here. Names are our own words, never data."""
    opened = OPEN_PART.get()
    return _NOTHING if opened is None else opened(name)
