"""Putting a backup back: into a new place only, whole or not at all, and closed until somebody has looked after it."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from watchword.core.clock import Clock
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.hpke import SealingPrivateKey
from watchword.crypto.keyring import RootKey
from watchword.errors import DamagedError, InvalidConfigError
from watchword.server.backup.authority import KeyRows, demand
from watchword.server.backup.chunks import ChunkReader
from watchword.server.backup.head import read_head
from watchword.server.backup.make import CHECKPOINTS, Progress
from watchword.server.backup.records import FileContent, Manifest, Record, RecordReader, TableRows
from watchword.server.backup.stage import put_file, staged
from watchword.server.config import Config
from watchword.server.config.model import DATABASE_FILE
from watchword.server.core import hold_data
from watchword.server.data_directory import sync_directory
from watchword.server.db.migrate import Applied, Migration, list_migrations, plan
from watchword.server.db.restored import RestoredMark
from watchword.server.db.transfer import Loader, Table, open_loader
from watchword.server.keys.root_file import FILE_NAME, encode_root_key

FindRootKey = Callable[[bytes], RootKey | None]
"""From the check value of the data to the key at hand that belongs to it; None when there is none at hand.

Raises `InvalidConfigError` when the one at hand is of other data.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    manifest: Manifest
    fingerprint: str
    """Of the root in it, whose private key is in it too."""
    pending: tuple[str, ...]
    """Migrations that were applied to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    manifest: Manifest
    fingerprint: str | None
    """Of the root in it. That its private key is in it too is known only when the backup holds the root key."""


@dataclass(frozen=True, slots=True)
class OpenBackup:
    """A backup whose head and manifest were read; the rest follows."""

    reader: RecordReader
    schema: Sequence[Migration]
    pending: Sequence[Migration]

    @property
    def manifest(self) -> Manifest:
        return self.reader.manifest


def open_backup(file: BinaryIO, key: SealingPrivateKey | None) -> OpenBackup:
    """Read what a backup says of itself.

    Raises:
        MalformedError: not a backup.
        DamagedError: damaged or cut off; the text says where.
        InvalidConfigError: the key is missing or another one, or the backup is newer than this Watchword.
    """
    reader = RecordReader(ChunkReader(file, read_head(file, key)))
    try:
        applied = [
            Applied(note.number, note.name, bytes.fromhex(note.checksum))
            for note in reader.manifest.migrations
        ]
    except ValueError:
        raise DamagedError("the manifest of the backup does not make sense") from None
    known = list_migrations()
    try:
        pending = plan(known, applied)
    except InvalidConfigError as error:
        raise InvalidConfigError(f"the backup cannot be restored by this Watchword. {error.detail}") from None
    return OpenBackup(reader, known[: len(applied)], pending)


def check_backup(
    file: BinaryIO, key: SealingPrivateKey | None, progress: Progress, *, fingerprint: str | None = None
) -> Checked:
    """Read all of it and write nothing.

    Raises:
        NotTrustedError: the root in it has another fingerprint than `fingerprint`.
        MalformedError, DamagedError, InvalidConfigError: as `open_backup`.
    """
    backup = open_backup(file, key)
    seen, done = _Seen(), 0
    for record in backup.reader.records():
        done += seen.note(record)
        progress(done, backup.manifest.rows)
    found = seen.keys.fingerprint()
    demand(found, fingerprint)
    if FILE_NAME in seen.files:
        _root_inside(seen.files[FILE_NAME], seen.keys)
    return Checked(manifest=backup.manifest, fingerprint=found)


async def restore_backup(
    backup: OpenBackup,
    config: Config,
    find_root_key: FindRootKey,
    *,
    keep_root_key: bool,
    clock: Clock,
    entropy: Entropy,
    progress: Progress,
    fingerprint: str | None = None,
) -> Restored:
    """Restore into the new data directory of `config`, or its new PostgreSQL database.

    With `keep_root_key`, a root key at hand is put where the server looks for it; the backup's own is in any case.

    Raises:
        ConflictError: there is something already.
        DamagedError: the backup is damaged or cut off; nothing was made.
        NotTrustedError: the root in it has another fingerprint than `fingerprint`; nothing was made.
        InvalidConfigError: no root key at hand opens it, or the place cannot be used.
    """
    with staged(config.data) as stage, hold_data(config, entropy):
        database = stage / DATABASE_FILE
        location = database if config.database is None else config.database_location
        with _clean_up(config.data) as put:
            async with open_loader(location, backup.schema, clock=clock, entropy=entropy) as loader:
                await _check_tables(backup.manifest, loader)
                seen = await _load(backup, loader, progress)
                found = seen.keys.fingerprint()
                demand(found, fingerprint)
                root, is_own = _choose_root(seen, find_root_key)
                await loader.finish(backup.pending, _mark(backup.manifest, clock))
                for name, content in seen.files.items():
                    if name != FILE_NAME:
                        put(stage, config.data / name, content)
                if (is_own or keep_root_key) and not config.root_key_file.exists():
                    put(stage, config.root_key_file, encode_root_key(root))
            if config.database is None:
                database.rename(config.data / DATABASE_FILE)
                sync_directory(config.data)
    return Restored(
        manifest=backup.manifest,
        fingerprint=found or "",
        pending=tuple(each.name for each in backup.pending),
    )


@dataclass(slots=True)
class _Seen:
    """What went by on its way into the database, and is needed to judge it."""

    files: dict[str, bytes] = field(default_factory=dict)
    keys: KeyRows = field(default_factory=KeyRows)

    def note(self, record: Record) -> int:
        """Returns the number of rows."""
        if isinstance(record, FileContent):
            self.files[record.name] = record.data
            return 0
        self.keys.note(record.table, record.rows)
        return len(record.rows)


async def _load(backup: OpenBackup, loader: Loader, progress: Progress) -> _Seen:
    seen, done = _Seen(), 0
    for record in backup.reader.records():
        done += seen.note(record)
        if isinstance(record, TableRows):
            await loader.insert(Table(record.table.name, record.table.columns), record.rows)
            progress(done, backup.manifest.rows)
    return seen


async def _check_tables(manifest: Manifest, loader: Loader) -> None:
    for table in manifest.tables:
        if await loader.columns(table.name) != {*table.columns}:
            raise DamagedError(f"the table {table.name} in the backup is not the one of its schema")


def _choose_root(seen: _Seen, find: FindRootKey) -> tuple[RootKey, bool]:
    """The root key at hand, else the backup's own (True). Raises unless it opens the data."""
    if seen.keys.root_check is None:
        raise DamagedError("the backup holds no keys")
    at_hand = find(seen.keys.root_check)
    if at_hand is not None:
        seen.keys.prove(at_hand)
        return at_hand, False
    if FILE_NAME not in seen.files:
        raise InvalidConfigError(
            "the backup does not hold the root key: give it with --root-key FILE or WATCHWORD_ROOT_KEY"
        )
    return _root_inside(seen.files[FILE_NAME], seen.keys), True


def _root_inside(content: bytes, keys: KeyRows) -> RootKey:
    """The backup's own root key. Raise `DamagedError` unless it opens what is in the backup."""
    try:
        root = RootKey.parse(Secret(content))
    except InvalidConfigError:
        raise DamagedError("the root key in the backup does not parse") from None
    if keys.root_check is None or not root.matches(keys.root_check):
        raise DamagedError("the root key in the backup is not that of its data")
    keys.prove(root)
    return root


def _mark(manifest: Manifest, clock: Clock) -> bytes:
    mark = RestoredMark(
        backup=manifest.id, taken_at=manifest.taken_at, restored_at=clock.now(), origin=manifest.origin
    )
    return mark.encode()


Put = Callable[[Path, Path, bytes], None]


@contextlib.contextmanager
def _clean_up(data: Path) -> Iterator[Put]:
    """Files that were put in their places are taken away again when the block fails."""
    placed: list[Path] = []

    def put(stage: Path, place: Path, content: bytes) -> None:
        put_file(stage, place, content)
        placed.append(place)

    try:
        yield put
    except BaseException:
        for path in placed:
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            (data / CHECKPOINTS[0]).parent.rmdir()
        raise
