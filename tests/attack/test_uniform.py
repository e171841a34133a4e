"""FAULTS C6, D18 at the door: neither bytes nor time tell who exists, where lanes are held and where we are banned.

Where neither is: `tests/faults/test_login_timing_C.py` and `test_registration_timing_B.py`.
"""

import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from tests.kits.sealed import (
    PATHS,
    login_payload,
    make_member,
    post,
    register_payload,
    seal,
    shape,
    short_key,
    try_login,
)
from tests.kits.timing import (
    INTERVAL_BOUND,
    MEDIAN_BOUND,
    PRECISION,
    Comparison,
    compare,
    seconds,
    standard_error,
)
from tests.kits.world import ORIGIN, World, open_world

from watchword.protocol.envelope import Purpose
from watchword.server import assembly
from watchword.server.accounts.model import LoginAttempt
from watchword.server.accounts.sql import SQLAccountStore
from watchword.server.guessing.model import LaneKey
from watchword.server.http.wire import RESPOND
from watchword.testing import measured
from watchword.testing.counts import count

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1200)]
FREE: Final = 5
HELD: Final = 429
BANNED: Final = "127.7.0.1"
MOST_SECONDS: Final = 0.001
LEAK_SECONDS: Final = 0.001
MOST: Final = 6
"""Times the wanted pairs, where the machine is noisy."""
EXISTING, UNKNOWN = ["anna", "bert", "clara"], ["nora", "otto", "paula"]
Make = Callable[[World, str], Awaitable[tuple[Purpose, str]]]
"""An envelope for a name, and where it goes."""


class LeakyStore(SQLAccountStore):
    """Takes longer for a name that nobody has."""

    async def find_attempt(self, identifier_key: str, nobody: LaneKey) -> LoginAttempt:
        found = await super().find_attempt(identifier_key, nobody)
        until = seconds() + (LEAK_SECONDS if found.record is None else 0)
        while seconds() < until:
            pass
        return found


async def a_login(world: World, name: str) -> tuple[Purpose, str]:
    key = await short_key(world, name)
    return Purpose.LOGIN, seal(world, Purpose.LOGIN, login_payload(world, name), sk=key)


async def a_beginning(world: World, name: str) -> tuple[Purpose, str]:
    payload = {"purpose": "login", "identifier": name, "reply_key": login_payload(world, name)["reply_key"]}
    return Purpose.BEGIN, seal(world, Purpose.BEGIN, payload)


async def a_registration(world: World, name: str) -> tuple[Purpose, str]:
    key = await short_key(world, name, Purpose.REGISTER)
    return Purpose.REGISTER, seal(world, Purpose.REGISTER, register_payload(world, name), sk=key)


async def compared(
    world: World, make: Make, wanted: int, *, most: int = MOST, address: str = "127.0.0.1"
) -> tuple[Comparison, set[Any]]:
    """Of a name that exists and one that does not, in random order, until that is precise or there are enough.

    And the different answers. What is sent is made from where we are not banned.
    """
    chance = random.Random(18)
    times: tuple[list[float], list[float]] = ([], [])
    shapes = set()
    while len(times[0]) < wanted or (len(times[0]) < most * wanted and not precise(*times)):
        for which in chance.sample((0, 1), 2):
            purpose, envelope = await make(world, chance.choice((UNKNOWN, EXISTING)[which]))
            world.address = address
            began = seconds()
            answer = await post(world, purpose, envelope)
            times[which].append(seconds() - began)
            world.address = "127.0.0.1"
            shapes.add(shape_of(answer))
    return compare(*times), shapes


def precise(first: list[float], second: list[float]) -> bool:
    return standard_error([one - other for one, other in zip(first, second, strict=True)]) <= PRECISION


def shape_of(answer: httpx.Response) -> Any:
    """Status, headers and body; of what is sealed for its asker, the status and the size."""
    return (answer.status_code, len(answer.content)) if answer.status_code == 200 else shape(answer)


def same(found: Comparison) -> bool:
    """The bounds are those of C6, on any machine."""
    return abs(found.median) <= MEDIAN_BOUND and found.is_within(INTERVAL_BOUND)


async def hold(world: World) -> None:
    """Fail with each name until its lane is held."""
    for name in EXISTING:
        await make_member(world, name)
    for name in (*EXISTING, *UNKNOWN):
        statuses = [(await try_login(world, name)).status_code for _ in range(FREE + 1)]
        assert statuses == [*[403] * FREE, HELD]


async def test_fault_C6_where_lanes_are_held_neither_bytes_nor_time_tell_who_exists(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await hold(world)
        held, refusals = await compared(world, a_login, count(60, 2000))
        begun, beginnings = await compared(world, a_beginning, count(60, 2000))
    measured.record("C6 logins into held lanes", held.difference)
    measured.record("C6 beginnings of logins into held lanes", begun.difference)
    assert len(refusals) == 1
    assert len(beginnings) == 1
    assert next(iter(refusals))[0] == HELD
    assert same(held), held.difference
    assert same(begun), begun.difference


async def test_fault_C6_a_planted_leak_into_held_lanes_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assembly, "SQLAccountStore", LeakyStore)
    async with open_world(tmp_path) as world:
        await hold(world)
        leaky, _ = await compared(world, a_login, count(60, 300), most=1)
    measured.record("C6 logins into held lanes, with a planted leak of 1 ms", leaky.difference)
    assert not same(leaky)


@pytest.mark.parametrize("make", [a_beginning, a_login, a_registration])
async def test_fault_D18_while_banned_neither_bytes_nor_time_tell_who_exists(
    tmp_path: Path, make: Make
) -> None:
    """What is refused is refused before a byte of its body is read, for less than a millisecond of work."""
    async with open_world(tmp_path) as world:
        for name in EXISTING:
            await make_member(world, name)
        await world.services.bans.add(BANNED, by={}, confirmed=True)
        found, answers = await compared(world, make, count(60, 2000), address=BANNED)
        cheapest = await least_seconds(world)
    measured.record(f"D18 {make.__name__} while banned", found.difference)
    ((status, _, headers),) = answers
    assert status == HELD
    assert {"retry-after"} <= {name for name, _ in headers}
    assert same(found), found.difference
    assert cheapest < MOST_SECONDS


async def least_seconds(world: World) -> float:
    """Of the processor, for the answer that a banned caller gets: from the request's head to the answer's bytes."""
    statuses: list[int] = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": PATHS[Purpose.LOGIN],
        "raw_path": PATHS[Purpose.LOGIN].encode(),
        "query_string": b"",
        "client": (BANNED, 40_000),
        "headers": [(b"host", ORIGIN.removeprefix("https://").encode()), (b"content-length", b"1000")],
        "extensions": {RESPOND: lambda status, _lines, _body: statuses.append(status)},
    }

    async def nothing(*_: object) -> Any:
        raise AssertionError("the body is not read")

    taken = []
    for _ in range(20):
        began = time.process_time()
        await world.app(scope, nothing, nothing)
        taken.append(time.process_time() - began)
    assert statuses == [HELD] * 20
    return min(taken)
