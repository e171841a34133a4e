"""Backups that somebody else made, with the public key and nothing else: the fingerprint tells them from ours."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs
from tests.kits.backups import no_progress, put_back, take
from tests.kits.world import make_config, open_world

from watchword.core.entropy import SystemEntropy
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.errors import DamagedError, NotTrustedError
from watchword.server.backup.chunks import ChunkWriter
from watchword.server.backup.head import make_head
from watchword.server.backup.records import FileContent, Manifest, RecordWriter, TableRows
from watchword.server.backup.restore import check_backup, open_backup
from watchword.server.db.unit import Row
from watchword.testing import SeededEntropy

pytestmark = pytest.mark.anyio

KEY = SealingPrivateKey.generate(Suite.HYBRID, SeededEntropy("backup"))
REFUSED = "the certificate authority in the backup is not the one of --fingerprint: nothing was restored"

Change = Callable[[Row], list[Row]]
"""What the forger makes of the row of the root."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Our backup, and one of a server of the forger's own; both sealed to our key, with the root key."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("ours", "forged"):
        async with open_world(folder / f"{name}.data", seed=name) as world:
            await world.register("ada")
        await take(make_config(folder / f"{name}.data"), folder / name, to=KEY.public, with_root_key=True)
    return folder / "ours", folder / "forged"


def fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        found = check_backup(file, KEY, no_progress).fingerprint
    assert found is not None
    return found


def root_row(path: Path) -> Row:
    with path.open("rb") as file:
        for record in open_backup(file, KEY).reader.records():
            if isinstance(record, TableRows) and record.table.name == "server_certificates":
                return next(row for row in record.rows if row[0] == "root")
    raise AssertionError("no root")


def rewrite(path: Path, change: Change, *, root_key: bool = True) -> bytes:
    """The backup with another row for its root, sealed anew, as whoever made it can; maybe without its root key."""
    with path.open("rb") as file:
        whole = open_backup(file, KEY)
        records = list(whole.reader.records())
    parts = {record.name: record.data for record in records if isinstance(record, FileContent)}
    rows: dict[str, list[Row]] = {}
    for record in records:
        if isinstance(record, TableRows):
            for row in record.rows:
                is_root = record.table.name == "server_certificates" and row[0] == "root"
                rows.setdefault(record.table.name, []).extend(change(row) if is_root else [row])
    return _seal(whole.manifest, parts, rows, root_key=root_key)


def _seal(
    manifest: Manifest, parts: dict[str, bytes], rows: dict[str, list[Row]], *, root_key: bool
) -> bytes:
    target = io.BytesIO()
    files = tuple(note for note in manifest.files if root_key or note.name != "root.key")
    tables = tuple(structs.replace(each, rows=len(rows.get(each.name, []))) for each in manifest.tables)
    writer = ChunkWriter(target, make_head(KEY.public, SystemEntropy()))
    sealed = RecordWriter(writer)
    sealed.manifest(structs.replace(manifest, files=files, tables=tables, root_key=root_key))
    for note in files:
        sealed.file(note, parts[note.name])
    for table in tables:
        sealed.table(table)
        if table.rows:
            sealed.rows(rows[table.name])
    sealed.end()
    writer.finish()
    return target.getvalue()


async def test_a_forged_backup_is_refused_in_constant_words_and_nothing_appears(made, tmp_path):
    ours, forged = made
    expected = fingerprint(ours)
    assert fingerprint(forged) != expected
    with pytest.raises(NotTrustedError) as refused:
        await put_back(forged, tmp_path / "new", None, key=KEY, fingerprint=expected)
    assert refused.value.detail == REFUSED
    with forged.open("rb") as file, pytest.raises(NotTrustedError) as refused:
        check_backup(file, KEY, no_progress, fingerprint=expected)
    assert refused.value.detail == REFUSED
    assert list(tmp_path.iterdir()) == []
    done = await put_back(ours, tmp_path / "new", None, key=KEY, fingerprint=expected)
    assert done.fingerprint == expected


async def test_our_certificate_without_its_private_key_does_not_make_a_backup_ours(made, tmp_path):
    """The root's certificate is public: a forger can put it into the row, beside a private key of their own."""
    ours, forged = made
    chain = root_row(ours)[1]
    for root_key in (True, False):
        (tmp_path / "b").write_bytes(
            rewrite(forged, lambda row: [(row[0], chain, row[2])], root_key=root_key)
        )
        own_key = None if root_key else forged.with_name("forged.data") / "root.key"
        with pytest.raises(DamagedError, match="does not belong to its certificate"):
            await put_back(tmp_path / "b", tmp_path / "new", own_key, key=KEY, fingerprint=fingerprint(ours))
        assert not (tmp_path / "new").exists()
    (tmp_path / "b").write_bytes(rewrite(forged, lambda row: [(row[0], chain, row[2])]))
    with (tmp_path / "b").open("rb") as file, pytest.raises(DamagedError, match="does not belong"):
        check_backup(file, KEY, no_progress, fingerprint=fingerprint(ours))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: [row, row], "several certificate authorities"),
        (lambda row: [("root", "AAAA", row[2])], "does not parse"),
        (lambda row: [("root", "not base64!", row[2])], "does not parse"),
        (lambda row: [("root", row[1], b"short")], "^$"),
        (lambda _row: [], "no certificate authority"),
    ],
)
async def test_a_root_that_makes_no_sense_is_damage(made, tmp_path, change, said):
    (tmp_path / "b").write_bytes(rewrite(made[1], change))
    with (tmp_path / "b").open("rb") as file, pytest.raises(DamagedError, match=said):
        check_backup(file, KEY, no_progress)
    with pytest.raises(DamagedError):
        await put_back(tmp_path / "b", tmp_path / "new", None, key=KEY)
    assert not (tmp_path / "new").exists()
