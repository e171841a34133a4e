"""Taking a backup: a snapshot of the database and the few files beside it, into one file.

The checkpoints of the audit trail are read before the snapshot begins: so whatever they sign is in it.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from watchword import __version__
from watchword.core.clock import Clock
from watchword.core.encoding import encode_b64u
from watchword.core.entropy import Entropy
from watchword.crypto.hpke import SealingPublicKey
from watchword.errors import DamagedError, InvalidConfigError
from watchword.server.backup.authority import SELECT_ROOT, fingerprint_of
from watchword.server.backup.chunks import ChunkWriter
from watchword.server.backup.head import make_head
from watchword.server.backup.output import new_file
from watchword.server.backup.records import FileNote, Manifest, MigrationNote, RecordWriter, TableNote
from watchword.server.config import Config
from watchword.server.core import NODE_FILE
from watchword.server.db.migrate import SELECT_INSTANCE, Applied
from watchword.server.db.open import is_postgres
from watchword.server.db.transfer import Snapshot, Table, open_snapshot
from watchword.server.keys.root_file import FILE_NAME, RootKeys, encode_root_key

CA_FILE: Final = "ca.pem"
CHECKPOINTS: Final = ("audit/checkpoints.1.jsonl", "audit/checkpoints.jsonl")
_ID_SIZE: Final = 16
_NOTHING: Final = "there is nothing to back up yet: start the server once"
_ISSUER: Final = "select issuer, root_check from key_state where name = 'server'"

Progress = Callable[[int, int], None]
"""Told how many rows have been written, of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    manifest: Manifest
    fingerprint: str
    """Of the root of the certificate authority: whoever restores it compares."""
    size: int
    """Bytes of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupJob:
    """What is wanted. `instance` is the id of the running server's database, None when none runs."""

    config: Config
    recipient: SealingPublicKey | None
    with_root_key: bool
    instance: str | None

    def __post_init__(self) -> None:
        if self.with_root_key and self.recipient is None:
            raise InvalidConfigError("the root key goes into a sealed backup only: say to whom with --to")


async def make_backup(
    job: BackupJob, path: Path, *, clock: Clock, entropy: Entropy, progress: Progress
) -> Made:
    """Write the backup to the new file `path`; it stands there only when it is whole.

    Raises:
        ConflictError: `path` is taken.
        InvalidConfigError: there is no data, or the data is not the running server's.
        DamagedError: the database fails its checks: such a backup would be worth nothing.
        UnavailableError: the database does not answer, or the file cannot be written.
    """
    with new_file(path) as file:
        files = _read_files(job.config.data)
        taken_at = clock.now()
        async with open_snapshot(job.config.database_location, alone=job.instance is None) as snapshot:
            await _check_instance(snapshot, job.instance)
            fingerprint = await _fingerprint(snapshot)
            manifest, files = await _describe(job, snapshot, files, taken_at=taken_at, entropy=entropy)
            writer = ChunkWriter(file, make_head(job.recipient, entropy))
            await _write(RecordWriter(writer), manifest, files, snapshot, progress)
            writer.finish()
    return Made(manifest=manifest, fingerprint=fingerprint, size=file.size)


async def _write(
    records: RecordWriter,
    manifest: Manifest,
    files: dict[str, bytes],
    snapshot: Snapshot,
    progress: Progress,
) -> None:
    records.manifest(manifest)
    for note in manifest.files:
        records.file(note, files[note.name])
    done, total = 0, manifest.rows
    for table in manifest.tables:
        records.table(table)
        before = done
        async for rows in snapshot.rows(Table(table.name, table.columns)):
            records.rows(rows)
            done += len(rows)
            progress(done, total)
        if done - before != table.rows:
            raise DamagedError(f"the table {table.name} does not give all of its rows: check the database")
    records.end()


async def _fingerprint(snapshot: Snapshot) -> str:
    if await snapshot.one(_ISSUER) is None:
        raise InvalidConfigError(_NOTHING)
    return fingerprint_of(await snapshot.one(SELECT_ROOT))


async def _describe(
    job: BackupJob, snapshot: Snapshot, files: dict[str, bytes], *, taken_at: int, entropy: Entropy
) -> tuple[Manifest, dict[str, bytes]]:
    keys = await snapshot.one(_ISSUER)
    if keys is None or not isinstance(keys[1], bytes):
        raise InvalidConfigError(_NOTHING)
    if job.with_root_key:
        root = RootKeys.find(job.config.root_key_file, os.environ, entropy).choose(keys[1])
        files = {**files, FILE_NAME: encode_root_key(root)}
    tables = await snapshot.tables()
    counts = [await _count(snapshot, table) for table in tables]
    manifest = Manifest(
        id=encode_b64u(entropy.bytes(_ID_SIZE)),
        taken_at=taken_at,
        made_by=__version__,
        engine="postgres" if is_postgres(job.config.database_location) else "sqlite",
        origin=str(keys[0]),
        node=_node(job.config.data),
        accounts=sum(rows for table, rows in zip(tables, counts, strict=True) if table.name == "accounts"),
        root_key=job.with_root_key,
        migrations=_notes(await snapshot.applied()),
        files=tuple(FileNote(name=name, size=len(content)) for name, content in files.items()),
        tables=tuple(
            TableNote(name=table.name, columns=table.columns, rows=rows)
            for table, rows in zip(tables, counts, strict=True)
        ),
    )
    return manifest, files


async def _count(snapshot: Snapshot, table: Table) -> int:
    row = await snapshot.one(table.count)
    return row[0] if row is not None and isinstance(row[0], int) else 0


def _notes(applied: Sequence[Applied]) -> tuple[MigrationNote, ...]:
    return tuple(
        MigrationNote(number=each.number, name=each.name, checksum=each.checksum.hex()) for each in applied
    )


async def _check_instance(snapshot: Snapshot, expected: str | None) -> None:
    """The command and the server may have been told different databases."""
    row = await snapshot.one(SELECT_INSTANCE)
    if row is None or not isinstance(row[0], bytes):
        raise DamagedError("the database has no id of its own")
    if expected is not None and row[0].hex() != expected:  # compare: an id, no secret
        raise InvalidConfigError(
            "the running server has another database than this command finds: give both the same configuration"
            " (--config, WATCHWORD_DATABASE)"
        )


def _read_files(data: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name in (CA_FILE, *CHECKPOINTS):
        try:
            content = (data / name).read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise InvalidConfigError(f"{data / name} cannot be read: {error.strerror}") from None
        # A line that is being written belongs to an entry that the snapshot may not hold.
        found[name] = content[: content.rfind(b"\n") + 1] if name in CHECKPOINTS else content
    return found


def _node(data: Path) -> str:
    try:
        return (data / NODE_FILE).read_text(encoding="utf-8", errors="replace").strip()[:255]
    except OSError:
        return ""
