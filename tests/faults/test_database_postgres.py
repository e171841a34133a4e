"""M12: PostgreSQL stops, restarts, refuses, is replaced, or loses the connection in the middle of a commit."""

import asyncio
import random
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from tests.kits.bad_disk import READ, put
from tests.kits.ledger import INSERT, Ledger, Load, Sequencer, attach
from tests.kits.postgres_proxy import Cut, Proxy, proxied

from watchword.errors import ConflictError, InvalidConfigError, MalformedError, UnavailableError
from watchword.server.db.postgres import connection, writer
from watchword.server.db.unit import AuditedDatabase, Unit
from watchword.testing.counts import count, soaking
from watchword.testing.databases import PostgresServer, opened

pytestmark = pytest.mark.anyio
BOUND = 6.0 if soaking() else 20.0
"""Seconds within which every call is answered, whatever the server does; more where others use the machine."""


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server that a test may stop."""
    server = PostgresServer.create()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter bounds where it is not the bound that is tested."""
    monkeypatch.setattr(writer, "_PATIENCE", 0.8)
    monkeypatch.setitem(connection.SETTINGS, "lock_timeout", "500")


@pytest.fixture
def patient_again(impatient: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:  # its end
    """Called where it is to work again, however busy the machine is."""
    return lambda: monkeypatch.setattr(writer, "_PATIENCE", 60.0)


async def admin(server: PostgresServer) -> asyncpg.Connection:
    return await asyncpg.connect(server.url("postgres"))


async def answered(database: AuditedDatabase, name: str) -> bool:
    """Whether the write was acknowledged; it must be answered in time, either way."""
    begun = time.monotonic()
    try:
        await database.commit(put(name))
    except UnavailableError:
        return False
    finally:
        assert time.monotonic() - begun < BOUND
    return True


async def exists(url: str, name: str) -> bool:
    connection = await asyncpg.connect(url)
    found = await connection.fetchval("select count(*) from meta where name = $1", name)
    await connection.close()
    return bool(found)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGINT], ids=["immediate", "fast"])
async def test_fault_M12_a_restart_under_load_loses_nothing(
    own_server: PostgresServer, how: signal.Signals
) -> None:
    chance = random.Random(12)
    ledger = Ledger()
    async with opened(own_server.new()) as database:
        await attach(database)
        for round_ in range(count(2, 15)):
            load = Load(database, f"r{round_}", ledger.say)
            clients = [asyncio.ensure_future(load.client(15)) for _ in range(8)]
            await asyncio.sleep(chance.uniform(0.02, 0.15))
            own_server.stop(how)
            await asyncio.sleep(0.1)
            own_server.start()
            await asyncio.gather(*clients)
            await ledger.compare(database)
    assert len(ledger.acknowledged) > 100


async def test_fault_M12_a_server_that_stays_away_is_unavailable_in_time(own_server: PostgresServer) -> None:
    async with opened(own_server.new()) as database:
        assert await answered(database, "before")
        own_server.stop()
        try:
            begun = time.monotonic()
            assert not await answered(database, "away")
            with pytest.raises(UnavailableError):
                await database.fetch_one(READ, {"name": "before"})
            assert time.monotonic() - begun < BOUND
            with pytest.raises(UnavailableError):
                async with opened(own_server.url("postgres")):
                    pytest.fail("opened")
        finally:
            own_server.start()
        assert await answered(database, "after")
        assert await database.fetch_one(READ, {"name": "away"}) is None


@asynccontextmanager
async def through_proxy(server: PostgresServer, url: str) -> AsyncIterator[tuple[AuditedDatabase, Proxy]]:
    name = url.partition("@/")[2].partition("?")[0]
    with tempfile.TemporaryDirectory(prefix="wwpx") as directory:
        async with (
            proxied(Path(directory), server.directory) as proxy,
            opened(f"postgresql://postgres@/{name}?host={directory}") as database,
        ):
            yield database, proxy


@pytest.mark.parametrize("cut", [Cut.BEFORE_COMMIT, Cut.AFTER_COMMIT])
async def test_fault_M12_a_connection_cut_in_the_commit_is_answered_truthfully(
    postgres_server: PostgresServer, postgres_url: str, cut: Cut
) -> None:
    async with through_proxy(postgres_server, postgres_url) as (database, proxy):
        sequencer = Sequencer(0)
        database.use_audit(sequencer)
        ledger = Ledger()
        for round_ in range(count(5, 50)):
            proxy.arm(cut)
            load = Load(database, f"c{round_}", ledger.say)
            await asyncio.gather(*(load.client(1) for _ in range(4)))
        await ledger.compare(database)
        assert proxy.cuts_made >= 5
        refused = {name for name in ledger.refused if not name.startswith("claim")}
        assert not refused  # a cut is found out about, and what did not happen is done again
        rows = await database.fetch_all("select name from meta where name like 'seq:%'", {})
        assert sequencer.durable == len(rows)


async def test_fault_M12_an_outcome_that_cannot_be_found_out_is_called_unknown(
    postgres_server: PostgresServer, postgres_url: str, patient_again: Callable[[], None]
) -> None:
    async with through_proxy(postgres_server, postgres_url) as (database, proxy):
        database.use_audit(Sequencer(0))
        assert await answered(database, "first")
        proxy.arm(Cut.AFTER_COMMIT)
        unit = put("unknown")
        waiting = asyncio.ensure_future(database.commit(unit))
        while not proxy.cuts_made:
            await asyncio.sleep(0)  # each turn of the loop: a new connection takes several
        proxy.cut = Cut.EVERYTHING
        proxy.disconnect_all()
        with pytest.raises(UnavailableError, match="unknown"):
            await asyncio.wait_for(waiting, BOUND)
        proxy.cut = Cut.NEVER
        patient_again()
        await database.commit(put("later"))  # found out meanwhile, and in order
        assert await exists(postgres_url, "unknown")


async def test_fault_M12_no_connection_left_is_unavailable_and_recovers(
    own_server: PostgresServer, patient_again: Callable[[], None]
) -> None:
    url = own_server.new()
    keeper = await admin(own_server)
    async with opened(url) as database:
        assert await answered(database, "before")
        taken: list[asyncpg.Connection] = []
        await keeper.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'watchword'"
        )

        async def take_all() -> None:
            while True:
                taken.append(await admin(own_server))

        with pytest.raises(asyncpg.TooManyConnectionsError):
            await take_all()
        assert not await answered(database, "none left")
        for connection in taken:
            await connection.close()
        patient_again()
        await database.commit(put("after"))
    await keeper.close()


@pytest.mark.usefixtures("impatient")
async def test_fault_M12_a_lock_held_elsewhere_refuses_its_unit_alone(postgres_url: str) -> None:
    async with opened(postgres_url) as database:
        await database.commit(put("held"))
        other = await asyncpg.connect(postgres_url)
        transaction = other.transaction()
        await transaction.start()
        await other.execute("update meta set value = '' where name = 'held'")
        blocked = Unit(b"held")
        blocked.add("update meta set value = :value where name = :name", {"name": "held", "value": b"mine"})
        outcomes = await asyncio.gather(
            *(database.commit(unit) for unit in (put("a"), blocked, put("z"))), return_exceptions=True
        )
        assert outcomes[0] is None
        assert isinstance(outcomes[1], UnavailableError)
        assert outcomes[2] is None
        await transaction.rollback()
        await other.close()
        await database.commit(blocked)
        assert await database.fetch_one(READ, {"name": "held"}) == (b"mine",)


async def test_fault_M12_deadlocks_between_nodes_are_run_again(postgres_url: str) -> None:
    change = "update meta set value = :value where name = :name"
    async with opened(postgres_url) as one, opened(postgres_url) as two:
        await asyncio.gather(one.commit(put("x")), two.commit(put("y")))

        async def work(database: AuditedDatabase, names: str, tag: bytes) -> None:
            for n in range(count(5, 100)):
                unit = Unit(tag)
                for name in names:
                    unit.add(change, {"name": name, "value": tag + b"%d" % n})
                await database.commit(unit)

        await asyncio.gather(work(one, "xy", b"1-"), work(two, "yx", b"2-"))
        assert await one.fetch_one(READ, {"name": "x"}) == await one.fetch_one(READ, {"name": "y"})


async def test_fault_M12_an_empty_standby_is_refused_and_never_initialised(
    postgres_server: PostgresServer,
) -> None:
    url = postgres_server.new()
    name = url.partition("@/")[2].partition("?")[0]
    keeper = await admin(postgres_server)

    async def swap(away: str, here: str) -> None:
        await keeper.execute(
            f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
        )
        await keeper.execute(f"alter database {name} rename to {away}")
        await keeper.execute(f"alter database {here} rename to {name}")

    await keeper.execute(f"create database {name}_empty template template0")
    async with opened(url) as database:
        assert await answered(database, "before")
        await swap(f"{name}_ours", f"{name}_empty")
        assert not await answered(database, "to the standby")
        with pytest.raises(UnavailableError):
            await database.fetch_one(READ, {"name": "before"})
        standby = await asyncpg.connect(url)
        assert await standby.fetchval("select count(*) from pg_tables where schemaname = 'public'") == 0
        await standby.close()
        await swap(f"{name}_empty", f"{name}_ours")
        assert await answered(database, "after")
        assert await database.fetch_one(READ, {"name": "before"}) == (b"x",)
        assert await database.fetch_one(READ, {"name": "to the standby"}) is None
    await keeper.close()


async def test_a_batch_that_moves_one_row_twice_moves_it_twice(postgres_url: str) -> None:
    """What one statement over many rows would get wrong."""
    async with opened(postgres_url) as database:
        make = Unit(b"make")
        make.add("create table tally (n bigint not null)", {})
        make.add("insert into tally (n) values (0)", {})
        await database.commit(make)
        units = []
        for n in range(100):
            unit = Unit(b"%d" % n)
            unit.add("update tally set n = n + 1", {})
            units.append(unit)
        await asyncio.gather(*(database.commit(unit) for unit in units))
        assert await database.fetch_one("select n from tally", {}) == (100,)


async def test_one_bad_unit_among_many_is_found_without_hurting_them(postgres_url: str) -> None:
    async with opened(postgres_url) as database:
        await database.commit(put("taken"))
        units = [put(f"n{n}") for n in range(200)]
        units[77] = put("taken")
        outcomes = await asyncio.gather(*(database.commit(unit) for unit in units), return_exceptions=True)
        assert [n for n, outcome in enumerate(outcomes) if outcome is not None] == [77]
        assert isinstance(outcomes[77], ConflictError)
        row = await database.fetch_one("select count(*) from commits", {})
        assert row is not None
        assert int(row[0] or 0) < 25  # transactions, not one for each unit


async def test_a_missing_database_is_a_matter_of_configuration(postgres_server: PostgresServer) -> None:
    with pytest.raises(InvalidConfigError):
        async with opened(postgres_server.url("nowhere")):
            pytest.fail("opened")


async def test_a_server_that_does_not_sync_is_refused(own_server: PostgresServer) -> None:
    url = own_server.new_empty()
    keeper = await admin(own_server)
    for value in ("off", "on"):
        await keeper.execute(f"alter system set fsync = {value}")
        await keeper.execute("select pg_reload_conf()")
        while await keeper.fetchval("show fsync") != value:
            await asyncio.sleep(0.01)
        if value == "off":
            with pytest.raises(InvalidConfigError, match="fsync"):
                async with opened(url):
                    pytest.fail("opened")
    await keeper.close()


async def test_a_foreign_database_is_refused(postgres_server: PostgresServer) -> None:
    url = postgres_server.new_empty()
    theirs = await asyncpg.connect(url)
    await theirs.execute("create table theirs (x int)")
    await theirs.close()
    with pytest.raises(InvalidConfigError, match="something else"):
        async with opened(url):
            pytest.fail("opened")


async def test_nodes_that_start_together_migrate_once(postgres_server: PostgresServer) -> None:
    url = postgres_server.new_empty()

    async def start() -> None:
        async with opened(url) as database:
            await database.fetch_one(READ, {"name": "instance"})

    await asyncio.gather(*(start() for _ in range(4)))


async def test_a_wide_unit_is_whole(postgres_url: str) -> None:
    async with opened(postgres_url) as database:
        unit = Unit(b"wide")
        for n in range(300):
            unit.add(INSERT, {"name": f"w{n}", "value": b""})
        await database.commit(unit)
        assert len(await database.fetch_all("select name from meta where name like 'w%'", {})) == 300


@pytest.mark.parametrize("name", ["a\0b", "half \ud800 of a pair"])
async def test_a_value_that_postgres_cannot_hold_is_malformed_and_fails_its_unit_alone(
    postgres_database: AuditedDatabase, name: str
) -> None:
    bad = Unit(b"bad")
    bad.add(INSERT, {"name": name, "value": b"x"})
    outcomes = await asyncio.gather(
        postgres_database.commit(put("a")),
        postgres_database.commit(bad),
        postgres_database.commit(put("b")),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), MalformedError, type(None)]
    with pytest.raises(MalformedError):
        await postgres_database.fetch_one(READ, {"name": name})
    with pytest.raises(MalformedError):
        await postgres_database.fetch_one("select 1 from commits where number = :number", {"number": 2**63})
    assert await postgres_database.fetch_one(READ, {"name": "b"}) == (b"x",)


async def test_a_value_of_the_wrong_type_is_a_mistake_of_ours_and_not_the_callers(
    postgres_database: AuditedDatabase,
) -> None:
    with pytest.raises(asyncpg.DataError):
        await postgres_database.fetch_one(READ, {"name": 7})
