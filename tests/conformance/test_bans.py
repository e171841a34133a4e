"""Bans on both engines: kept, read again, shared by nodes, lifted, audited; races included."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.kits.backups import end, put_back, take_of
from tests.kits.bans import BY, open_node
from tests.kits.stored import count
from tests.kits.world import World, open_world

from watchword.core.clock import DAY, HOUR, MINUTE, SECOND, Instant
from watchword.core.ids import BanId
from watchword.server.bans.model import Ban, BanReason, OffenceKind
from watchword.server.bans.sql import SQLBanStore
from watchword.server.bans.store import PAGE, Cursor
from watchword.server.db.unit import Unit
from watchword.testing import FixedClock

pytestmark = pytest.mark.anyio
ATTACKER, NEIGHBOUR = "198.51.100.7", "198.51.100.8"


@pytest.fixture
async def world(database_location: str | Path, tmp_path: Path) -> AsyncIterator[World]:
    url = database_location if isinstance(database_location, str) else None
    async with open_world(tmp_path / "data", database=url) as opened:
        yield opened


def make_ban(number: int, network: str = "", *, length: int = HOUR) -> Ban:
    return Ban(
        id=BanId(number.to_bytes(16, "big")),
        network=network or f"10.0.{number >> 8}.{number & 255}",
        reason=BanReason.FAILURES,
        made_at=Instant(1_800_000_000_000),
        ends_at=Instant(1_800_000_000_000 + length),
        doublings=number % 3,
        note="",
    )


async def put(world: World, *bans: Ban, replace: bool = False) -> None:
    store, unit = SQLBanStore(world.core.database), Unit(key=b"bans")
    store.begin(unit)
    for ban in bans:
        store.put(unit, ban, replace=replace)
    await world.core.database.commit(unit)


async def stored(world: World) -> list[Ban]:
    return list((await SQLBanStore(world.core.database).load(since=Instant(0), limit=10_000)).bans)


async def test_a_ban_comes_back_as_it_was_kept(world: World) -> None:
    bans = [make_ban(number, length=number * HOUR) for number in (3, 2, 1)]
    await put(world, *bans)
    assert await stored(world) == bans
    store = SQLBanStore(world.core.database)
    assert [ban.id for ban in (await store.load(since=bans[1].ends_at, limit=9)).bans] == [bans[0].id]
    assert len((await store.load(since=Instant(0), limit=2)).bans) == 2


async def test_the_later_end_wins_unless_an_operator_says_otherwise(world: World) -> None:
    long, short = make_ban(1, length=2 * HOUR), make_ban(2, "10.0.0.1", length=HOUR)
    await put(world, long)
    await put(world, short)
    assert await stored(world) == [long]
    await put(world, short, replace=True)
    assert await stored(world) == [short]


async def test_changes_are_read_in_pages_and_none_twice(world: World) -> None:
    store = SQLBanStore(world.core.database)
    start = (await store.load(since=Instant(0), limit=9)).cursor
    bans = [make_ban(number) for number in range(PAGE + 5)]
    await put(world, *bans[:-1])
    await put(world, bans[-1])
    first = await store.changes(start)
    rest = await store.changes(first[-1].cursor)
    assert len(first) == PAGE
    assert {change.ban.network for change in first + rest} == {ban.network for ban in bans}
    assert rest[-1].ban == bans[-1]
    assert await store.changes(rest[-1].cursor) == []
    after = (await store.load(since=Instant(0), limit=9)).cursor
    assert await store.changes(after) == []
    assert after > Cursor()


async def test_many_writers_at_once_each_have_a_number_of_their_own(world: World) -> None:
    bans = [make_ban(number) for number in range(20)]
    await asyncio.gather(*(put(world, ban) for ban in bans))
    changes = await SQLBanStore(world.core.database).changes(Cursor())
    assert len({cursor.change for cursor, _ban in changes}) == len(bans)


async def test_rows_are_dropped_once_they_make_no_difference(world: World) -> None:
    node = await open_node(world)
    node.fail(ATTACKER, 20)
    node.fail(NEIGHBOUR, 1)
    await node.bans.add("192.0.2.7", by=BY)
    await node.step()

    async def left() -> tuple[int, int]:
        unit = Unit(key=b"tidy")
        node.bans.drop_old(unit)
        await world.core.database.commit(unit)
        return len(await stored(world)), await count(world.core.database, "offences")

    node.clock.advance(59 * MINUTE)
    assert await left() == (2, 1)  # nothing in the first hour
    node.clock.advance(MINUTE)
    assert await left() == (2, 0)
    node.clock.advance(DAY - HOUR + 10 * MINUTE - 2 * SECOND - 1)
    assert await left() == (2, 0)
    node.clock.advance(1)
    assert await left() == (1, 0)


async def test_a_ban_outlives_its_process_and_keeps_its_end(world: World) -> None:
    node = await open_node(world)
    node.fail(ATTACKER, 20)
    assert node.ends_in(ATTACKER) == 600
    await node.step(0)
    world.clock.advance(MINUTE)
    again = await open_node(world)
    assert again.ends_in(ATTACKER) == 540
    assert again.ends_in(NEIGHBOUR) == 0
    world.clock.advance(9 * MINUTE)
    assert again.ends_in(ATTACKER) == 0
    again.fail(ATTACKER, 20)
    assert again.ends_in(ATTACKER) == 1200


async def test_counts_outlive_their_process(world: World) -> None:
    node = await open_node(world)
    node.fail(ATTACKER, 19, name="u:ada")
    await node.step()
    again = await open_node(world)
    again.fail(NEIGHBOUR)
    assert again.ends_in(ATTACKER) == 0
    again.fail(ATTACKER)
    assert again.ends_in(ATTACKER) == 600


async def test_nodes_share_bans_whatever_their_clocks_show(world: World) -> None:
    one = await open_node(world)
    behind = await open_node(world, clock=FixedClock(1_800_000_000_000 - DAY))
    ahead = await open_node(world, clock=FixedClock(1_800_000_000_000 + DAY))
    for node in (one, behind, ahead):
        node.bans._shared = True
    one.fail(ATTACKER, 20)
    await one.step(0)
    for node in (behind, ahead):
        await node.step()
        assert node.ends_in(ATTACKER) == 600
    await ahead.bans.lift(ATTACKER, by=BY)
    for node in (one, behind):
        await node.step()
        assert node.ends_in(ATTACKER) == 0


async def test_a_lift_elsewhere_forgets_what_was_counted_here(world: World) -> None:
    one, other = await open_node(world), await open_node(world)
    for node in (one, other):
        node.bans._shared = True
    other.fail(ATTACKER, 20)
    await other.step()
    one.fail(ATTACKER, 19)
    await one.step()
    await other.bans.lift(ATTACKER, by=BY)
    await one.step()
    one.fail(ATTACKER, 19)
    assert one.ends_in(ATTACKER) == 0


async def test_bans_are_audited_with_their_reason(world: World) -> None:
    node = await open_node(world)
    node.fail(ATTACKER, 20, name="u:ada")
    node.fail("2001:db8::7", kind=OffenceKind.FORGED)
    await node.step()
    entries = [entry for entry in await world.core.audit.tail(9) if entry.tag == "door:address:ban"]
    facts = [json.loads(entry.facts) for entry in entries]
    assert [(fact["reason"], fact["seconds"], fact["prefix"]) for fact in facts] == [
        ("failures", 600, 32),
        ("forged", 900, 64),
    ]
    personal = [json.loads(entry.personal or "")["address"][1] for entry in entries]
    assert personal == [ATTACKER, "2001:db8::7"]


async def test_fault_D20_what_an_operator_adds_and_lifts_is_audited(world: World) -> None:
    node = await open_node(world)
    added = [
        await node.bans.add("192.0.2.7", by=BY, length_ms=HOUR, note="noise"),
        await node.bans.add("203.0.113.0/24", by=BY),
        await node.bans.add("0.0.0.0/0", by=BY, length_ms=MINUTE, confirmed=True),
    ]
    assert node.bans.page() == sorted(added, key=lambda ban: ban.id)
    assert node.ends_in("203.0.113.200") == DAY // SECOND
    assert node.ends_in("8.8.8.8") == 60
    lifted = await node.bans.lift("0.0.0.0/0", by=BY, confirmed=True)
    assert {ban.network for ban in lifted} == {ban.network for ban in added}
    assert node.bans.page() == []
    tags = [entry.tag for entry in await world.core.audit.tail(6)]
    assert tags == ["operator:ban:add"] * 3 + ["operator:ban:lift"] * 3
    again = await open_node(world)
    assert again.bans.page() == []
    entry = (await world.core.audit.tail(6))[0]
    assert json.loads(entry.facts)["seconds"] == 3600
    assert json.loads(entry.facts)["by"] == "local operator"
    assert "noise" in (entry.personal or "")


async def test_fault_M10_a_backup_holds_bans_and_what_was_counted(tmp_path: Path) -> None:
    old, new, file, clock = tmp_path / "old", tmp_path / "new", tmp_path / "b.wwb", FixedClock()
    async with open_world(old, clock=clock) as world:
        node = await open_node(world)
        node.fail(ATTACKER, 20)
        node.fail(NEIGHBOUR, 19)
        await node.step()
        await take_of(world, file)
        kept = await stored(world)
    await put_back(file, new, old / "root.key", clock=clock)
    await end(new, clock=clock)
    async with open_world(new, clock=clock, seed="new") as world:
        assert await stored(world) == kept
        node = await open_node(world)
        assert node.ends_in(ATTACKER) > 0
