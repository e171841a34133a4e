"""Damaged, cut off, foreign and hostile backups: an exact word on each, and nothing is made."""

import io
import random
from pathlib import Path

import pytest
from tests.kits.backups import no_progress, put_back, root_key_in, take, take_of
from tests.kits.world import make_config, open_world

from watchword.core.entropy import SystemEntropy
from watchword.core.secret import Secret
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.crypto.keyring import RootKey
from watchword.errors import ConflictError, DamagedError, InvalidConfigError, MalformedError
from watchword.server.backup.chunks import CHUNK_SIZE, SEALED_SIZE, ChunkReader, ChunkWriter
from watchword.server.backup.head import MAGIC, make_head, read_head
from watchword.server.backup.keys import encode_recipient, find_recipient, make_key_file, read_key_file
from watchword.server.backup.output import new_file
from watchword.server.backup.records import RecordWriter
from watchword.server.backup.restore import check_backup, open_backup, restore_backup
from watchword.server.db.migrate import list_migrations
from watchword.server.keys.root_file import encode_root_key
from watchword.testing import FixedClock, SeededEntropy
from watchword.testing.counts import count

pytestmark = pytest.mark.anyio

KEY = SealingPrivateKey.generate(Suite.HYBRID, SeededEntropy("backup"))
OTHER = SealingPrivateKey.generate(Suite.HYBRID, SeededEntropy("other"))


@pytest.fixture(scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes, Path]:
    """A backup in the clear, the same sealed with its root key, and the root key's file."""
    folder = tmp_path_factory.mktemp("made")
    async with open_world(folder / "data") as world:
        await world.register("ada")
        await take_of(world, folder / "clear")
    await take(make_config(folder / "data"), folder / "sealed", to=KEY.public, with_root_key=True)
    return (folder / "clear").read_bytes(), (folder / "sealed").read_bytes(), folder / "data" / "root.key"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def changed(whole: bytes, place: int) -> bytes:
    return whole[:place] + bytes((whole[place] ^ 1,)) + whole[place + 1 :]


@pytest.mark.parametrize("sealed", [False, True])
async def test_every_damage_is_found_and_named(made, sealed):
    whole = made[1] if sealed else made[0]
    key = KEY if sealed else None
    chance = random.Random(10)
    places = {0, len(MAGIC), len(MAGIC) + 5, len(whole) - 1} | {
        chance.randrange(len(whole)) for _ in range(count(40, 2000))
    }
    for place in places:
        for damaged in (changed(whole, place), whole[:place], whole[:place] + whole[place + 1 :]):
            with pytest.raises((DamagedError, MalformedError, InvalidConfigError)) as refused:
                check_backup(io.BytesIO(damaged), key, no_progress)
            if place > len(make_head(KEY.public if sealed else None, SystemEntropy()).data):
                assert isinstance(refused.value, DamagedError)
                assert "byte" in refused.value.detail
    with pytest.raises(DamagedError):
        check_backup(io.BytesIO(whole + b"\0"), key, no_progress)


def test_a_backup_that_was_cut_between_two_chunks_is_said_to_be_cut():
    file = io.BytesIO()
    head = make_head(KEY.public, SystemEntropy())
    writer = ChunkWriter(file, head)
    writer.write(bytes(3 * CHUNK_SIZE))
    writer.finish()
    cut = file.getvalue()[: len(head.data) + 2 * SEALED_SIZE]
    source = io.BytesIO(cut)
    reader = ChunkReader(source, read_head(source, KEY))
    assert reader.read(CHUNK_SIZE) == bytes(CHUNK_SIZE)
    with pytest.raises(DamagedError, match=f"cut off: it ends at byte {len(cut)}"):
        reader.read(CHUNK_SIZE)


def test_chunks_cannot_be_swapped_repeated_or_left_out():
    file = io.BytesIO()
    head = make_head(KEY.public, SystemEntropy())
    writer = ChunkWriter(file, head)
    writer.write(random.Random(1).randbytes(4 * CHUNK_SIZE))
    writer.finish()
    body = file.getvalue()[len(head.data) :]
    chunks = [body[start : start + SEALED_SIZE] for start in range(0, len(body), SEALED_SIZE)]
    for order in ((1, 0, 2, 3), (0, 0, 1, 2, 3), (0, 2, 3), (0, 1, 3, 2), (0, 1, 2)):
        source = io.BytesIO(head.data + b"".join(chunks[place] for place in order))
        reader = ChunkReader(source, read_head(source, KEY))
        with pytest.raises(DamagedError, match="byte"):
            reader.read(len(order) * CHUNK_SIZE)


async def test_the_head_is_bound_to_the_chunks(made):
    """A head of another backup, sealed to the same key, opens nothing of this one."""
    head = make_head(KEY.public, SystemEntropy()).data
    with pytest.raises(DamagedError):
        check_backup(io.BytesIO(head + made[1][len(head) :]), KEY, no_progress)


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (b"", MalformedError, "not a backup"),
        (b"PK\3\4 something else entirely", MalformedError, "not a backup"),
        (b"watchword-backup 2\n" + bytes(40), MalformedError, "newer"),
        (MAGIC + b"\xff\xff\xff\xff", DamagedError, "head"),
        (MAGIC + b"\0\0\0\2{}", DamagedError, "head"),
        (MAGIC + b"\0\0\0\x19" + b'{"cipher": "none", "v": 1}'[:25], DamagedError, "head"),
    ],
)
def test_what_is_no_backup_is_said_to_be_none(content, error, said):
    with pytest.raises(error, match=said):
        check_backup(io.BytesIO(content), None, no_progress)


async def test_keys_that_do_not_fit_are_named(made, tmp_path):
    with pytest.raises(InvalidConfigError, match="name its file with --key"):
        check_backup(io.BytesIO(made[1]), None, no_progress)
    with pytest.raises(InvalidConfigError, match="another key"):
        check_backup(io.BytesIO(made[1]), OTHER, no_progress)
    (tmp_path / "clear").write_bytes(made[0])
    with pytest.raises(InvalidConfigError, match="does not hold the root key"):
        await put_back(tmp_path / "clear", tmp_path / "none", None)
    wrong = tmp_path / "wrong.key"
    wrong.write_bytes(encode_root_key(RootKey.generate(SystemEntropy())))
    wrong.chmod(0o600)
    with pytest.raises(InvalidConfigError, match="does not belong to this data"):
        await put_back(tmp_path / "clear", tmp_path / "other", wrong)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clear", "wrong.key"]


async def test_a_restore_that_fails_leaves_nothing_and_one_that_succeeds_is_whole(made, tmp_path):
    clear, sealed, root = made
    (tmp_path / "damaged").write_bytes(changed(clear, len(clear) - 100))
    with pytest.raises(DamagedError):
        await put_back(tmp_path / "damaged", tmp_path / "new", root)
    assert not (tmp_path / "new").exists()
    (tmp_path / "sealed").write_bytes(sealed)
    done = await put_back(tmp_path / "sealed", tmp_path / "new", None, key=KEY)
    assert done.manifest.root_key
    assert (tmp_path / "new" / "root.key").read_bytes() == root.read_bytes()
    assert not (tmp_path / "new" / ".restoring").exists()
    with pytest.raises(ConflictError, match="holds data already"):
        await put_back(tmp_path / "sealed", tmp_path / "new", None, key=KEY)


async def test_a_restore_that_was_cut_off_is_neither_served_nor_restored_over(made, tmp_path):
    (tmp_path / "new" / ".restoring").mkdir(parents=True)
    (tmp_path / "new").chmod(0o700)
    (tmp_path / "clear").write_bytes(made[0])
    with pytest.raises(ConflictError, match="was cut off"):
        await put_back(tmp_path / "clear", tmp_path / "new", made[2])
    with pytest.raises(InvalidConfigError, match="was cut off"):
        async with open_world(tmp_path / "new"):
            pass
    assert {path.name for path in (tmp_path / "new").iterdir()} <= {".restoring", "lock"}


async def test_a_database_with_tables_is_not_restored_over(made, tmp_path, postgres_url):
    (tmp_path / "clear").write_bytes(made[0])
    with pytest.raises(InvalidConfigError, match="has tables already"):
        await put_back(tmp_path / "clear", tmp_path / "new", made[2], database=postgres_url)
    assert not (tmp_path / "new").exists()


async def test_a_backup_of_a_newer_schema_is_refused_by_name(made, monkeypatch):
    older = list_migrations()[:-1]
    monkeypatch.setattr("watchword.server.backup.restore.list_migrations", lambda: older)
    with pytest.raises(InvalidConfigError, match=r"cannot be restored by this Watchword.*newer"):
        open_backup(io.BytesIO(made[0]), None)


async def test_rows_that_break_the_schema_are_damage(made, tmp_path):
    """Somebody with the public key made it: all checks of the file hold, and the rows make no sense."""
    whole = open_backup(io.BytesIO(made[0]), None)
    file = io.BytesIO()
    writer = ChunkWriter(file, make_head(None, SystemEntropy()))
    records = RecordWriter(writer)
    manifest = whole.manifest
    records.manifest(manifest)
    for note in manifest.files:
        records.file(note, bytes(note.size))
    for table in manifest.tables:
        records.table(table)
        if table.rows:
            records.rows([(None,) * len(table.columns)] * table.rows)
    records.end()
    writer.finish()
    list(open_backup(io.BytesIO(file.getvalue()), None).reader.records())  # the file itself is sound
    with pytest.raises(DamagedError, match="does not fit its own schema"):
        await restore_backup(
            open_backup(io.BytesIO(file.getvalue()), None),
            make_config(tmp_path / "new"),
            root_key_in(made[2]),
            keep_root_key=True,
            clock=FixedClock(),
            entropy=SystemEntropy(),
            progress=no_progress,
        )
    assert not (tmp_path / "new").exists()


def test_a_key_file_is_closed_and_a_mistyped_key_is_refused(tmp_path):
    public = make_key_file(tmp_path / "k", SystemEntropy())
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600
    assert read_key_file(tmp_path / "k").public == public
    text = encode_recipient(public)
    assert find_recipient(text) == public
    for place in range(10, len(text), 97):
        wrong = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        with pytest.raises(InvalidConfigError, match="not a public backup key"):
            find_recipient(wrong)
    with pytest.raises(InvalidConfigError, match="holds the private key"):
        find_recipient(str(tmp_path / "k"))
    (tmp_path / "k").chmod(0o644)
    with pytest.raises(InvalidConfigError, match="chmod 600"):
        read_key_file(tmp_path / "k")
    with pytest.raises(ConflictError):
        make_key_file(tmp_path / "k", SystemEntropy())


def test_a_file_that_fails_half_way_is_not_there(tmp_path):
    def fail() -> None:
        with new_file(tmp_path / "out") as file:
            file.write(bytes(1000))
            assert not (tmp_path / "out").exists()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "out").write_bytes(b"mine")
    with pytest.raises(ConflictError), new_file(tmp_path / "out"):
        pass
    assert (tmp_path / "out").read_bytes() == b"mine"


async def test_the_root_key_leaves_in_a_sealed_backup_only(tmp_path):
    with pytest.raises(InvalidConfigError, match="sealed backup only"):
        await take(make_config(tmp_path / "data"), tmp_path / "b", with_root_key=True)


async def test_a_sealed_backup_shows_nothing_of_what_is_in_it(made):
    clear, sealed, root = made
    secret = Secret(root.read_bytes().strip()).reveal()
    for canary in (b"ada", b"accounts", b"https://localhost", b"password_version"):
        assert canary in clear
        assert canary not in sealed[: len(MAGIC)] + sealed[2000:]
    assert secret not in clear
    assert secret not in sealed
