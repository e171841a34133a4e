"""FAULTS section D, guessing on one account: strangers are held up, from however many addresses; the owner never is.

Through the real application and a real database, with an injected clock.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kits.sealed import (
    OPERATOR,
    SignedIn,
    entries,
    log_in_as,
    login_payload,
    make_member,
    password_payload,
    post,
    reasons,
    seal,
    shape,
    short_key,
    sign_in,
    try_change,
    try_login,
)
from tests.kits.world import World, open_world, two_worlds

from watchword.client.flows.sealed import Prover
from watchword.core.clock import DAY, HOUR, MINUTE, SECOND
from watchword.core.encoding import decode_json
from watchword.core.ids import AccountId
from watchword.protocol.envelope import Purpose
from watchword.server.audit.model import AuditTag
from watchword.server.db.unit import Unit
from watchword.server.guessing.delays import FREE, LIMIT
from watchword.testing.counts import count

pytestmark = pytest.mark.anyio
YEAR = 365 * DAY
REFUSED, HELD, GOOD = 403, 429, 200


def verified(world: World) -> int:
    return world.services.guesses.verified


async def statuses(world: World, name: str, times: int) -> list[int]:
    return [(await try_login(world, name)).status_code for _ in range(times)]


async def owner_signs_in(world: World, anna: SignedIn) -> int:
    return (
        await try_login(world, anna.member.name, anna.member.login_secret, prover=anna.prover)
    ).status_code


def loopbacks(many: int) -> Iterator[str]:
    """So many addresses, over and over."""
    while True:
        for number in range(many):
            yield f"127.1.{number // 250}.{number % 250 + 1}"


async def test_fault_D1_delays_begin_after_five_failures_and_say_for_how_long(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await make_member(world, "anna")
        assert await statuses(world, "anna", FREE + 1) == [*[REFUSED] * FREE, HELD]
        held = await try_login(world, "anna")
        assert held.headers["retry-after"] == "30"
        assert decode_json(held.content)["code"] == "too_many"
        world.clock.advance(29 * SECOND)
        assert (await try_login(world, "anna")).headers["retry-after"] == "1"
        world.clock.advance(SECOND)
        assert await statuses(world, "anna", 2) == [REFUSED, HELD]
        assert (await try_login(world, "anna")).headers["retry-after"] == "60"
        assert await reasons(world, AuditTag.LOGIN_REFUSED) == ["wrong_secret"] * (FREE + 1)


async def test_fault_D2_D11_a_thousand_addresses_get_35_guesses_a_day_and_never_keep_the_owner_out(
    tmp_path: Path,
) -> None:
    """All day from 127.1.0.0/16: whenever a guess is let in, and some times when none is."""
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        addresses, mine, by_day = loopbacks(1000), world.address, []
        began, owner = world.clock.now(), 0
        for day in range(1, count(3, 9)):
            before = verified(world) - owner
            while world.clock.now() < began + day * DAY:
                world.address = next(addresses)
                answer = await try_login(world, "anna")
                assert answer.status_code in {REFUSED, HELD}
                if answer.status_code == HELD:
                    wait = int(answer.headers["retry-after"]) * SECOND
                    world.clock.advance(min(wait, began + day * DAY - world.clock.now()))
                if answer.status_code == REFUSED and (verified(world) - owner) % 10 == 0:
                    world.address = mine
                    assert await owner_signs_in(world, anna) == GOOD
                    owner += 1
            by_day.append(verified(world) - owner - before)
        assert by_day[0] <= 35
        assert all(each <= 24 for each in by_day[1:])
        world.address = mine
        assert await owner_signs_in(world, anna) == GOOD


async def nearly_closed(world: World) -> None:
    """Whoever has failed has failed 98 times in a row."""
    unit = Unit(key=b"lanes")
    unit.add("update guessing_lanes set in_row = :in_row", {"in_row": LIMIT - 2})
    await world.core.database.commit(unit)


async def guess_until_held_for_good(world: World, name: str, prover: Prover | None = None) -> None:
    """The last two failures; the first one makes the row that is then nearly full."""
    assert (await try_login(world, name, prover=prover)).status_code == REFUSED
    await nearly_closed(world)
    for _ in range(2):
        assert (await try_login(world, name, prover=prover)).status_code == REFUSED


async def test_fault_D1_D11_a_hundred_in_a_row_close_the_lane_and_an_own_device_opens_it(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        await guess_until_held_for_good(world, "anna")
        world.clock.advance(2 * DAY)
        closed = await try_login(world, "anna", anna.member.login_secret)
        assert (closed.status_code, closed.headers["retry-after"]) == (HELD, "3600")
        assert len(await entries(world, AuditTag.LANE_CLOSED)) == 1
        assert await owner_signs_in(world, anna) == GOOD
        (opened,) = await entries(world, AuditTag.LANE_OPENED)
        assert decode_json(opened.facts.encode())["device"] == anna.enrolled.device
        account = AccountId.parse(anna.enrolled.account.id)
        shown = [one.kind.value for one in await world.services.activity.recent(account)]
        assert shown[:3] == ["strangers_let_in", "signed_in", "strangers_shut_out"]
        assert (await try_login(world, "anna", anna.member.login_secret)).status_code == GOOD


async def test_an_operator_opens_a_closed_lane_and_its_waits_stay(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await make_member(world, "anna")
        await guess_until_held_for_good(world, "anna")
        await world.services.operator.resume("anna", OPERATOR)
        world.clock.advance(HOUR)
        assert (await try_login(world, "anna", anna.login_secret)).status_code == GOOD


async def test_what_was_verified_and_what_was_held_is_counted_by_lane(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        for prover in (None, anna.prover):
            for _ in range(FREE + 2):
                await try_login(world, "anna", prover=prover)
        await statuses(world, "nobody", FREE + 1)
        assert verified(world) == 3 * FREE
        assert world.services.guesses.held == {"device": 2, "strangers": 3}


async def test_fault_D4_every_spelling_of_a_name_has_one_lane(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await make_member(world, "bob", email="bob@example.org")
        for names in (
            ["bob", "Bob", "ｂｏｂ", "bOb", "BOB"],
            ["bob@example.org", "Bob@example.org", "bob@Example.org", "bob@EXAMPLE.ORG", "BOB@example.org"],
        ):
            assert [(await try_login(world, name)).status_code for name in names] == [REFUSED] * FREE
            assert [(await try_login(world, name)).status_code for name in names] == [HELD] * FREE


@pytest.mark.parametrize("tried", [("bob", "bob@example.org"), ("bob@example.org", "bob")])
async def test_fault_D18_guesses_at_the_name_do_not_tell_whose_e_mail_address_it_is(
    tmp_path: Path, tried: tuple[str, str]
) -> None:
    async with open_world(tmp_path) as world:
        bob = await make_member(world, "bob", email="bob@example.org")
        first, second = tried
        assert await statuses(world, first, FREE + 1) == [*[REFUSED] * FREE, HELD]
        answers = [await try_login(world, second) for _ in range(FREE + 1)]
        nobodys = [await try_login(world, "nobody@example.org") for _ in range(FREE + 1)]
        assert [shape(answer) for answer in answers] == [shape(answer) for answer in nobodys]
        world.clock.advance(MINUTE)
        assert (await try_login(world, "bob", bob.login_secret)).status_code == GOOD


async def test_fault_D14_two_lanes_that_are_closed_at_once_are_told_of_once(tmp_path: Path) -> None:
    names = ["bob", "bob@example.org"]
    async with open_world(tmp_path) as world:
        await make_member(world, "bob", email="bob@example.org")
        for name in names:
            await statuses(world, name, 1)
        unit = Unit(key=b"lanes")
        unit.add("update guessing_lanes set in_row = :half", {"half": LIMIT // 2 - 1})
        await world.core.database.commit(unit)
        at_both = await asyncio.gather(*(at_once(world, name, 4) for name in names))
        assert 2 <= sum(each.count(REFUSED) for each in at_both) <= 4
        assert len(await entries(world, AuditTag.LANE_CLOSED)) == 1
        assert [await statuses(world, name, 1) for name in names] == [[HELD], [HELD]]


@pytest.mark.parametrize("last", ["bob", "bob@example.org"])
async def test_fault_D4_a_hundred_in_a_row_by_name_and_e_mail_close_both(tmp_path: Path, last: str) -> None:
    names = ["bob", "bob@example.org"]
    async with open_world(tmp_path) as world:
        bob = await make_member(world, "bob", email="bob@example.org")
        for name in names:
            assert await statuses(world, name, 1) == [REFUSED]
        unit = Unit(key=b"lanes")
        unit.add("update guessing_lanes set in_row = :half", {"half": LIMIT // 2 - 1})
        await world.core.database.commit(unit)
        assert await statuses(world, last, 2) == [REFUSED, REFUSED]
        assert len(await entries(world, AuditTag.LANE_CLOSED)) == 1
        world.clock.advance(2 * DAY)
        for name in names:
            closed = await try_login(world, name, bob.login_secret)
            assert (closed.status_code, closed.headers["retry-after"]) == (HELD, "3600")
        await world.services.operator.resume("bob", OPERATOR)
        for name in names:
            assert await statuses(world, name, 1) == [REFUSED]
        assert (await try_login(world, "bob", bob.login_secret)).status_code == GOOD


async def test_fault_D5_a_success_on_another_account_frees_nobody(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await make_member(world, "anna")
        mallory = await make_member(world, "mallory")
        for _ in range(FREE):
            await try_login(world, "anna")
            await log_in_as(world, mallory)
        assert await statuses(world, "anna", 2) == [HELD, HELD]


async def test_fault_D11_a_right_password_from_a_stranger_gains_no_guesses_and_ends_the_row(
    tmp_path: Path,
) -> None:
    """Nor does it tell that somebody has the name."""
    async with open_world(tmp_path) as world:
        anna = await make_member(world, "anna")
        for name in ("anna", "nobody"):
            await statuses(world, name, FREE - 1)
        await log_in_as(world, anna)
        assert await statuses(world, "anna", 3) == await statuses(world, "nobody", 3) == [REFUSED, HELD, HELD]
        rows = await world.core.database.fetch_all("select in_row, recent from guessing_lanes order by 1", {})
        assert [tuple(row) for row in rows] == [(1, FREE), (FREE, FREE)]


async def test_fault_D11_the_owners_coming_and_going_gains_no_guesses(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        await statuses(world, "anna", FREE)
        for _ in range(3):
            assert await owner_signs_in(world, anna) == GOOD
            assert await statuses(world, "anna", 2) == [HELD, HELD]


@pytest.mark.parametrize("name", ["anna", "nobody"])
async def test_fault_D14_of_64_guesses_at_once_only_those_before_the_delay_are_verified(
    tmp_path: Path, name: str
) -> None:
    async with open_world(tmp_path) as world:
        await make_member(world, "anna")
        await statuses(world, name, FREE - 1)
        before = verified(world)
        assert await at_once(world, name, 64) == [REFUSED, *[HELD] * 63]
        assert verified(world) - before == 1


@pytest.mark.parametrize("name", ["anna", "nobody"])
async def test_fault_D14_64_guesses_at_once_on_a_fresh_lane_are_five(tmp_path: Path, name: str) -> None:
    async with open_world(tmp_path, passwords__server_hash="argon2id") as world:
        await make_member(world, "anna")
        assert await at_once(world, name, count(24, 64)) == [
            *[REFUSED] * FREE,
            *[HELD] * (count(24, 64) - FREE),
        ]


async def at_once(world: World, name: str, many: int, secret: str | None = None) -> list[int]:
    """The statuses of that many logins at once, in order of their numbers."""
    envelopes = [
        seal(world, Purpose.LOGIN, login_payload(world, name, secret), sk=await short_key(world, name))
        for _ in range(many)
    ]
    answers = await asyncio.gather(*(post(world, Purpose.LOGIN, envelope) for envelope in envelopes))
    return sorted(answer.status_code for answer in answers)


async def test_fault_D14_two_nodes_count_together_and_lose_no_failure(
    tmp_path: Path, postgres_url: str
) -> None:
    async with two_worlds(tmp_path, postgres_url) as (one, two):
        await make_member(one, "anna")
        for name in ("anna", "nobody"):
            taken = [await statuses(node, name, 1) for node in (one, two, one, two, one, two)]
            assert taken == [[REFUSED]] * FREE + [[HELD]], name
        await make_member(one, "bert")
        before = verified(one) + verified(two)
        answers = await asyncio.gather(*(at_once(node, "bert", 12) for node in (one, two)))
        refused = sum(each.count(REFUSED) for each in answers)
        assert refused == verified(one) + verified(two) - before
        assert FREE <= refused <= 2 * FREE
        row = await one.core.database.fetch_one("select max(in_row) from guessing_lanes", {})
        assert row is not None
        assert row[0] == refused, "each was counted"


@pytest.mark.parametrize("failures", [0, FREE - 1])
async def test_fault_D19_20_right_logins_at_once_all_succeed(tmp_path: Path, failures: int) -> None:
    async with open_world(tmp_path) as world:
        anna = await make_member(world, "anna")
        await statuses(world, "anna", failures)
        assert await at_once(world, "anna", 20, anna.login_secret) == [GOOD] * 20


async def test_fault_D18_a_lane_says_the_same_of_a_name_that_nobody_has(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await make_member(world, "anna")
        for step in range(2 * (FREE + 4)):
            if step == FREE + 4:
                await nearly_closed(world)
            mine, nobodys = await try_login(world, "anna"), await try_login(world, "nobd")
            assert shape(mine) == shape(nobodys), step
            if mine.status_code == HELD:
                world.clock.advance(int(mine.headers["retry-after"]) * SECOND)
        assert shape(await try_login(world, "anna")) == shape(await try_login(world, "nobd"))


async def test_fault_D18_a_suspended_accounts_lane_does_not_tell_a_right_password(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await make_member(world, "anna")
        await world.services.operator.suspend("anna", OPERATOR)
        right = [(await try_login(world, "anna", anna.login_secret)).status_code for _ in range(FREE + 1)]
        assert right == [*[REFUSED] * FREE, HELD]


async def test_fault_D15_failures_are_there_after_a_restart(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await make_member(world, "anna")
        for name in ("anna", "nobody"):
            await statuses(world, name, FREE)
    async with open_world(tmp_path, clock=world.clock, seed="b") as world:
        for name in ("anna", "nobody"):
            assert await statuses(world, name, 1) == [HELD]


@pytest.mark.parametrize("step", [HOUR, -HOUR, 10 * YEAR])
async def test_fault_D16_setting_the_clock_moves_no_delay(tmp_path: Path, step: int) -> None:
    async with open_world(tmp_path) as world:
        await make_member(world, "anna")
        await statuses(world, "anna", FREE + 1)
        key = await short_key(world, "anna")
        envelope = seal(world, Purpose.LOGIN, login_payload(world, "anna"), sk=key)
        world.clock.jump(step)
        assert (await post(world, Purpose.LOGIN, envelope)).headers["retry-after"] == "30"
        world.clock.jump(-step)
        world.clock.advance(30 * SECOND)
        assert await statuses(world, "anna", 1) == [REFUSED]


async def test_fault_D17_the_password_change_goes_through_the_devices_own_lane(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")

        async def guess() -> int:
            payload = password_payload(
                world, anna.member, login_secret=login_payload(world, "x")["login_secret"]
            )
            return (await try_change(world, anna, payload)).status_code

        assert [await guess() for _ in range(FREE + 1)] == [*[REFUSED] * FREE, HELD]
        assert await owner_signs_in(world, anna) == HELD
        assert (await try_login(world, "anna", anna.member.login_secret)).status_code == GOOD
        assert await guess() == HELD
        world.clock.advance(MINUTE)
        good = await try_change(world, anna, password_payload(world, anna.member))
        assert good.status_code == GOOD


async def test_fault_D17_a_device_is_ended_at_a_hundred_failures_in_its_lane(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        await guess_until_held_for_good(world, "anna", anna.prover)
        assert len(await entries(world, AuditTag.DEVICE_ENDED)) == 1
        assert await owner_signs_in(world, anna) == REFUSED
        assert (await world.call("GET", "/api/me", token=anna.token)).status_code == 401
        assert (await reasons(world, AuditTag.LOGIN_REFUSED))[-1] == "device_ended"
        assert (await try_login(world, "anna", anna.member.login_secret)).status_code == GOOD


async def test_naming_a_device_enters_no_lane_of_it(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna, mallory = await sign_in(world, "anna"), await sign_in(world, "mallory")
        before = verified(world)
        for _ in range(2 * FREE):
            key = await short_key(world, "anna")
            envelope = seal(world, Purpose.LOGIN, login_payload(world, "anna"), sk=key)
            answer = await post(
                world, Purpose.LOGIN, envelope, prover=mallory.prover, device=anna.enrolled.device
            )
            assert answer.status_code == REFUSED
        assert verified(world) == before
        assert await owner_signs_in(world, anna) == GOOD


async def test_lanes_that_are_switched_off_hold_nobody_and_count_nothing(tmp_path: Path) -> None:
    async with open_world(tmp_path, limits__guessing="false") as world:
        anna = await make_member(world, "anna")
        assert await statuses(world, "anna", 2 * FREE) == [REFUSED] * 2 * FREE
        assert await world.core.database.fetch_all("select * from guessing_lanes", {}) == []
        await log_in_as(world, anna)


async def test_lanes_that_say_nothing_any_more_are_forgotten(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        await statuses(world, "anna", 1)
        assert await owner_signs_in(world, anna) == GOOD
        await statuses(world, "bert", 1)
        world.clock.advance(3 * DAY)
        await world.services.tidy(world.clock.now())
        rows = await world.core.database.fetch_all("select in_row from guessing_lanes", {})
        assert [tuple(row) for row in rows] == [(1,)]
