"""FAULTS D3, D5 and scanners, from one address: how far it comes before it is banned, over HTTP."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Final

from tests.kits.attacker import Attacker, Foothold, addresses, register, verified
from tests.kits.policies import FREE, MOST_FAILURES, Guarded
from tests.kits.process import RunningServer

from watchword.testing import measured
from watchword.testing.counts import count

PASSWORD: Final = "violet kangaroo plays chess"
SPRAYER, ALTERNATOR, SCANNER, INNOCENT = addresses(4, network=6)
BEFORE_A_BAN: Final = {"balanced": MOST_FAILURES, "strict": 1}
VICTIMS: Final = 5
PROBES: Final = (
    "/.env",
    "/wp-login.php",
    "/.git/config",
    "/cgi-bin/test",
    "/phpmyadmin/index.php",
    "/actuator/env",
)


def names(number: int) -> list[str]:
    """Of which `carla`, late among them, has the password that is tried."""
    found = [f"person{each:04}" for each in range(number)]
    found[number * 3 // 4] = "carla"
    return found


async def spray(server: RunningServer, number: int) -> Attacker:
    """One password against so many names, one after another."""
    await register(server, "carla", password=PASSWORD)
    async with Attacker(server, [SPRAYER]) as attacker:
        await attacker.guess_all((name, PASSWORD) for name in names(number))
    return attacker


def test_without_a_door_one_password_against_a_thousand_names_finds_whose_it_is(
    unguarded: RunningServer,
) -> None:
    number = count(40, 1000)
    attacker = asyncio.run(spray(unguarded, number))
    assert attacker.found == [("carla", PASSWORD)]
    assert attacker.seen == Counter(refused=number - 1, granted=1)


def test_fault_D3_one_password_against_a_thousand_names_ends_in_a_ban(guarded: Guarded) -> None:
    number, limit = count(100, 1000), BEFORE_A_BAN[guarded.policy]
    attacker = asyncio.run(spray(guarded.server, number))
    measured.record(f"one password against {number} names, {guarded.policy}", str(dict(attacker.seen)))
    assert attacker.found == []
    assert attacker.seen["refused"] == limit
    assert attacker.seen["too_many"] + attacker.seen["closed"] == number - limit
    assert attacker.seen["too_many"] >= 1
    assert int(attacker.answers[limit].headers["retry-after"]) >= 1


def nine_and_one() -> Iterator[tuple[str, str]]:
    """Nine failures on somebody, then a success on the attacker's own account, and so on with the next."""
    for victim in range(VICTIMS):
        yield from ((f"victim{victim}", f"not it {each}, surely not") for each in range(9))
        yield "mallory", PASSWORD


def test_fault_D5_a_success_of_ones_own_in_between_makes_no_failure_undone(guarded: Guarded) -> None:
    """Neither those of the address, which is banned in the end, nor those of a victim's account."""
    server, before = guarded.server, verified(guarded.server)

    async def attack() -> Attacker:
        await register(server, "mallory", *(f"victim{each}" for each in range(VICTIMS)), password=PASSWORD)
        async with Attacker(server, [ALTERNATOR]) as attacker:
            await attacker.guess_all(nine_and_one())
        return attacker

    attacker = asyncio.run(attack())
    refused, granted = attacker.seen["refused"], attacker.seen["granted"]
    measured.record(f"nine failures and a success in turn, {guarded.policy}", str(dict(attacker.seen)))
    assert refused <= BEFORE_A_BAN[guarded.policy]
    assert verified(server) - before == refused + granted
    assert {name for name, _ in attacker.found} <= {"mallory"}
    assert attacker.answers[-1].status == 429, "the address is banned at the end"
    assert granted <= refused // FREE, "of each victim the five that are free"


def test_a_scanner_is_banned_for_the_paths_that_it_asks_for_and_nobody_beside_it(guarded: Guarded) -> None:
    limit = BEFORE_A_BAN[guarded.policy]

    async def scan() -> list[int]:
        scanner, innocent = Foothold(guarded.server, SCANNER), Foothold(guarded.server, INNOCENT)
        paths = [PROBES[number % len(PROBES)] for number in range(limit + 2)]
        statuses = [(await scanner.send("GET", path)).status for path in [*paths, "/register"]]
        statuses.append((await innocent.send("GET", "/register")).status)
        await scanner.close()
        await innocent.close()
        return statuses

    statuses = asyncio.run(scan())
    assert set(statuses[:limit]) == {404}, "until then they lead nowhere"
    assert statuses[limit:] == [429, 429, 429, 200]
