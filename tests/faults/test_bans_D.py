"""FAULTS D3, D5, D10, D12, D13, D16 and B20, as far as bans decide them."""

import ipaddress
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.kits.bans import BY, Node, open_node
from tests.kits.world import PASSWORD, World, open_world

from watchword.core.clock import DAY, HOUR, MINUTE, SECOND
from watchword.server.bans.book import MAX_SOURCES, MemoryOffenceBook
from watchword.server.bans.making import IN_FLIGHT
from watchword.server.bans.model import BanReason, OffenceKind
from watchword.testing.counts import count

pytestmark = pytest.mark.anyio
ATTACKER = "198.51.100.7"
YEAR = 365 * DAY


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path / "data") as opened:
        yield opened


def book_of(node: Node) -> MemoryOffenceBook:
    book = node.bans._book
    assert isinstance(book, MemoryOffenceBook)
    return book


async def test_fault_D3_one_password_against_many_accounts_bans_within_20_names(world: World) -> None:
    node = await open_node(world)
    for number in range(1000):
        if node.ends_in(ATTACKER):
            break
        node.fail(ATTACKER, name=f"u:name{number}")
        node.clock.advance(20 * SECOND)
    assert number <= 20


async def test_fault_D3_a_policy_of_ones_own_counts_names_by_themselves(world: World) -> None:
    node = await open_node(world, bans__failures="1000", bans__names="5")
    node.fail(ATTACKER, 100, name="u:ada")
    for number in range(4):
        assert not node.ends_in(ATTACKER)
        node.fail(ATTACKER, name=f"u:name{number}")
    found = node.bans.find(ATTACKER)
    assert found is not None
    assert found.ban.reason is BanReason.NAMES


async def test_fault_D5_nothing_but_time_forgets_a_failure(world: World) -> None:
    """There is no way to tell the book of a success: an own account between the guesses changes nothing."""
    node = await open_node(world)
    for _ in range(2):
        node.fail(ATTACKER, 9)
        node.clock.advance(MINUTE)
        node.fail(ATTACKER, 1, name="u:own")
    assert node.ends_in(ATTACKER) > 0


async def test_fault_D10_addresses_of_one_customer_are_one_source(world: World) -> None:
    node = await open_node(world)
    for number in range(20):
        assert not node.ends_in("2001:db8:1:2::1")
        node.fail(f"2001:db8:1:2::{number:x}")
    assert node.ends_in("2001:db8:1:2:ffff::1")
    assert not node.ends_in("2001:db8:1:3::1")


async def test_fault_D10_networks_side_by_side_are_banned_together(world: World) -> None:
    node = await open_node(world)
    for number in range(1000):
        address = f"2001:db8:1:{number:x}::7"
        if not node.ends_in(address):
            node.fail(address, 20)
    assert {ban.network for ban in node.bans.page() if ban.reason is BanReason.NEIGHBOURS} >= {
        "2001:db8:1::/56",
        "2001:db8:1:300::/56",
        "2001:db8:1::/48",
    }
    assert node.bans.live == 4 * 4 + 4 + 1
    assert node.ends_in("2001:db8:1:ffff::1")
    assert not node.ends_in("2001:db8:2::1")


async def test_fault_D10_who_takes_care_to_use_three_of_each_is_banned_as_well(world: World) -> None:
    node = await open_node(world)
    used = 0
    for number in range(0, 0x10000, 0x100):
        for beside in range(3):
            address = f"2001:db8:1:{number + beside:x}::7"
            if not node.ends_in(address):
                node.fail(address, 20)
                used += 1
    assert used == 16


async def test_fault_D12_no_offence_bans_who_is_exempt(world: World) -> None:
    node = await open_node(
        world,
        bans__policy="strict",
        bans__allow="127.0.0.1, 203.0.113.0/24, 2001:db8::7",
        proxies="192.0.2.1",
    )
    exempt = ("127.0.0.1", "203.0.113.9", "192.0.2.1", "2001:db8::7")
    for address in (*exempt, "", "unix"):
        for kind in OffenceKind:
            node.fail(address, 200, kind=kind)
    assert node.bans.live == 0
    assert len(book_of(node)) == 0
    node.fail("2001:db8::8")
    assert node.ends_in("2001:db8::8")
    assert not node.ends_in("2001:db8::7")


async def test_fault_D13_a_million_sources_stay_within_the_bound_and_evict_nobody_who_attacks(
    world: World,
) -> None:
    node = await open_node(world)
    attackers = [f"198.51.100.{number}" for number in range(200)]
    for attacker in attackers:
        node.fail(attacker, 15, name="u:ada")
    node.fail("203.0.113.7", 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    total = count(quick=MAX_SOURCES + 2000, full=1_000_000)
    for number in range(total):
        node.fail(str(ipaddress.IPv4Address(0x0A000000 + number)), name=f"u:{number}")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert len(book_of(node)) == MAX_SOURCES
    assert grown < 64 * 1024
    assert node.ends_in("203.0.113.7")
    for attacker in attackers:
        node.fail(attacker, 5, name="u:ada")
        assert node.ends_in(attacker)


@pytest.mark.parametrize("jump", [HOUR, -HOUR, 10 * YEAR, -10 * YEAR])
async def test_fault_D16_setting_the_clock_neither_lifts_nor_prolongs_a_ban(world: World, jump: int) -> None:
    node = await open_node(world)
    node.fail(ATTACKER, 20)
    node.clock.jump(jump)
    assert node.ends_in(ATTACKER) == 600
    node.fail("198.51.100.8", 20)
    assert node.ends_in("198.51.100.8") == 600
    await node.step(9 * MINUTE)
    node.clock.jump(-jump)
    assert node.ends_in(ATTACKER) == 60
    await node.step(MINUTE)
    assert node.ends_in(ATTACKER) == 0


@pytest.mark.parametrize("policy", ["failures", "operator"])
async def test_fault_D16_no_ban_is_eternal_that_was_made_while_the_clock_was_ahead(
    world: World, policy: str
) -> None:
    world.clock.jump(10 * YEAR)
    node = await open_node(world)
    if policy == "operator":
        await node.bans.add(ATTACKER, by=BY, length_ms=10 * MINUTE)
    else:
        node.fail(ATTACKER, 20)
    await node.step(0)
    world.clock.jump(-10 * YEAR)
    again = await open_node(world)
    assert again.ends_in(ATTACKER) == 600
    await again.step(MINUTE)
    once_more = await open_node(world)
    assert once_more.ends_in(ATTACKER) == 540
    await once_more.step(9 * MINUTE)
    assert once_more.ends_in(ATTACKER) == 0


async def test_fault_D16_a_ban_for_ever_stays_whatever_the_clock_shows(world: World) -> None:
    node = await open_node(world)
    await node.bans.add(ATTACKER, by=BY)
    for jump in (10 * YEAR, -20 * YEAR):
        world.clock.jump(jump)
        assert (await open_node(world)).ends_in(ATTACKER) == 86_400


async def test_fault_B20_a_ban_is_of_a_source_and_never_of_a_name(world: World) -> None:
    node = await open_node(world)
    await world.register("ada")
    for number in range(30):
        node.fail(f"10.0.0.{number}", 19, name="u:ada")
    await node.step()
    tables = [
        await world.core.database.fetch_all(f"select * from {table}", {}) for table in ("bans", "offences")
    ]
    assert tables[0] == []
    assert not any(b"ada" in cell for row in tables[1] for cell in row if isinstance(cell, bytes))
    assert node.ends_in("127.0.0.1") == 0
    login = await world.log_in("ada", PASSWORD)
    assert login is not None


async def test_strict_bans_at_the_first_failure_and_balanced_refuses_what_is_over_a_limit(
    world: World,
) -> None:
    strict, balanced = await open_node(world, bans__policy="strict"), await open_node(world)
    for number, kind in enumerate(OffenceKind):
        strict.fail(f"10.0.0.{number}", kind=kind)
        assert bool(strict.ends_in(f"10.0.0.{number}")) == (kind is not OffenceKind.LIMITED)
        balanced.fail(f"10.0.0.{number}", kind=kind)
        assert bool(balanced.ends_in(f"10.0.0.{number}")) == (kind is OffenceKind.FORGED)
    balanced.fail(ATTACKER, 1999, kind=OffenceKind.LIMITED)
    assert not balanced.ends_in(ATTACKER)
    balanced.fail(ATTACKER, kind=OffenceKind.LIMITED)
    assert balanced.ends_in(ATTACKER)


async def test_policy_off_bans_nobody_but_whom_an_operator_does(world: World) -> None:
    node = await open_node(world, bans__policy="off")
    for kind in OffenceKind:
        node.fail(ATTACKER, 500, kind=kind)
    assert not node.ends_in(ATTACKER)
    await node.bans.add(ATTACKER, by=BY)
    assert node.ends_in(ATTACKER)


async def test_forgeries_while_banned_begin_the_ban_again_and_never_double_it(world: World) -> None:
    node = await open_node(world)
    for _ in range(8):
        node.fail(ATTACKER, kind=OffenceKind.FORGED)
        node.clock.advance(11 * SECOND)
    assert 900 - 88 <= node.ends_in(ATTACKER) <= 900
    node.clock.advance(5 * MINUTE)
    node.fail(ATTACKER, kind=OffenceKind.FORGED)
    assert node.ends_in(ATTACKER) == 900


async def test_a_further_ban_doubles_once_the_last_has_ended(world: World) -> None:
    node = await open_node(world)
    lengths = []
    for _ in range(9):
        node.fail(ATTACKER, kind=OffenceKind.FORGED)
        lengths.append(node.ends_in(ATTACKER) // 60)
        await node.step(node.ends_in(ATTACKER) * SECOND)
    assert lengths == [15, 30, 60, 120, 240, 480, 960, 1440, 1440]


async def test_policy_off_lets_in_whom_the_policy_banned_before(world: World) -> None:
    strict = await open_node(world)
    strict.fail(ATTACKER, 20)
    await strict.bans.add("203.0.113.7", by=BY)
    await strict.step(0)
    off = await open_node(world, bans__policy="off")
    off.bans._shared = True
    assert (off.ends_in(ATTACKER), off.bans.live) == (0, 1)
    assert off.ends_in("203.0.113.7")
    strict.fail("198.51.100.8", 20)
    await strict.bans.add("203.0.113.8", by=BY)
    await strict.step(0)
    await off.step(0)
    assert (off.ends_in("198.51.100.8"), off.bans.live) == (0, 2)
    assert (await open_node(world)).ends_in(ATTACKER) == 600


async def test_the_policy_leaves_an_operators_ban_alone_and_does_not_double_for_it(world: World) -> None:
    node, other = await open_node(world), await open_node(world)
    node.bans._shared = other.bans._shared = True
    ban = await node.bans.add(ATTACKER, by=BY, length_ms=MINUTE, note="asked them to stop")
    for where in (node, other):  # the other has not heard of it
        where.fail(ATTACKER, 20)
        where.fail(ATTACKER, kind=OffenceKind.FORGED)
    await node.step(0)
    await other.step(0)
    assert node.bans.page() == [ban]
    assert [(each.id, each.note) for each in other.bans.page()] == [(ban.id, ban.note)]
    assert (await open_node(world)).bans.page() == [ban]
    await node.step(MINUTE)
    node.fail(ATTACKER, 20)
    await node.step(0)
    assert (await open_node(world)).ends_in(ATTACKER) == 600


async def test_single_forgeries_from_many_networks_do_not_ban_the_carrier(world: World) -> None:
    node = await open_node(world)
    phones = [f"2001:db8:1:{number:x}::7" for number in range(64)]
    for phone in phones:
        node.fail(phone, kind=OffenceKind.FORGED)
    assert node.bans.live == len(phones)
    assert not node.ends_in("2001:db8:1:ffff::1")
    await node.step(15 * MINUTE)
    for phone in phones[:4]:
        node.fail(phone, kind=OffenceKind.FORGED)
    assert node.ends_in("2001:db8:1:ff::1")


async def test_failures_from_a_network_that_forged_make_its_ban_widen(world: World) -> None:
    node = await open_node(world)
    for number in range(4):
        address = f"2001:db8:1:{number:x}::7"
        node.fail(address, kind=OffenceKind.FORGED)
        node.clock.advance(2 * MINUTE)
        node.fail(address, 20)
        node.clock.advance(2 * MINUTE)
        node.fail(address, kind=OffenceKind.FORGED)
    assert node.ends_in("2001:db8:1:ff::1")


async def test_operators_bans_do_not_widen(world: World) -> None:
    node = await open_node(world)
    for number in range(3):
        await node.bans.add(f"2001:db8:1:{number:x}::", by=BY)
    node.fail("2001:db8:1:9::7", 20)
    assert not node.ends_in("2001:db8:1:ff::1")


@pytest.mark.parametrize("policy", ["balanced", "strict"])
async def test_requests_that_were_let_in_before_a_ban_make_no_longer_one(world: World, policy: str) -> None:
    node = await open_node(world, bans__policy=policy)
    node.fail(ATTACKER, 64)
    node.clock.advance(IN_FLIGHT - 1)
    node.fail(ATTACKER, 64, kind=OffenceKind.FORGED)
    assert node.ends_in(ATTACKER) == 600 - 9
    assert len(book_of(node)) == 0
