"""FAULTS D2, D11, D14: a thousand addresses against one account, over HTTP, with and without the door.

The word list holds the password, so that whoever may try it all gets in: so it is where nothing stops him.
"""

import asyncio
import time
from collections import Counter
from typing import Final

from tests.kits.attacker import Attacker, Foothold, Owner, addresses, register, verified
from tests.kits.policies import FREE, Guarded, most_guesses
from tests.kits.process import RunningServer

from watchword.testing import measured
from watchword.testing.counts import count, soaking

PASSWORD: Final = "violet kangaroo plays chess"
LOGIN_S: Final = 2.0
LOGINS: Final = 5
"""Of the owner, while the attack goes on."""


def words(number: int) -> list[str]:
    """The password stands late among them, at three quarters."""
    found = [f"a password that is not right {each}" for each in range(number)]
    found[number * 3 // 4] = PASSWORD
    return found


async def owner_logs_in(server: RunningServer, owner: Owner, times: int) -> list[float]:
    """At the first try each time, on the device; how long it took."""
    foothold, taken = Foothold(server, "127.2.0.1"), []
    for _ in range(times):
        began = time.monotonic()
        await owner.log_in(foothold)
        taken.append(time.monotonic() - began)
        await asyncio.sleep(0.05)
    await foothold.close()
    return taken


def test_without_a_door_a_thousand_addresses_find_the_password(unguarded: RunningServer) -> None:
    number, before = count(40, 1000), verified(unguarded)

    async def attack() -> Attacker:
        await register(unguarded, "anna", password=PASSWORD)
        async with Attacker(unguarded, addresses(number)) as attacker:
            await attacker.guess_all(("anna", word) for word in words(number))
        return attacker

    attacker = asyncio.run(attack())
    reached = verified(unguarded) - before
    measured.record(
        "attack on one account, nothing in the way", f"{reached} of {number} guesses verified: found"
    )
    assert attacker.found == [("anna", PASSWORD)]
    assert attacker.seen == Counter(refused=number - 1, granted=1)
    assert reached == number


def test_fault_D2_D11_a_thousand_addresses_get_what_one_gets_and_the_owner_gets_in(guarded: Guarded) -> None:
    """Each address tries twice, and the owner comes again and again, on the device, from an address of the owner's."""
    number, server, before = count(120, 1000), guarded.server, verified(guarded.server)

    async def attack() -> tuple[Attacker, list[float], float]:
        (owner,) = await register(server, "anna", password=PASSWORD)
        await owner_logs_in(server, owner, 1)
        async with Attacker(server, addresses(number)) as attacker:
            began = time.monotonic()
            tries = [("anna", word) for word in words(number) * 2]
            _, taken = await asyncio.gather(attacker.guess_all(tries), owner_logs_in(server, owner, LOGINS))
            lasted = time.monotonic() - began
        return attacker, taken + await owner_logs_in(server, owner, 1), lasted

    attacker, taken, lasted = asyncio.run(attack())
    reached = verified(server) - before - LOGINS - 2
    measured.record(
        f"attack on one account, {guarded.policy}",
        f"{reached} of {2 * number} guesses from {number} addresses verified in {lasted:.1f} s, {dict(attacker.seen)};"
        f" the owner in at each first try, within {max(taken):.2f} s",
    )
    assert attacker.found == []
    assert 0 < reached <= most_guesses(lasted)  # what the owner does between them forgets no failure
    assert attacker.seen["refused"] == reached
    assert attacker.seen["too_many"] + attacker.seen["closed"] == 2 * number - reached
    assert not soaking() or max(taken) <= LOGIN_S  # a quick run has the machine not to itself


def test_fault_D14_of_64_guesses_at_once_no_more_are_verified_than_may_fail(guarded: Guarded) -> None:
    """The account is one failure short of its first delay, and they come from 64 addresses on open connections."""
    server, before = guarded.server, verified(guarded.server)

    async def attack() -> tuple[Attacker, float]:
        await register(server, "bert", password=PASSWORD)
        began = time.monotonic()
        async with Attacker(server, addresses(FREE - 1, network=3)) as first:
            await first.guess_all(("bert", f"{word} surely is not it") for word in range(FREE - 1))
        assert first.seen == {"refused": FREE - 1}
        async with Attacker(server, addresses(64, network=4), at_once=64) as attacker:
            await attacker.greet()
            await attacker.guess_all(("bert", f"another {word} that is not it") for word in range(64))
        return attacker, time.monotonic() - began

    attacker, lasted = asyncio.run(attack())
    reached = verified(server) - before
    assert FREE <= reached <= most_guesses(lasted)
    assert attacker.seen["refused"] == reached - (FREE - 1)
    assert attacker.seen["too_many"] == 64 - attacker.seen["refused"]
