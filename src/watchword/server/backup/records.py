"""What the body of a backup says: records, each checked for its place.

    manifest, then for each file: file, its data …, then for each table: table, its rows …, then end

A record is its length (4 bytes, big-endian), its kind (1 byte) and its content: JSON, or for rows MessagePack, arrays
of nil, whole numbers of 64 bits, text and bytes.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from watchword.errors import DamagedError
from watchword.server.db.unit import Row

MANIFEST: Final = b"m"
FILE: Final = b"f"
DATA: Final = b"d"
TABLE: Final = b"t"
ROWS: Final = b"r"
END: Final = b"e"
MAX_RECORD: Final = 8 << 20
"""Bytes: far above the largest row, and what a reader keeps in memory at most."""
MAX_FILE: Final = 32 << 20
_GOOD_RECORD: Final = 1 << 20
"""Bytes above which rows are split into several records."""
DATA_SIZE: Final = 256 * 1024
_HEAD: Final = 5
_WORD: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_FILES: Final = frozenset({"ca.pem", "audit/checkpoints.jsonl", "audit/checkpoints.1.jsonl", "root.key"})
"""No other file leaves a backup, whatever it says."""


class MigrationNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    number: int
    name: str
    checksum: str
    """SHA-256 of the migration, in hex."""


class TableNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    columns: tuple[str, ...]
    rows: int


class FileNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    size: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is in the backup. Tables stand so that what refers to others comes behind them."""

    id: str
    taken_at: int
    """Milliseconds since 1970: everything acknowledged before is in it."""
    made_by: str
    """The version of Watchword."""
    engine: str
    origin: str
    node: str
    """Of the server whose files are in it."""
    accounts: int
    root_key: bool
    migrations: tuple[MigrationNote, ...]
    files: tuple[FileNote, ...]
    tables: tuple[TableNote, ...]

    @property
    def schema(self) -> int:
        return self.migrations[-1].number if self.migrations else 0

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


class _End(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str


@dataclass(frozen=True, slots=True)
class FileContent:
    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class TableRows:
    table: TableNote
    rows: Sequence[Row]


Record = FileContent | TableRows


class Target(Protocol):
    def write(self, data: bytes, /) -> object: ...


class Source(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def check_end(self) -> None: ...


class RecordWriter:
    """Writes records and their common digest."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._digest = hashlib.sha256()

    def manifest(self, manifest: Manifest) -> None:
        self._put(MANIFEST, msgspec.json.encode(manifest))

    def file(self, note: FileNote, content: bytes) -> None:
        self._put(FILE, msgspec.json.encode(note))
        for start in range(0, len(content), DATA_SIZE):
            self._put(DATA, content[start : start + DATA_SIZE])

    def table(self, note: TableNote) -> None:
        self._put(TABLE, msgspec.json.encode(note))

    def rows(self, rows: Sequence[Row]) -> None:
        content = msgspec.msgpack.encode(rows)
        if len(content) > _GOOD_RECORD and len(rows) > 1:
            half = len(rows) // 2
            self.rows(rows[:half])
            self.rows(rows[half:])
        else:
            self._put(ROWS, content)

    def end(self) -> None:
        self._put(END, msgspec.json.encode(_End(sha256=self._digest.hexdigest())))

    def _put(self, kind: bytes, content: bytes) -> None:
        if len(content) > MAX_RECORD:
            raise DamagedError("a stored value is too large for a backup")
        record = len(content).to_bytes(_HEAD - 1, "big") + kind + content
        self._digest.update(record)
        self._target.write(record)


class RecordReader:
    """Reads the manifest, then everything else in its place. Raises `DamagedError` and nothing else."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._digest = hashlib.sha256()
        self.manifest = _check(self._struct(MANIFEST, Manifest))

    def records(self) -> Iterator[Record]:
        """Files, then rows, in the order of the manifest; ends only behind a whole backup."""
        for file in self.manifest.files:
            yield self._file(file)
        for table in self.manifest.tables:
            yield from self._table(table)
        digest = self._digest.hexdigest()
        if self._struct(END, _End).sha256 != digest:  # compare: against damage, no secret
            raise DamagedError("the backup's digest does not match what is in it")
        self._source.check_end()

    def _file(self, expected: FileNote) -> FileContent:
        if self._struct(FILE, FileNote) != expected:
            raise DamagedError("the backup holds another file than its manifest says")
        content = b""
        while len(content) < expected.size:
            content += self._content(DATA)
        if len(content) != expected.size:
            raise DamagedError(f"{expected.name} in the backup has another size than its manifest says")
        return FileContent(expected.name, content)

    def _table(self, expected: TableNote) -> Iterator[Record]:
        if self._struct(TABLE, TableNote) != expected:
            raise DamagedError("the backup holds another table than its manifest says")
        left = expected.rows
        while left > 0:
            rows = self._rows(len(expected.columns))
            left -= len(rows)
            yield TableRows(expected, rows)
        if left:
            raise DamagedError(
                f"the table {expected.name} in the backup has more rows than its manifest says"
            )

    def _rows(self, width: int) -> list[Row]:
        content = self._content(ROWS)
        try:
            rows = msgspec.msgpack.decode(content, type=list[list[Any]])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, MemoryError):
            raise DamagedError("rows in the backup do not parse") from None
        if not rows or any(len(row) != width or not all(map(_fits, row)) for row in rows):
            raise DamagedError("rows in the backup do not fit their table")
        return [tuple(row) for row in rows]

    def _struct(self, kind: bytes, form: Any) -> Any:
        content = self._content(kind)
        try:
            return msgspec.json.decode(content, type=form)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise DamagedError("a record of the backup does not parse") from None

    def _content(self, expected: bytes) -> bytes:
        head = self._source.read(_HEAD)
        size, kind = int.from_bytes(head[:-1], "big"), head[-1:]
        if kind != expected or size > MAX_RECORD:
            raise DamagedError("the records of the backup are not in order")
        content = self._source.read(size)
        if kind != END:
            self._digest.update(head + content)
        return content


def _check(manifest: Manifest) -> Manifest:
    """Raise unless every name in it may be used as one."""
    words = [table.name for table in manifest.tables]
    columns = [column for table in manifest.tables for column in table.columns]
    files = [file.name for file in manifest.files]
    numbers = [migration.number for migration in manifest.migrations]
    sound = (
        all(_WORD.fullmatch(word) for word in words + columns)
        and len(set(words)) == len(words)
        and all(len(set(table.columns)) == len(table.columns) > 0 for table in manifest.tables)
        and len(set(files)) == len(files)
        and set(files) <= _FILES
        and numbers == sorted(set(numbers))
        and min((manifest.taken_at, manifest.accounts, *(table.rows for table in manifest.tables))) >= 0
        and all(0 <= file.size <= MAX_FILE for file in manifest.files)
    )
    if not sound:
        raise DamagedError("the manifest of the backup does not make sense")
    return manifest


_BITS: Final = 63
_TYPES: Final = frozenset({type(None), int, str, bytes})


def _fits(value: object) -> bool:
    """Whole numbers have 64 bits here; truth values, times and the like are none."""
    return type(value) in _TYPES and (type(value) is not int or -(1 << _BITS) <= value < 1 << _BITS)
