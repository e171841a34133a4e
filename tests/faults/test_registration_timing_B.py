"""FAULTS B18: time does not tell for which reason a registration is refused, through the whole server."""

import random
import statistics
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.kits.refusals import refusals
from tests.kits.sealed import make_member, post, seal, short_key
from tests.kits.timing import (
    INTERVAL_BOUND,
    MEDIAN_BOUND,
    PRECISION,
    Comparison,
    compare,
    seconds,
    standard_error,
)
from tests.kits.world import World, open_world

from watchword.protocol.envelope import Purpose
from watchword.server import assembly
from watchword.server.accounts.model import Account, Login, StoredChest
from watchword.server.accounts.sql import SQLAccountStore
from watchword.server.db.unit import Unit
from watchword.testing import measured
from watchword.testing.counts import count

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1200)]
LEAK_SECONDS = 0.001
TAKEN = frozenset({"taken", "taken in capitals", "taken, by e-mail", "confusable"})
"""The reasons that are found out by trying to store the account."""
MOST = 4
"""Times the wanted rounds, where the machine is noisy."""


class LeakyStore(SQLAccountStore):
    """Takes longer where the name is good enough to try."""

    def insert(self, unit: Unit, account: Account, logins: Sequence[Login], chest: StoredChest) -> None:
        until = seconds() + LEAK_SECONDS
        while seconds() < until:
            pass
        super().insert(unit, account, logins, chest)


async def measure(world: World, wanted: int) -> dict[str, Comparison]:
    """Each reason against the median of all reasons in the same round; rounds are added until that is precise."""
    await make_member(world, "anna", email="anna@example.org")
    await make_member(world, "paypal")
    payloads = await refusals(world)
    times: dict[str, list[float]] = {why: [] for why in payloads}
    middles: list[float] = []
    chance = random.Random(18)
    while len(middles) < wanted or (len(middles) < MOST * wanted and not precise(times, middles)):
        for why in chance.sample(sorted(payloads), len(payloads)):
            key = await short_key(world, payloads[why]["username"], Purpose.REGISTER)
            envelope = seal(world, Purpose.REGISTER, payloads[why], sk=key)
            began = seconds()
            answer = await post(world, Purpose.REGISTER, envelope)
            times[why].append(seconds() - began)
            assert answer.status_code == 403
        middles.append(statistics.median(taken[-1] for taken in times.values()))
    return {why: compare(taken, middles) for why, taken in times.items()}


def precise(times: dict[str, list[float]], middles: list[float]) -> bool:
    return all(
        standard_error([one - other for one, other in zip(taken, middles, strict=True)]) <= PRECISION
        for taken in times.values()
    )


def outliers(found: dict[str, Comparison]) -> set[str]:
    """The reasons whose time is not known to be that of the others. The bounds are those of C6, on any machine."""
    return {
        why
        for why, each in found.items()
        if abs(each.median) > MEDIAN_BOUND or not each.is_within(INTERVAL_BOUND)
    }


def widest(found: dict[str, Comparison]) -> str:
    why = max(found, key=lambda each: abs(found[each].median))
    return f"of {len(found)} reasons the farthest from the others is '{why}': {found[why].difference}"


async def test_fault_B18_every_refusal_takes_the_same_time(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        found = await measure(world, count(60, 1000))
    measured.record("B18 as it is", widest(found))
    assert outliers(found) == set(), widest(found)


async def test_fault_B18_a_planted_leak_of_a_millisecond_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assembly, "SQLAccountStore", LeakyStore)
    async with open_world(tmp_path) as world:
        found = await measure(world, count(60, 300))
    measured.record("B18 with a planted leak of 1 ms", widest(found))
    assert outliers(found) >= TAKEN
