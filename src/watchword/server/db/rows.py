"""Rows become typed values here, column by column, in the order of the select."""

from watchword.core.clock import Instant
from watchword.errors import DamagedError
from watchword.server.db.unit import Row, Value


class Columns:
    """A cursor over one row's columns. Raises `DamagedError` where the stored type is not the expected one."""

    __slots__ = ("_position", "_row")

    def __init__(self, row: Row) -> None:
        self._row = row
        self._position = 0

    def _next(self) -> Value:
        value = self._row[self._position]
        self._position += 1
        return value

    def blob(self) -> bytes:
        value = self._next()
        if not isinstance(value, bytes):
            raise DamagedError("a stored value has another type than its column")
        return value

    def text(self) -> str:
        value = self._next()
        if not isinstance(value, str):
            raise DamagedError("a stored value has another type than its column")
        return value

    def integer(self) -> int:
        value = self._next()
        if not isinstance(value, int):
            raise DamagedError("a stored value has another type than its column")
        return value

    def text_or_none(self) -> str | None:
        value = self._next()
        if value is not None and not isinstance(value, str):
            raise DamagedError("a stored value has another type than its column")
        return value

    def blob_or_none(self) -> bytes | None:
        value = self._next()
        if value is not None and not isinstance(value, bytes):
            raise DamagedError("a stored value has another type than its column")
        return value

    def instant(self) -> Instant:
        return Instant(self.integer())

    def instant_or_none(self) -> Instant | None:
        value = self._next()
        if value is None:
            return None
        if not isinstance(value, int):
            raise DamagedError("a stored value has another type than its column")
        return Instant(value)
