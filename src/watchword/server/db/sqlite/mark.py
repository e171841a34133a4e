"""The number of the last acknowledged group, kept outside the database.

SQLite ends its recovery at the first frame of the log that is damaged, and says nothing: what was acknowledged after
it would be gone unseen. So each group moves a counter in the database, and after the commit the same number is
written here, unsynced (it survives a killed process; after a power cut it may be older, and then claims less). At the
next start the database must have come at least as far.
"""

import logging
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

import apsw

from watchword.errors import DamagedError, InvalidConfigError

_NUMBER: Final = struct.Struct(">QI")  # the number, CRC-32 of its eight bytes
_log = logging.getLogger(__name__)
_ROW: Final = "group"  # in `meta`
_SELECT: Final = "select value from meta where name = ?1"
_INSERT: Final = "insert into meta (name, value) values (?1, ?2)"
_UPDATE: Final = "update meta set value = ?2 where name = ?1"


def mark_path(database: Path) -> Path:
    return database.with_name(database.name + "-mark")


class Mark:
    """One small write for each group, over the one before it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.number = 0
        """The last group that began; one whose commit failed gives its number to nobody else."""
        self._behind = False

    @classmethod
    def open(cls, database: Path) -> Self:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return cls(os.open(mark_path(database), flags, 0o600))
        except OSError as error:
            raise InvalidConfigError(f"{mark_path(database)} cannot be opened: {error.strerror}.") from None

    def read(self) -> int:
        """The number, or 0 where there is none that is whole."""
        data = os.pread(self._descriptor, _NUMBER.size, 0)
        if len(data) != _NUMBER.size:
            return 0
        number, check = _NUMBER.unpack(data)
        return int(number) if zlib.crc32(data[:8]) == check else 0

    def advance(self, execute: Callable[[str, tuple[str, bytes]], object]) -> int:
        """Count one group more, inside its transaction, and return its number."""
        self.number += 1
        execute(_UPDATE, (_ROW, _encode(self.number)))
        return self.number

    def write(self, number: int) -> None:
        """Note that group `number` is on disk. Never raises: it is, whether or not this can be written.

        A mark that stays behind, or is torn (no number at all), claims less than is true, so the writing goes on: the
        next group's mark covers this one too. Until then a loss of these groups would not be noticed, which is said
        once, at the level that wakes somebody.
        """
        try:
            self._put(number)
        except Exception as error:  # noqa: BLE001  # nobody may be told that the group failed
            if not self._behind:
                self._behind = True
                _log.critical("group %d is committed, but its mark cannot be written: %s", number, error)
        else:
            if self._behind:
                self._behind = False
                _log.warning("the mark is written again, up to group %d", number)

    def _put(self, number: int) -> None:
        record = _NUMBER.pack(number, zlib.crc32(_encode(number)))
        if os.pwrite(self._descriptor, record, 0) != len(record):
            raise OSError("only a part was written")

    def check(self, reached: int) -> None:
        """Raise `DamagedError` when the database ends before the last acknowledged group."""
        expected = self.read()
        if reached < expected:
            raise DamagedError(
                f"The database has lost acknowledged changes (it is at group {reached}, {expected} was confirmed): "
                "its write-ahead log is damaged or missing, or an older copy was put in its place. "
                "Restore a backup; to accept what is there, remove the file that ends in “-mark”."
            )

    def close(self) -> None:
        os.close(self._descriptor)


def check_reached(connection: apsw.Connection, mark: Mark) -> None:
    """Raise `DamagedError` when the database behind `connection` ends before `mark`."""
    found = _number_in(connection) if connection.table_exists("main", "meta") else None
    mark.check(found or 0)


def start_counting(connection: apsw.Connection, mark: Mark) -> None:
    """Go on from the number in the database, which is made when it is new."""
    found = _number_in(connection)
    if found is None:
        connection.execute(_INSERT, (_ROW, _encode(0)))
    mark.number = found or 0


def start_counting_anew(connection: apsw.Connection) -> None:
    """A new database begins at 0, without a mark."""
    connection.execute(_INSERT, (_ROW, _encode(0)))


def _number_in(connection: apsw.Connection) -> int | None:
    rows = connection.execute(_SELECT, (_ROW,)).fetchall()
    return int.from_bytes(rows[0][0], "big") if rows else None  # type: ignore[arg-type]  # a blob


def _encode(number: int) -> bytes:
    return number.to_bytes(8, "big")
