"""FAULTS A16: thousands of logins on one connection are counted one by one, and who leaves leaves nothing behind."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import pytest
from tests.kits.attacker import Answer, Attacker, Foothold, addresses, metric, recipient
from tests.kits.process import RunningServer
from tests.kits.waiting import until

from watchword.client.effects import Call
from watchword.client.flows.sealed import begin
from watchword.core.entropy import SystemEntropy
from watchword.protocol.envelope import Purpose
from watchword.testing import measured
from watchword.testing.counts import count

RATE: Final = 120
PER_SECOND: Final = RATE / 60
"""The limit of signing in, as shipped: so many at once, then two each second."""
NOTHING_LEFT: Final = (
    "watchword_http_requests_in_progress",
    "watchword_costly_in_progress",
    "watchword_costly_waiting",
    "watchword_connections_open",
)
RSS_MB: Final = 64


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """It bans nobody, so that what is counted is what the limits let in."""
    folder = tmp_path_factory.mktemp("requests")
    with RunningServer.start(folder / "data", settings={"bans.policy": "off"}) as server:
        yield server


async def first_step(server: RunningServer, name: str) -> tuple[str, bytes]:
    """Path and body of a good beginning of a login."""
    flow = begin(name, Purpose.LOGIN, to=await recipient(server), entropy=SystemEntropy())
    asked = next(flow)
    assert isinstance(asked, Call)
    assert asked.body is not None
    return asked.path, msgspec.json.encode(asked.body)


def test_fault_A16_ten_thousand_logins_on_one_connection_are_counted_one_by_one(
    server: RunningServer,
) -> None:
    number = count(600, 10_000)

    async def attack() -> tuple[list[Answer], float]:
        path, body = await first_step(server, "anna")
        foothold, began = Foothold(server, "127.5.0.1"), time.monotonic()
        answers = await foothold.pipeline("POST", path, body, number)
        await foothold.close()
        return answers, time.monotonic() - began

    answers, lasted = asyncio.run(attack())
    statuses = Counter(answer.status for answer in answers)
    measured.record("A16", f"of {number} pipelined logins {statuses[200]} admitted in {lasted:.1f} s")
    assert statuses.total() == number
    assert set(statuses) == {200, 429}
    assert {answer.status for answer in answers[:RATE]} == {200}
    assert RATE <= statuses[200] <= RATE + PER_SECOND * lasted + 1
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.headers["retry-after"] == "1"
    assert {"ratelimit", "ratelimit-policy"} <= refused.headers.keys()


def resident_mb(server: RunningServer) -> float:
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def handles(server: RunningServer) -> int:
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))


def test_fault_A16_a_thousand_clients_that_leave_before_the_answer_leave_nothing(
    server: RunningServer,
) -> None:
    """Twenty from each address: were their places not given back, those after the 64th would be refused."""
    number = count(160, 1000)

    async def leave(foothold: Foothold) -> None:
        await foothold.send_and_leave("POST", path, body)

    async def attack(times: int) -> None:
        async with Attacker(server, addresses(number // 20, network=6)) as attacker:
            await attacker.each(leave for _ in range(times))

    path, body = asyncio.run(first_step(server, "anna"))
    asyncio.run(attack(20))  # what is made once is made
    await_nothing(server)
    open_before, resident_before = handles(server), resident_mb(server)
    asyncio.run(attack(number))
    await_nothing(server)
    until(lambda: handles(server) <= open_before + 1, "the handles are those of before")
    assert resident_mb(server) <= resident_before + RSS_MB

    async def again() -> Answer:
        foothold = Foothold(server, addresses(1, network=6)[0])
        answer = await foothold.send("POST", path, body)
        await foothold.close()
        return answer

    assert asyncio.run(again()).status == 200
    assert "Traceback" not in server.log_text()


def await_nothing(server: RunningServer) -> None:
    """Wait until nothing is in work any more."""
    until(lambda: not any(metric(server, name) for name in NOTHING_LEFT), "nothing is in work")
