"""What every database does, on both engines: units are atomic, isolated and durable, and fail alone."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from watchword.core.clock import Instant
from watchword.core.secret import Secret
from watchword.crypto.aead import VersionedKey
from watchword.errors import ConflictError, UnavailableError
from watchword.server.audit.chain import AuditChain
from watchword.server.audit.entry import ChainHead
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.db.unit import AuditedDatabase, GuardError, Step, Unit, Value
from watchword.server.measures import DatabaseMeasures
from watchword.testing import SeededEntropy
from watchword.testing.databases import opened

pytestmark = pytest.mark.anyio

INSERT = "insert into meta (name, value) values (:name, :value)"
CHANGE = "update meta set value = :value where name = :name"
CLAIM = "update meta set value = :value where name = :name and value = :old"
READ = "select value from meta where name = :name"
NAMES = "select name from meta where name not in ('instance', 'group') order by name"
SEEN = "select name from meta where name = :name {for_update}"


def put(name: str, value: bytes = b"", *, key: bytes | None = None, guard: str | None = None) -> Unit:
    unit = Unit(name.encode() if key is None else key)
    unit.add(INSERT, {"name": name, "value": value}, guard=guard)
    return unit


async def make_numbers(database: AuditedDatabase) -> None:
    unit = Unit(b"numbers")
    unit.add("create table numbers (id text primary key, number bigint not null)", {})
    await database.commit(unit)


async def names(database: AuditedDatabase) -> list[str]:
    return [str(row[0]) for row in await database.fetch_all(NAMES, {})]


class Chain:
    """An audit sink that keeps its place as the real one does, and writes it into `numbers`."""

    def __init__(self) -> None:
        self.durable = self.working = self.before = 0
        self.open = False

    def begin(self) -> None:
        assert not self.open
        self.open = True
        self.working = self.before = self.durable

    def entries(self, events: Sequence[AuditEvent]) -> Sequence[Step]:
        assert self.open
        self.before = self.working
        steps: list[Step] = []
        for _ in events:
            self.working += 1
            row: dict[str, Value] = {"id": f"audit{self.working}", "number": self.working}
            steps.append(Step("insert into numbers (id, number) values (:id, :number)", row))
        return steps

    def undo(self) -> None:
        self.working = self.before

    def committed(self) -> None:
        self.durable = self.working
        self.open = False

    def rolled_back(self) -> None:
        self.working = self.before = self.durable
        self.open = False


EVENT = AuditEvent(tag=AuditTag.SERVER_STARTED, at=Instant(1))


async def test_a_committed_unit_is_read_back_exactly(database: AuditedDatabase) -> None:
    await make_numbers(database)
    unit = Unit(b"k")
    unit.add(
        "insert into meta (name, value) values (:name, :value)",
        {"name": "ä\u202e'", "value": bytes(range(256))},
    )
    unit.add("insert into numbers (id, number) values (:id, :number)", {"id": "i", "number": -(1 << 63)})
    await database.commit(unit)
    assert await database.fetch_one(READ, {"name": "ä\u202e'"}) == (bytes(range(256)),)
    assert await database.fetch_one("select number from numbers where id = :id", {"id": "i"}) == (-(1 << 63),)


async def test_each_transaction_is_counted_once_it_is_on_disk(database: AuditedDatabase) -> None:
    measures = DatabaseMeasures()
    database.use_measures(measures)
    await asyncio.gather(*(database.commit(put(f"counted {number}")) for number in range(5)))
    assert measures.groups.total == 5
    assert 1 <= sum(measures.groups.counts) == sum(measures.syncs.counts) <= 5
    assert measures.syncs.total > 0
    with pytest.raises(GuardError):
        await database.commit(put("counted 1", guard="taken"))
    assert measures.groups.total == 5


async def test_a_missing_row_is_none_and_no_rows_are_an_empty_list(database: AuditedDatabase) -> None:
    assert await database.fetch_one(READ, {"name": "nobody"}) is None
    assert await database.fetch_all(READ, {"name": "nobody"}) == []


async def test_quotes_and_casts_in_a_statement_are_not_parameters(database: AuditedDatabase) -> None:
    row = await database.fetch_one("select ':name', :value::bigint /* :no */", {"value": 7})
    assert row == (":name", 7)


async def test_a_failed_guard_undoes_the_whole_unit(database: AuditedDatabase) -> None:
    unit = put("first")
    unit.add(CHANGE, {"name": "missing", "value": b""}, guard="missing")
    with pytest.raises(GuardError) as caught:
        await database.commit(unit)
    assert caught.value.guard == "missing"
    assert await names(database) == []


@pytest.mark.parametrize("rows", [0, 2])
async def test_a_guard_demands_exactly_its_number_of_rows(database: AuditedDatabase, rows: int) -> None:
    await database.commit(put("one"))
    unit = Unit(b"k")
    unit.add(CHANGE, {"name": "one", "value": b"new"}, guard="rows", rows=rows)
    with pytest.raises(GuardError):
        await database.commit(unit)
    assert await database.fetch_one(READ, {"name": "one"}) == (b"",)


async def test_a_guarded_select_counts_the_rows_it_finds(database: AuditedDatabase) -> None:
    await database.commit(put("one"))
    good = put("two")
    good.steps.insert(0, Step(SEEN, {"name": "one"}, "seen"))
    await database.commit(good)
    bad = put("three")
    bad.steps.insert(0, Step(SEEN, {"name": "nobody"}, "seen"))
    with pytest.raises(GuardError):
        await database.commit(bad)
    assert await names(database) == ["one", "two"]


async def test_a_guarded_returning_counts_the_rows_it_gives(database: AuditedDatabase) -> None:
    await database.commit(put("one"))
    unit = Unit(b"k")
    unit.add(CHANGE + " returning name", {"name": "one", "value": b"new"}, guard="changed")
    await database.commit(unit)
    assert await database.fetch_one(READ, {"name": "one"}) == (b"new",)


async def test_a_guarded_insert_that_is_second_fails_its_guard(database: AuditedDatabase) -> None:
    await database.commit(put("taken"))
    with pytest.raises(GuardError) as caught:
        await database.commit(put("taken", guard="free"))
    assert caught.value.guard == "free"
    ignoring = Unit(b"k")
    ignoring.add(INSERT + " on conflict (name) do nothing", {"name": "taken", "value": b""}, guard="free")
    with pytest.raises(GuardError):
        await database.commit(ignoring)


async def test_an_unguarded_insert_that_is_second_is_a_conflict(database: AuditedDatabase) -> None:
    await database.commit(put("taken"))
    with pytest.raises(ConflictError):
        await database.commit(put("taken"))


async def test_a_wrong_statement_fails_its_unit_alone(database: AuditedDatabase) -> None:
    wrong = put("wrong")
    wrong.add("insert into nowhere (x) values (:x)", {"x": 1})
    outcomes = await asyncio.gather(
        database.commit(put("a")), database.commit(wrong), database.commit(put("b")), return_exceptions=True
    )
    assert [outcome is None for outcome in outcomes] == [True, False, True]
    assert await names(database) == ["a", "b"]


async def test_a_failing_unit_does_not_hurt_its_neighbours(database: AuditedDatabase) -> None:
    await database.commit(put("taken"))
    units = [put(f"n{n:03}") for n in range(100)]
    for n in range(0, 100, 7):  # each fails after its first write
        units[n].add(INSERT, {"name": "taken", "value": b""}, guard="free")
    outcomes = await asyncio.gather(*(database.commit(unit) for unit in units), return_exceptions=True)
    failed = {n for n, outcome in enumerate(outcomes) if outcome is not None}
    assert failed == set(range(0, 100, 7))
    assert set(await names(database)) == {"taken"} | {f"n{n:03}" for n in range(100)} - {
        f"n{n:03}" for n in failed
    }


async def test_fault_B10_a_claim_by_fifty_tasks_is_won_once(database: AuditedDatabase) -> None:
    await database.commit(put("code", b"free"))

    async def claim(n: int) -> bool:
        unit = Unit(b"code")
        unit.add(CLAIM, {"name": "code", "old": b"free", "value": b"%d" % n}, guard="free")
        unit.add(INSERT, {"name": f"winner{n}", "value": b""})
        try:
            await database.commit(unit)
        except GuardError:
            return False
        return True

    won = await asyncio.gather(*(claim(n) for n in range(50)))
    assert sum(won) == 1
    assert await names(database) == ["code", f"winner{won.index(True)}"]


async def test_a_claim_under_fifty_keys_is_won_once_too(database: AuditedDatabase) -> None:
    await database.commit(put("code", b"free"))

    async def claim(n: int) -> None:
        unit = Unit(b"%d" % n)
        unit.add(CLAIM, {"name": "code", "old": b"free", "value": b"%d" % n}, guard="free")
        await database.commit(unit)

    outcomes = await asyncio.gather(*(claim(n) for n in range(50)), return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert all(isinstance(outcome, GuardError) for outcome in outcomes if outcome is not None)


async def test_units_of_one_key_never_interleave(database: AuditedDatabase) -> None:
    """Each unit reads and moves a counter in two steps: any interleaving would fail a guard."""
    await database.commit(put("counter", b"0"))
    cast = "update meta set value = :next where name = 'counter' and value = :now"

    async def move(n: int) -> None:
        unit = Unit(b"counter")
        unit.add(cast, {"now": b"0", "next": b"%d" % n}, guard="zero")
        unit.add(cast, {"now": b"%d" % n, "next": b"0"}, guard="mine")
        await database.commit(unit)

    await asyncio.gather(*(move(n) for n in range(1, 60)))
    assert await database.fetch_one(READ, {"name": "counter"}) == (b"0",)


async def test_units_of_one_key_run_in_the_order_of_their_commits(database: AuditedDatabase) -> None:
    await database.commit(put("last", b""))
    units = []
    for n in range(40):
        unit = Unit(b"last")
        unit.add(CHANGE, {"name": "last", "value": b"%d" % n})
        units.append(unit)
    await asyncio.gather(*(database.commit(unit) for unit in units))
    assert await database.fetch_one(READ, {"name": "last"}) == (b"39",)


async def test_a_committed_unit_is_there_after_reopening(database_location: str | Path) -> None:
    async with opened(database_location) as database:
        await asyncio.gather(*(database.commit(put(f"n{n:03}")) for n in range(200)))
    async with opened(database_location) as database:
        assert len(await names(database)) == 200


async def test_closing_finishes_what_is_queued(database_location: str | Path) -> None:
    async with opened(database_location) as database:
        waiting = [asyncio.ensure_future(database.commit(put(f"n{n:03}"))) for n in range(100)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    async with opened(database_location) as database:
        assert len(await names(database)) == 100


async def test_a_closed_database_is_unavailable(database_location: str | Path) -> None:
    async with opened(database_location) as database:
        pass
    with pytest.raises(UnavailableError):
        await database.fetch_one(READ, {"name": "x"})
    with pytest.raises(UnavailableError):
        await database.fetch_all(READ, {"name": "x"})
    with pytest.raises(UnavailableError):
        await database.commit(put("x"))
    await database.close()  # twice is once


async def test_a_unit_given_up_before_it_ran_does_not_run(database: AuditedDatabase) -> None:
    task = asyncio.ensure_future(database.commit(put("given up")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.commit(put("next"))
    assert "next" in await names(database)


async def test_audit_entries_are_in_the_same_transaction_and_without_gaps(database: AuditedDatabase) -> None:
    await make_numbers(database)
    chain = Chain()
    database.use_audit(chain)
    await database.commit(put("taken"))
    units = [put("taken" if n % 5 == 0 else f"n{n:03}", key=b"%d" % n, guard="free") for n in range(60)]
    for unit in units:
        unit.note(EVENT)
        unit.note(EVENT)
    outcomes = await asyncio.gather(*(database.commit(unit) for unit in units), return_exceptions=True)
    done = sum(outcome is None for outcome in outcomes)
    assert done == 48
    rows = await database.fetch_all("select number from numbers order by number", {})
    numbers = [row[0] for row in rows]
    assert numbers == list(range(1, 2 * done + 1))
    assert chain.durable == 2 * done
    assert not chain.open


async def test_a_failing_audit_entry_undoes_its_unit(database: AuditedDatabase) -> None:
    await make_numbers(database)
    chain = Chain()
    database.use_audit(chain)
    taken = Unit(b"k")
    taken.add("insert into numbers (id, number) values (:id, :number)", {"id": "audit1", "number": 0})
    await database.commit(taken)
    unit = put("x")
    unit.note(EVENT)
    with pytest.raises(ConflictError):
        await database.commit(unit)
    assert await names(database) == []
    assert chain.durable == 0
    assert not chain.open


async def test_a_broken_audit_chain_is_an_alarm_and_no_conflict_of_the_callers(
    database: AuditedDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody else wrote the next entry of our chain: every unit with events is refused until that is seen to."""
    start = ChainHead()
    key = VersionedKey(version=1, key=Secret(bytes(32)))
    database.use_audit(AuditChain(node="a", key=key, head=start, entropy=SeededEntropy(1)))
    first, second, other = put("first"), put("second"), put("other")
    first.note(EVENT)
    second.note(EVENT)
    await database.commit(first)
    database.use_audit(AuditChain(node="a", key=key, head=start, entropy=SeededEntropy(2)))
    outcomes = await asyncio.gather(database.commit(second), database.commit(other), return_exceptions=True)
    assert isinstance(outcomes[0], UnavailableError)
    assert outcomes[1] is None
    assert await names(database) == ["first", "other"]
    alarms = [line.message for line in caplog.records if line.levelno == logging.CRITICAL]
    assert len(alarms) == 1
    assert "audit entry" in alarms[0]


async def test_a_unit_whose_events_cannot_be_written_leaves_nothing_beside_its_neighbours(
    database: AuditedDatabase,
) -> None:
    mute = put("mute")
    mute.note(EVENT)  # and no chain is attached
    outcomes = await asyncio.gather(
        *(database.commit(unit) for unit in (put("a"), mute, put("z"))), return_exceptions=True
    )
    assert [outcome is None for outcome in outcomes] == [True, False, True]
    assert await names(database) == ["a", "z"]


async def test_a_guard_that_matches_too_many_rows_leaves_nothing_beside_its_neighbours(
    database: AuditedDatabase,
) -> None:
    await asyncio.gather(database.commit(put("one")), database.commit(put("two")))
    greedy = Unit(b"greedy")
    greedy.add("update meta set value = :value where name in ('one', 'two')", {"value": b"x"}, guard="one")
    outcomes = await asyncio.gather(
        *(database.commit(unit) for unit in (put("a"), greedy, put("z"))), return_exceptions=True
    )
    assert [outcome is None for outcome in outcomes] == [True, False, True]
    assert await database.fetch_one(READ, {"name": "one"}) == (b"",)


async def test_events_without_a_chain_are_refused(database: AuditedDatabase) -> None:
    unit = put("x")
    unit.note(EVENT)
    with pytest.raises(RuntimeError):
        await database.commit(unit)
    assert await names(database) == []


async def test_a_reader_sees_whole_units_only(database: AuditedDatabase) -> None:
    """Two rows are always changed together; no read finds them different."""
    await database.commit(put("left", b"0"))
    await database.commit(put("right", b"0"))
    both = "select l.value, r.value from meta l, meta r where l.name = 'left' and r.name = 'right'"
    stop = False

    async def write() -> None:
        nonlocal stop
        for n in range(60):
            unit = Unit(b"pair")
            unit.add(CHANGE, {"name": "left", "value": b"%d" % n})
            unit.add(CHANGE, {"name": "right", "value": b"%d" % n})
            await database.commit(unit)
        stop = True

    async def read() -> int:
        reads = 0
        while not stop:
            row = await database.fetch_one(both, {})
            assert row is not None
            assert row[0] == row[1]
            reads += 1
            await asyncio.sleep(0)
        return reads

    _, reads = await asyncio.gather(write(), read())
    assert reads > 0
