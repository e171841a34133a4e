"""Lanes on both engines: counted by one, whoever else counts, and read with what they are looked up for."""

import pytest
from tests.kits.stored import NOW, add_account, blob, make_device, outcomes_of, refused_by, run

from watchword.core.clock import DAY, Instant, later
from watchword.server.accounts.sql import SQLAccountStore
from watchword.server.db.unit import AuditedDatabase, Unit
from watchword.server.devices.sql import SQLDeviceStore
from watchword.server.guessing.model import (
    BY_EMAIL,
    BY_NAME,
    FRESH,
    LaneKey,
    LaneState,
    lane_of,
    strangers_of,
)
from watchword.server.guessing.sql import SQLLaneStore
from watchword.server.guessing.store import LaneStore

pytestmark = pytest.mark.anyio
LANE = LaneKey(blob("owner", 16))
DEVICE = LaneKey(blob("owner", 16), blob("device", 16))
NOBODY = LaneKey(b"\x00\x01", tag=blob("tag", 16))
SAME_PLACE = LaneKey(b"\x00\x01", tag=blob("other tag", 16))
ONE, TWO = LaneState(1, 1, NOW), LaneState(2, 2, later(NOW, 1))


@pytest.fixture
def store(database: AuditedDatabase) -> LaneStore:
    return SQLLaneStore(database)


async def replace(
    database: AuditedDatabase, store: LaneStore, key: LaneKey, old: LaneState, new: LaneState
) -> None:
    await run(database, lambda unit: store.replace(unit, key, old, new))


async def test_a_lane_without_failures_has_no_row_and_each_lane_its_own(database, store: LaneStore) -> None:
    for key in (LANE, DEVICE, NOBODY):
        assert await store.find(key) == FRESH
    await replace(database, store, LANE, FRESH, ONE)
    await replace(database, store, LANE, ONE, TWO)
    await replace(database, store, NOBODY, FRESH, ONE)
    assert [await store.find(key) for key in (LANE, DEVICE, NOBODY)] == [TWO, FRESH, ONE]


@pytest.mark.parametrize("old", [FRESH, LaneState(1, 1, Instant(NOW + 1)), LaneState(1, 0, NOW), TWO])
async def test_what_was_counted_meanwhile_is_not_overwritten(
    database, store: LaneStore, old: LaneState
) -> None:
    await replace(database, store, LANE, FRESH, ONE)
    assert await refused_by(replace(database, store, LANE, old, LaneState(9, 9, NOW))) == "lane"
    assert await store.find(LANE) == ONE


async def test_fault_D14_of_20_who_count_from_the_same_state_one_does(database, store: LaneStore) -> None:
    outcomes = await outcomes_of([replace(database, store, LANE, FRESH, ONE) for _ in range(20)])
    assert (outcomes.count("lane"), outcomes.count(None)) == (19, 1)


async def test_of_two_names_with_one_place_the_later_takes_it(database, store: LaneStore) -> None:
    await replace(database, store, NOBODY, FRESH, TWO)
    assert await store.find(SAME_PLACE) == FRESH
    await replace(database, store, SAME_PLACE, FRESH, ONE)
    assert await store.find(SAME_PLACE) == ONE
    assert await store.find(NOBODY) == FRESH


async def test_a_success_clears_its_lane_and_ends_the_row_of_another(database, store: LaneStore) -> None:
    for key in (LANE, DEVICE):
        await replace(database, store, key, FRESH, TWO)

    def succeed(unit: Unit) -> None:
        store.clear(unit, DEVICE)
        store.end_row(unit, LANE)

    await run(database, succeed)
    assert await store.find(DEVICE) == FRESH
    assert await store.find(LANE) == LaneState(TWO.recent, 0, TWO.failed_at)


async def test_only_lanes_that_say_nothing_are_forgotten(database, store: LaneStore) -> None:
    await replace(database, store, LANE, FRESH, LaneState(3, 0, NOW))
    await replace(database, store, DEVICE, FRESH, LaneState(3, 1, NOW))
    await run(database, lambda unit: store.drop_quiet(unit, NOW))
    assert (await store.find(LANE)).recent == 3
    await run(database, lambda unit: store.drop_quiet(unit, later(NOW, DAY)))
    assert [await store.find(key) for key in (LANE, DEVICE)] == [FRESH, LaneState(3, 1, NOW)]


async def test_a_lane_is_read_with_the_name_or_the_device_it_is_for(database, store: LaneStore) -> None:
    anna = await add_account(database, "anna")
    device, accounts = make_device(anna), SQLAccountStore(database)
    devices = SQLDeviceStore(database)
    await run(database, lambda unit: devices.insert(unit, device))
    for state in (FRESH, ONE):
        known = await accounts.find_attempt("u:anna", NOBODY)
        assert known.record == await accounts.find_login("u:anna")
        assert known.record is not None
        assert (known.lane, known.state) == (strangers_of(anna.id), state)
        unknown = await accounts.find_attempt("u:bert", NOBODY)
        assert (unknown.record, unknown.lane, unknown.state) == (None, NOBODY, state)
        assert await devices.find_with_lane(device.id) == (device, state)
        assert await store.find(strangers_of(anna.id)) == state
        if state == FRESH:
            for key in (strangers_of(anna.id), NOBODY, lane_of(anna.id, device.id)):
                await replace(database, store, key, FRESH, ONE)
    elsewhere = await accounts.find_attempt("u:carl", SAME_PLACE)
    assert elsewhere.state == FRESH


@pytest.mark.parametrize("way", [BY_NAME, BY_EMAIL])
async def test_a_lane_is_read_with_the_row_of_the_one_beside_it(
    database, store: LaneStore, way: bytes
) -> None:
    anna = await add_account(database, "anna", email="anna@example.org")
    accounts, key = SQLAccountStore(database), strangers_of(anna.id, way)
    name = "u:anna" if way == BY_NAME else "e:anna@example.org"
    assert key.beside is not None
    await replace(database, store, lane_of(anna.id, make_device(anna).id), FRESH, TWO)
    await replace(database, store, key.beside, FRESH, TWO)
    for own in (FRESH, ONE):
        expected = LaneState(own.recent, own.in_row, own.failed_at, beside=TWO.in_row)
        attempt = await accounts.find_attempt(name, NOBODY)
        assert (attempt.lane, attempt.state) == (key, expected)
        assert await store.find(key) == expected
        if own == FRESH:
            await replace(database, store, key, expected, ONE)
    await run(database, lambda unit: store.end_row(unit, key))
    assert (await store.find(key)).row == 0
    assert (await store.find(key)).recent == ONE.recent


async def test_the_lanes_of_an_account_go_with_it(database, store: LaneStore) -> None:
    anna, bert = await add_account(database, "anna"), await add_account(database, "bert")
    for key in (strangers_of(anna.id), LaneKey(anna.id.value, blob("device", 16)), strangers_of(bert.id)):
        await replace(database, store, key, FRESH, ONE)
    await run(database, lambda unit: SQLAccountStore(database).delete(unit, anna.id))
    rows = await database.fetch_all("select owner from guessing_lanes", {})
    assert [bytes(row[0]) for row in rows] == [bert.id.value]


async def test_a_device_is_ended_once(database) -> None:
    anna = await add_account(database, "anna")
    devices, device = SQLDeviceStore(database), make_device(anna)
    await run(database, lambda unit: devices.insert(unit, device))
    await run(database, lambda unit: devices.end(unit, device.id, NOW))
    await run(database, lambda unit: devices.end(unit, device.id, later(NOW, 1)))
    found = await devices.find(device.id)
    assert found is not None
    assert found.ended_at == NOW
