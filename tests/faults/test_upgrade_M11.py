"""M11: the database of every released version comes up to date with all its rows, whatever stops it on the way."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.kits.backups import dump, end
from tests.kits.commands import Shell
from tests.kits.released import FOLDER, RELEASES, Released, knowing, lay_out, next_migrations
from tests.kits.world import open_world

from watchword.client.flows.sealed import Prover
from watchword.core.clock import MINUTE
from watchword.core.secret import Secret
from watchword.crypto.device_keys import DeviceSigningKey
from watchword.errors import InvalidConfigError
from watchword.server.config.model import DATABASE_FILE
from watchword.server.db.transfer import Snapshot, Table, open_snapshot
from watchword.testing import FixedClock
from watchword.testing.counts import count
from watchword.testing.databases import PostgresServer, opened

pytestmark = pytest.mark.anyio

Rows = dict[str, list[dict[str, object]]]


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> str | None:
    """The URL of an empty PostgreSQL database, or None for SQLite."""
    if request.param == "sqlite":
        return None
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_empty()


async def rows_of(location: str | Path) -> Rows:
    """Every row by table, each by its columns' names."""
    async with open_snapshot(location, alone=False) as snapshot:
        return {table.name: await _named(snapshot, table) for table in await snapshot.tables()}


async def _named(snapshot: Snapshot, table: Table) -> list[dict[str, object]]:
    return [dict(zip(table.columns, row, strict=True)) async for rows in snapshot.rows(table) for row in rows]


def lost(before: Rows, after: Rows) -> list[object]:
    """The rows of before of which a value is not there any more, in a table of the same name."""
    missing: list[object] = []
    for name, rows in before.items():
        columns = list(rows[0]) if rows else []
        kept = {tuple(row.get(column) for column in columns) for row in after.get(name, [])}
        missing += [(name, row) for row in rows if tuple(row.values()) not in kept]
    return missing


async def check_it_serves(released: Released, database: str | None) -> None:
    """Somebody of then logs in on their device, and the trail of then is whole."""
    facts = released.facts
    clock = FixedClock(facts["now"])
    clock.advance(MINUTE)
    async with open_world(released.data, database=database, clock=clock, seed="now") as world:
        key = DeviceSigningKey.from_seed(Secret(bytes.fromhex(facts["device_seed"])))
        for identifier in (facts["username"], facts["email"]):
            prover = Prover(key=key, device_id=facts["device"])
            logged_in = await world.log_in(identifier, facts["password"], prover=prover)
            logged_in.open_chest()
            assert logged_in.answer.grant is not None
            token = Secret.from_text(logged_in.answer.grant.access_token)
            assert (await world.call("GET", "/api/me", token=token)).status_code == 200
        assert (await world.call("GET", "/api/me", token=facts["access_token"])).status_code == 200
        assert [each.note for each in await world.services.operator.list_invites()] == ["Ada, new on Monday"]
        suspended = await world.services.operator.show_account(facts["suspended"])
        assert suspended.account.state.value == "suspended"
        report = await world.core.audit.verify()
        assert report.ok, report.problems
        assert report.checkpoints > 0


@pytest.mark.parametrize("version", RELEASES)
async def test_fault_M11_the_schema_of_a_release_comes_up_to_date_and_serves(tmp_path, version, database):
    released = await lay_out(version, tmp_path / "data", database=database)
    before = await rows_of(released.location)
    with knowing(next_migrations()):
        async with opened(released.location):
            pass
        after = await rows_of(released.location)
    assert lost(before, after) == []
    assert len(after["account_copies"]) == len(before["accounts"])
    assert {row["nickname"] for row in after["accounts"]} == {row["username"] for row in before["accounts"]}
    with knowing(next_migrations()):
        await check_it_serves(released, database)


@pytest.mark.parametrize("version", RELEASES)
def test_the_fixture_of_a_release_is_whole(version):
    assert {path.name for path in (FOLDER / version).iterdir()} == {
        "checkpoints.jsonl",
        "facts.json",
        "node",
        "postgres.sql.gz",
        "root.key",
        "sqlite.sql.gz",
    }


async def test_fault_M11_an_upgrade_that_is_killed_resumes_and_loses_no_row(tmp_path, database):
    crowd = count(300, 10_000)
    released = await lay_out(RELEASES[-1], tmp_path / "data", database=database, crowd=crowd)
    before = await rows_of(released.location)
    chance = random.Random(11)
    kills, longest = count(1, 20), 0.05
    finished = 0
    for _ in range(kills):
        done, took = migrate_and_kill(released.location, chance.uniform(0, longest))
        finished += done
        longest = max(longest, took)
        assert lost(before, await rows_of(released.location)) == []
    with knowing(next_migrations()):
        async with opened(released.location):
            pass
        after = await rows_of(released.location)
        assert lost(before, after) == []
        assert len(after["account_copies"]) == len(before["accounts"]) == crowd + 3
        await check_it_serves(released, database)


def migrate_and_kill(location: str | Path, after: float) -> tuple[bool, float]:
    """Migrate in another process and end it after so many seconds; whether it was done, and the time that it took."""
    program = [sys.executable, "-m", "tests.kits.released", str(location)]
    root = Path(__file__).parents[2]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True, cwd=root)
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    begun = time.monotonic()
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    said = process.stdout.read()
    process.wait()
    process.stdout.close()
    return "done\n" in said, time.monotonic() - begun


async def test_fault_M11_an_older_watchword_refuses_a_newer_schema_and_changes_nothing(tmp_path, database):
    released = await lay_out(RELEASES[-1], tmp_path / "data", database=database)
    with knowing(next_migrations()):
        async with opened(released.location):
            pass
    before = await dump(released.location)
    with pytest.raises(InvalidConfigError, match="newer Watchword"):
        async with opened(released.location):
            pass
    if database is None:
        environ = {"WATCHWORD_DATA": str(released.data), "WATCHWORD_LISTEN": "127.0.0.1:0"}
        refused = Shell(environ=environ).run("serve")
        assert refused.code == 2
        assert "newer Watchword" in refused.err
    assert await dump(released.location) == before


async def test_the_copy_before_a_migration_is_the_way_back_and_asks_for_after_restore(tmp_path):
    released = await lay_out(RELEASES[-1], tmp_path / "data")
    before = await dump(released.location)
    with knowing(next_migrations()):
        async with opened(released.location):
            pass
    [copy] = released.data.glob(f"{DATABASE_FILE}-before-*")
    assert copy.stat().st_mode & 0o777 == 0o600
    for ending in ("", "-wal", "-shm", "-mark"):
        (released.data / f"{DATABASE_FILE}{ending}").unlink(missing_ok=True)
    copy.rename(released.data / DATABASE_FILE)
    assert await dump(released.location) == before
    clock = FixedClock(released.facts["now"])
    with pytest.raises(InvalidConfigError, match="after-restore"):
        async with open_world(released.data, clock=clock):
            pass
    ended = await end(released.data, clock=clock, keep_sessions=True)
    assert ended.mark.backup.startswith("copy after")
    async with open_world(released.data, clock=clock) as world:
        assert (await world.core.audit.verify()).ok


async def test_no_copy_is_made_where_nothing_is_migrated(tmp_path):
    released = await lay_out(RELEASES[-1], tmp_path / "data")
    async with opened(released.location):
        pass
    for copy in released.data.glob("*-before-*"):
        copy.unlink()
    async with opened(released.location):
        pass
    assert list(released.data.glob("*-before-*")) == []


async def test_a_disk_without_room_is_said_before_anything_is_migrated(tmp_path, monkeypatch):
    released = await lay_out(RELEASES[-1], tmp_path / "data")
    before = await dump(released.location)
    monkeypatch.setattr("watchword.server.db.sqlite.before._ROOM", 1 << 40)
    with knowing(next_migrations()), pytest.raises(InvalidConfigError, match="are needed"):
        async with opened(released.location):
            pass
    assert await dump(released.location) == before
