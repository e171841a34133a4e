"""Rows become typed values here, column by column, in the order of the select."""

from collections.abc import Callable

from watchword.core.clock import Instant
from watchword.errors import DamagedError
from watchword.server.db.unit import Row, Value


class Columns:
    """A cursor over one row's columns. Raises `DamagedError` where the stored type is not the expected one."""

    __slots__ = ("_next",)

    def __init__(self, row: Row) -> None:
        self._next: Callable[[], Value] = iter(row).__next__

    def blob(self) -> bytes:
        value = self._next()
        if type(value) is not bytes:
            raise _other_type()
        return value

    def text(self) -> str:
        value = self._next()
        if type(value) is not str:
            raise _other_type()
        return value

    def integer(self) -> int:
        value = self._next()
        if type(value) is not int:
            raise _other_type()
        return value

    def instant(self) -> Instant:
        value = self._next()
        if type(value) is not int:
            raise _other_type()
        return Instant(value)

    def blob_or_none(self) -> bytes | None:
        value = self._next()
        if value is not None and type(value) is not bytes:
            raise _other_type()
        return value

    def text_or_none(self) -> str | None:
        value = self._next()
        if value is not None and type(value) is not str:
            raise _other_type()
        return value

    def instant_or_none(self) -> Instant | None:
        value = self._next()
        if value is None:
            return None
        if type(value) is not int:
            raise _other_type()
        return Instant(value)


def _other_type() -> DamagedError:
    return DamagedError("a stored value has another type than its column")
