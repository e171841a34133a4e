"""What the service does besides counting: operators, watchers, what is kept of names and addresses."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.kits.bans import BY, open_node
from tests.kits.world import World, open_world

from watchword.core.clock import MINUTE, SECOND
from watchword.errors import ForbiddenError, MalformedError, NotFoundError, UnavailableError
from watchword.server.bans import service
from watchword.server.bans.model import Offence, OffenceKind
from watchword.server.bans.store import BANS
from watchword.server.bans.watching import Change
from watchword.server.db.unit import Unit
from watchword.testing import FixedClock

pytestmark = pytest.mark.anyio
ATTACKER, NEIGHBOUR = "198.51.100.7", "198.51.100.8"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path / "data") as opened:
        yield opened


async def test_no_name_is_kept_as_text(world: World) -> None:
    node = await open_node(world)
    node.fail(ATTACKER, 5, name="u:canary")
    await node.step()
    row = await world.core.database.fetch_one("select names from offences", {})
    assert row is not None
    assert isinstance(row[0], bytes)
    assert len(row[0]) == 16
    assert b"canary" not in row[0]


async def test_whoever_wakes_other_nodes_is_told_when_bans_are_kept(world: World) -> None:
    node = await open_node(world)
    told: list[int] = []
    node.bans.on_written(lambda: told.append(1))
    node.fail(ATTACKER, 20)
    assert told == []
    await node.step()
    assert told == [1]
    await node.step()
    assert told == [1]


def fields_of(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    return [record.__dict__["watchword_fields"] for record in caplog.records if record.message == event]


async def test_a_ban_names_the_request_that_it_was_made_for_and_its_end_is_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "watchword")
    node = await open_node(world)
    for number in range(20):
        node.bans.offend(Offence(OffenceKind.CREDENTIAL, ATTACKER, request=f"req_{number}"))
    await node.step()
    [made] = fields_of(caplog, "bans.made")
    assert (made["reason"], made["request"]) == ("failures", "req_19")
    facts = [json.loads(entry.facts) for entry in await world.core.audit.tail(9) if "ban" in entry.tag]
    assert [each["request"] for each in facts] == ["req_19"]
    await node.bans.lift(ATTACKER, by={**BY, "request": "req_lift"})
    lifted = {"ban": made["ban"], "address": ATTACKER, "request": "req_lift"}
    assert fields_of(caplog, "bans.lifted") == [lifted]


class Driven:
    """`asyncio` for the service, but that its time is `clock`'s, which passes as it waits: by tenths of seconds."""

    def __init__(self, clock: FixedClock, passed: Callable[[], Awaitable[None]]) -> None:
        self._clock = clock
        self._passed = passed

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def wait_for(self, awaited: Coroutine[Any, Any, Any], timeout: float) -> Any:
        waiting = asyncio.ensure_future(awaited)
        for _ in range(round(timeout * 10)):
            self._clock.advance(100)
            await self._passed()
            await asyncio.sleep(0)
            if waiting.done():
                return waiting.result()
        waiting.cancel()
        raise TimeoutError


async def test_fault_D15_what_is_counted_is_never_five_seconds_old_before_it_is_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where bans wake the service at the worst moment, just before it would have written."""
    node = await open_node(world)
    failed_at: dict[str, int] = {}
    ages: dict[str, int] = {}
    ended = asyncio.Event()

    async def passed() -> None:
        now, turn = node.clock.now(), len(failed_at)
        for (source,) in await world.core.database.fetch_all("select source from offences", {}):
            ages.setdefault(str(source), now - failed_at[str(source)])
        if turn == 250:
            ended.set()
            await asyncio.Event().wait()
        failed_at[f"203.0.113.{turn + 1}"] = now
        node.fail(f"203.0.113.{turn + 1}")
        if turn % 19 == 18:
            node.bans.wake()

    monkeypatch.setattr(service, "asyncio", Driven(node.clock, passed))
    running = asyncio.create_task(node.bans.run())
    await ended.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    for source, at in failed_at.items():
        ages.setdefault(source, node.clock.now() - at)
    assert max(ages.values()) <= 5 * SECOND


async def test_audit_shows_addresses_as_they_may_be_kept(world: World) -> None:
    node = await open_node(world, privacy__addresses="truncated")
    node.fail(ATTACKER, 20)
    await node.step()
    await node.bans.add("203.0.113.9", by=BY)
    shown = [entry.personal or "" for entry in await world.core.audit.tail(9) if "ban" in entry.tag]
    assert "198.51.100.0/24" in shown[0]
    assert "203.0.113.0/24" in shown[1]


async def test_fault_D20_dangerous_bans_need_a_second_word(world: World) -> None:
    node = await open_node(world)
    dangerous = ["0.0.0.0/0", "::/0", "64.0.0.0/7", "127.0.0.2", "203.0.113.0/24"]
    for network in dangerous:
        with pytest.raises(ForbiddenError, match="--yes"):
            await node.bans.add(network, by=BY, own="203.0.113.5")
    assert node.bans.page() == []
    for network in dangerous:
        await node.bans.add(network, by=BY, own="203.0.113.5", confirmed=True)
    assert len(node.bans.page()) == len(dangerous)


async def test_who_is_exempt_cannot_be_banned_by_name(world: World) -> None:
    node = await open_node(world, bans__allow="192.0.2.0/24")
    with pytest.raises(ForbiddenError, match=r"bans\.allow"):
        await node.bans.add("192.0.2.7", by=BY, confirmed=True)
    with pytest.raises(MalformedError):
        await node.bans.add("192.0.2.300", by=BY)
    with pytest.raises(MalformedError):
        await node.bans.add("198.51.100.1", by=BY, length_ms=0)


async def test_a_lift_means_a_source_an_id_or_all_within_a_network(world: World) -> None:
    node = await open_node(world)
    for address in ("2001:db8:1:2::7", "2001:db8:1:3::7", ATTACKER):
        node.fail(address, 20)
    with pytest.raises(NotFoundError):
        await node.bans.lift(NEIGHBOUR, by=BY)
    assert [ban.network for ban in await node.bans.lift("2001:db8:1:2::99", by=BY)] == ["2001:db8:1:2::/64"]
    lifted = await node.bans.lift("2001:db8:1::/48", by=BY)
    assert [ban.network for ban in lifted] == ["2001:db8:1:3::/64"]
    assert [ban.network for ban in await node.bans.lift(str(node.bans.page()[0].id), by=BY)] == [ATTACKER]
    await node.bans.add("198.51.100.0/24", by=BY)
    with pytest.raises(NotFoundError, match=r"198\.51\.100\.0/24: lift that"):
        await node.bans.lift(ATTACKER, by=BY)
    await node.step()
    assert node.ends_in(ATTACKER) > 0


async def test_a_ban_that_was_not_yet_kept_does_not_come_back_once_it_is_lifted(world: World) -> None:
    node = await open_node(world)
    node.fail(ATTACKER, 20)
    await node.bans.lift(ATTACKER, by=BY)
    await node.step()
    assert node.ends_in(ATTACKER) == 0
    assert (await open_node(world)).ends_in(ATTACKER) == 0


async def test_a_watcher_sees_bans_come_and_go(world: World) -> None:
    node = await open_node(world)
    watching = node.bans.watch()
    first = asyncio.ensure_future(anext(watching))
    await asyncio.sleep(0)
    node.fail(ATTACKER, kind=OffenceKind.FORGED)
    node.clock.advance(2 * MINUTE)
    node.fail(ATTACKER, kind=OffenceKind.FORGED)
    await node.bans.lift(ATTACKER, by=BY)
    seen = [await first, await anext(watching), await anext(watching)]
    assert [change for change, _ban in seen] == [Change.BANNED, Change.EXTENDED, Change.LIFTED]
    assert {ban.network for _change, ban in seen} == {ATTACKER}


async def test_what_cannot_be_kept_waits_until_it_can(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    node = await open_node(world)
    node.fail(ATTACKER, 20)
    node.fail(NEIGHBOUR, 5)

    async def away(_unit: Unit) -> None:
        raise UnavailableError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(world.core.database, "commit", away)
        with pytest.raises(UnavailableError):
            await node.step()
        await node.bans.flush()
        with pytest.raises(UnavailableError):
            await node.bans.add("192.0.2.7", by=BY)
    assert node.ends_in(ATTACKER) > 0
    assert node.ends_in("192.0.2.7") == 0
    await node.step()
    again = await open_node(world)
    assert again.ends_in(ATTACKER) > 0
    again.fail(NEIGHBOUR, 15)
    assert again.ends_in(NEIGHBOUR) > 0


async def test_at_the_end_counts_are_kept_though_bans_cannot_be_and_the_log_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    node = await open_node(world)
    node.fail(ATTACKER, 20)
    node.fail(NEIGHBOUR, 19)
    commit = world.core.database.commit

    async def no_bans(unit: Unit) -> None:
        if unit.key == BANS:
            raise UnavailableError("the disk is full")
        await commit(unit)

    monkeypatch.setattr(world.core.database, "commit", no_bans)
    await node.bans.flush()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "bans.not_kept"
    ]
    again = await open_node(world)
    again.fail(NEIGHBOUR)
    assert again.ends_in(NEIGHBOUR) > 0


async def test_a_running_server_keeps_bans_by_itself_and_goes_on_after_trouble(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LOOK_EVERY_S", 0.001)
    node = await open_node(world)
    asked = asyncio.Event()
    commit = world.core.database.commit

    async def away(_unit: Unit) -> None:
        asked.set()
        raise UnavailableError("the disk is full")

    monkeypatch.setattr(world.core.database, "commit", away)
    running = asyncio.create_task(node.bans.run())
    node.fail(ATTACKER, 20)
    await asyncio.wait_for(asked.wait(), 60)
    monkeypatch.setattr(world.core.database, "commit", commit)
    kept = asyncio.Event()
    node.bans.on_written(kept.set)
    await asyncio.wait_for(kept.wait(), 60)
    running.cancel()
    assert (await open_node(world)).ends_in(ATTACKER) > 0
