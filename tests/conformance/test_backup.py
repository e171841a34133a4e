"""A backup of either engine restores to either: every row, and a server that goes on with it."""

from pathlib import Path

import pytest
from tests.kits.backups import OPERATOR, dump, end, put_back, take, take_of
from tests.kits.world import PASSWORD, World, open_world

from watchword.core.clock import MINUTE
from watchword.core.secret import Secret
from watchword.errors import (
    ConflictError,
    InvalidConfigError,
    RefusedError,
    UnauthenticatedError,
    WatchwordError,
)
from watchword.server.backup.after_restore import PROOFS
from watchword.server.config.model import DATABASE_FILE
from watchword.server.db.transfer import BATCH, NOT_DATA, open_snapshot
from watchword.server.db.unit import Unit
from watchword.testing import FixedClock
from watchword.testing.databases import PostgresServer, opened

pytestmark = pytest.mark.anyio

REFUSED = (RefusedError, UnauthenticatedError)


@pytest.fixture(params=["sqlite", "postgres"])
def source(request: pytest.FixtureRequest) -> str | None:
    """The URL of a PostgreSQL database to begin with, or None for SQLite."""
    url: str | None = None if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def target(request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_empty()


async def run(world: World, sql: str, parameters: dict[str, str | int]) -> None:
    unit = Unit(b"test")
    unit.add(sql, parameters)
    await world.core.database.commit(unit)


def location(data: Path, database: str | None) -> str | Path:
    return data / DATABASE_FILE if database is None else database


async def test_fault_M10_every_row_comes_back_on_either_engine(tmp_path, source, target):
    old, new, file, clock = tmp_path / "old", tmp_path / "new", tmp_path / "b.wwb", FixedClock()
    async with open_world(old, database=source, clock=clock) as world:
        person = await world.register("ada", email="ada@example.org")
        made = await take_of(world, file)
        before = await dump(location(old, source))
        assert made.manifest.accounts == 1
        assert file.stat().st_mode & 0o777 == 0o600
    await put_back(file, new, old / "root.key", database=target, clock=clock)
    assert await dump(location(new, target)) == before
    with pytest.raises(InvalidConfigError, match="after-restore"):
        async with open_world(new, database=target, clock=clock):
            pass
    clock.advance(MINUTE)
    ended = await end(new, database=target, clock=clock)
    assert (ended.sessions, ended.credentials) == (1, 1)
    async with open_world(new, database=target, clock=clock, seed="new") as world:
        logged_in = await world.log_in("ada@example.org", PASSWORD, prover=person.prover)
        logged_in.open_chest()
        report = await world.core.audit.verify()
        assert report.ok, report.problems
    with pytest.raises(ConflictError, match="nothing is to be done"):
        await end(new, database=target, clock=clock)


@pytest.mark.parametrize("rows", [BATCH - 1, BATCH, BATCH + 1, 3 * BATCH + 7])
async def test_a_table_of_many_batches_comes_back_whole(database_location, tmp_path, rows):
    async with opened(database_location) as database:
        unit = Unit(b"many")
        for number in range(rows):
            unit.add(
                "insert into meta (name, value) values (:name, :value)",
                {"name": f"row{number}", "value": number.to_bytes(4, "big") * (number % 50)},
            )
        await database.commit(unit)
    async with open_snapshot(database_location, alone=False) as snapshot:
        (meta,) = [table for table in await snapshot.tables() if table.name == "meta"]
        found = [tuple(row) async for batch in snapshot.rows(meta) for row in batch]
        counted = await snapshot.one(meta.count)
    assert counted is not None
    assert len(found) == len(set(found)) == counted[0] == rows


async def test_fault_M10_every_proof_of_before_and_after_ends(tmp_path):
    old, new, file, clock = tmp_path / "old", tmp_path / "new", tmp_path / "b.wwb", FixedClock()
    async with open_world(old, clock=clock) as world:
        before = await world.register("ada")
        invite = await world.services.operator.invite(OPERATOR)
        unused = (await world.log_in("ada", PASSWORD)).answer.temporary_token
        await world.core.keys.rotate("signing")  # it waits in the backup, and signs afterwards
        await take_of(world, file)
        clock.advance(11 * MINUTE)
        await world.core.keys.tick()
        after = await world.register("eve")
        later_token = (await world.log_in("ada", PASSWORD, prover=before.prover)).answer.grant
        for _ in range(3):
            await world.core.keys.rotate("sealing")
        seen = world.core.keys.document_number
    await put_back(file, new, old / "root.key", clock=clock)
    ended = await end(new, clock=clock)
    assert ended.invites == 1
    assert ended.document_number > seen
    assert later_token is not None
    async with open_world(new, clock=clock, seed="new") as world:
        for token in (before.access_token, after.access_token, Secret.from_text(later_token.access_token)):
            assert (await world.call("GET", "/api/me", token=token)).status_code == 401
        published = {key.kid for key in world.core.keys.verification_keys}
        assert published == {ended.signing_key}
        for credential in (unused, before.registered.temporary_token, after.registered.temporary_token):
            assert credential is not None
            with pytest.raises(WatchwordError) as refused:
                await world.enrol(credential, before.keys)
            assert isinstance(refused.value, REFUSED)
        assert await world.services.operator.list_invites() == []
        assert invite.text
        with pytest.raises(WatchwordError) as refused:
            await world.log_in("eve", PASSWORD)
        assert isinstance(refused.value, REFUSED)


async def test_a_document_number_is_above_all_of_an_earlier_restore(tmp_path):
    old, file, clock = tmp_path / "old", tmp_path / "b.wwb", FixedClock()
    async with open_world(old, clock=clock) as world:
        await take_of(world, file)
    numbers = []
    for name in ("first", "second"):
        await put_back(file, tmp_path / name, old / "root.key", clock=clock)
        numbers.append((await end(tmp_path / name, clock=clock)).document_number)
        async with open_world(tmp_path / name, clock=clock) as world:
            for _ in range(3):
                await world.core.keys.rotate("sealing", at_once=True)
            numbers.append(world.core.keys.document_number)
        clock.advance(MINUTE)
    assert numbers == sorted(set(numbers))


async def test_sessions_live_on_only_when_the_operator_says_so(tmp_path):
    old, file, clock = tmp_path / "old", tmp_path / "b.wwb", FixedClock()
    async with open_world(old, clock=clock) as world:
        await world.register("ada")
        await take_of(world, file)
    await put_back(file, tmp_path / "kept", old / "root.key", clock=clock)
    await end(tmp_path / "kept", clock=clock, keep_sessions=True)
    async with open_world(tmp_path / "kept", clock=clock) as world:
        assert len((await world.services.operator.show_account("ada")).sessions) == 1


async def test_newer_checkpoints_are_explained_and_a_cut_is_not_excused(tmp_path):
    old, new, file, clock = tmp_path / "old", tmp_path / "new", tmp_path / "b.wwb", FixedClock()
    async with open_world(old, clock=clock) as world:
        world.core.checkpointer.start(fresh=True)
        await world.register("ada")
        await take_of(world, file)
        await world.register("eve")
        clock.advance(MINUTE)
        world.core.checkpointer.tick()
    await put_back(file, new, old / "root.key", clock=clock)
    checkpoints = Path("audit") / "checkpoints.jsonl"
    (new / checkpoints).write_bytes((old / checkpoints).read_bytes())
    (new / checkpoints).chmod(0o600)
    await end(new, clock=clock)
    async with open_world(new, clock=clock, seed="new") as world:
        report = await world.core.audit.verify()
        assert report.ok, report.problems
        assert len(report.notes) == 1
        assert "the backup was taken at" in report.notes[0]
        node = next(name for name in report.heads if name != world.core.audit_node)
        cut = "delete from audit_entries where node = :node and seq = :seq"
        await run(world, cut, {"node": node, "seq": report.heads[node].seq})
        report = await world.core.audit.verify()
        assert not report.ok


async def test_no_table_is_forgotten_when_proofs_end(database_location, tmp_path):
    async with (
        open_world(
            tmp_path / "d", database=database_location if isinstance(database_location, str) else None
        ) as world,
        open_snapshot(world.core.config.database_location, alone=False) as snapshot,
    ):
        found = {table.name for table in await snapshot.tables()}
    assert found == PROOFS.keys()
    assert not found & NOT_DATA


async def test_a_backup_of_another_database_than_the_servers_is_refused(tmp_path):
    async with open_world(tmp_path / "a") as one, open_world(tmp_path / "b", seed="b") as other:
        instance = await other.services.operator.begin_backup(OPERATOR, sealed=False, root_key=False)
        with pytest.raises(InvalidConfigError, match="another database"):
            await take(one.core.config, tmp_path / "file", instance=instance)
    assert not (tmp_path / "file").exists()
