"""FAULTS C14 for what comes before a login: storms of costly requests are shed and counted, and cheap ones answered."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec
import pytest
from tests.kits.attacker import Answer, Foothold, addresses, metric, recipient
from tests.kits.process import RunningServer

from watchword.client.effects import Call
from watchword.client.flows.sealed import begin
from watchword.core.entropy import SystemEntropy
from watchword.protocol.envelope import Purpose, Recipient
from watchword.testing import measured
from watchword.testing.counts import count, soaking

AT_ONCE, WAITING = 4, 8
CONCURRENT: Final = 64
"""Requests of one source at once, as shipped."""
CHEAP: Final = ("/health/live", "/.well-known/jwks.json", "/health/ready")
CHEAP_S: Final = 0.5
"""What nineteen of twenty cheap requests take at most during a storm, attacker and server on the same two cores."""
SHED: Final = "watchword_costly_shed_total"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """With little room for costly work, so that a small storm is one."""
    folder = tmp_path_factory.mktemp("overload")
    settings = {"limits.costly_at_once": str(AT_ONCE), "limits.costly_waiting": str(WAITING)}
    with RunningServer.start(folder / "data", settings=settings) as server:
        yield server


def first_step(name: str, to: Recipient) -> tuple[str, bytes]:
    flow = begin(name, Purpose.LOGIN, to=to, entropy=SystemEntropy())
    asked = next(flow)
    assert isinstance(asked, Call)
    assert asked.body is not None
    return asked.path, msgspec.json.encode(asked.body)


async def storm(
    server: RunningServer, sources: list[str], each: int, rounds: int = 1
) -> tuple[list[Answer], list[float]]:
    """`each` beginnings of logins from every source, all at once; and how long cheap requests took meanwhile.

    Whoever is answered begins again, `rounds` times in all.
    """
    to = await recipient(server)
    footholds = [Foothold(server, source) for source in sources for _ in range(each)]
    await asyncio.gather(*(foothold.greet() for foothold in footholds))
    path, body = first_step("anna", to)
    over = asyncio.Event()
    cheap = asyncio.create_task(ask_cheap(server, over))

    async def begin_again(foothold: Foothold) -> list[Answer]:
        return [await foothold.send("POST", path, body) for _ in range(rounds)]

    answers = [answer for some in await asyncio.gather(*map(begin_again, footholds)) for answer in some]
    over.set()
    for foothold in footholds:
        await foothold.close()
    return answers, await cheap


async def ask_cheap(server: RunningServer, over: asyncio.Event) -> list[float]:
    foothold, taken = Foothold(server, "127.0.0.1"), list[float]()  # which is over no limit
    while not over.is_set() or not taken:
        for path in CHEAP:
            began = time.monotonic()
            assert (await foothold.send("GET", path)).status == 200
            taken.append(time.monotonic() - began)
    await foothold.close()
    return taken


def test_fault_C14_a_storm_of_beginnings_is_shed_with_a_time_to_come_back_and_counted(
    server: RunningServer,
) -> None:
    """From enough addresses that none of them is over a limit of its own."""
    before = metric(server, SHED)
    sources, rounds = addresses(count(6, 100), network=8), count(1, 20)
    answers, taken = asyncio.run(storm(server, sources, count(25, 5), rounds))
    statuses = Counter(answer.status for answer in answers)
    shed = [answer for answer in answers if answer.status == 503]
    slow = sorted(taken)[int(len(taken) * 0.95)]
    measured.record(
        "C14 storm of beginnings",
        f"{dict(statuses)}, cheap requests meanwhile {len(taken)}, one in twenty from {slow * 1000:.0f} ms,"
        f" the slowest {max(taken) * 1000:.0f} ms",
    )
    assert not soaking() or slow <= CHEAP_S  # a quick run has the machine not to itself
    assert set(statuses) == {200, 503}
    assert statuses[200] >= AT_ONCE + WAITING
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in shed)
    assert metric(server, SHED) - before == len(shed)


def test_a_storm_from_one_address_is_held_to_its_own_places(server: RunningServer) -> None:
    """What exceeds them is refused for that address, before it takes room from the others."""
    answers, _ = asyncio.run(storm(server, addresses(1, network=9), CONCURRENT + 40))
    statuses = Counter(answer.status for answer in answers)
    assert set(statuses) <= {200, 429, 503}
    assert statuses[200] >= 1
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status != 200)
