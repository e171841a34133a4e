"""One suite for every limiter: in memory by a clock of ours, and shared by two nodes over a real Redis."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from tests.kits.limits import Limiting, admitted, demand, shared

from watchword.server.limits.memory import MemoryLimiter
from watchword.server.limits.model import Bucket, Demand, Exceeded, Lease, Rate, Slots
from watchword.testing import FixedClock

pytestmark = pytest.mark.anyio
QUICK = Rate(50, 100)
SLOW = Rate(10, 3_600_000)
"""No request comes back while a test runs."""


@pytest.fixture(params=["memory", "redis"])
async def limiting(request: pytest.FixtureRequest) -> AsyncIterator[Limiting]:
    if request.param == "memory":
        clock = FixedClock()
        limiter = MemoryLimiter(clock)
        yield Limiting([limiter, limiter], clock)
        return
    server = request.getfixturevalue("redis_server")
    async with shared(server) as one, shared(server) as other:
        yield Limiting([one, other], None)


async def drained(limiting: Limiting, wanted: Demand) -> tuple[int, float, float]:
    """How many were let in until one was refused, and the moments before and after that refusal."""
    found = 0
    while True:
        asked = limiting.now_ms()
        if isinstance(await limiting.first.reserve(wanted), Exceeded):
            return found, asked, limiting.now_ms()
        found += 1


@pytest.mark.parametrize("factor", [2, 10])
async def test_exactly_as_many_are_let_in_as_the_rule_says(limiting, factor):
    """What two nodes together let in, at so many times the rate, from one refusal to another."""
    rate = Rate(200, 1000)
    wanted = demand("a", rate=rate)
    _, began_after, began_before = await drained(limiting, wanted)
    found, lost_ms, looked = 0, 0.0, began_before
    while looked - began_before < (500 if limiting.shared else 30_000):
        await limiting.wait(5)
        for turn in range(factor):
            found += isinstance(await limiting.nodes[turn % 2].reserve(wanted), Lease)
        lost_ms += max(
            0.0, limiting.now_ms() - looked - rate.window_ms
        )  # the machine slept: the bucket ran over
        looked = limiting.now_ms()
    rest, ended_after, ended_before = await drained(limiting, wanted)
    least = (ended_after - began_before - lost_ms) * rate.burst / rate.window_ms
    most = (ended_before - began_after) * rate.burst / rate.window_ms
    assert least * 0.99 - 1 <= found + rest <= most * 1.01 + 1


async def test_whoever_keeps_to_the_rate_is_never_refused(limiting):
    wanted = demand("a", rate=Rate(2, 10))
    for turn in range(100):
        assert isinstance(await limiting.nodes[turn % 2].reserve(wanted), Lease)
        await limiting.wait(5)


async def test_req_P3_a_burst_is_let_in_at_once_and_not_one_more(limiting):
    assert await admitted(limiting.first, demand("a", rate=SLOW), 15) == 10
    assert await admitted(limiting.nodes[1], demand("a", rate=SLOW), 5) == 0
    assert await admitted(limiting.nodes[1], demand("b", rate=SLOW), 15) == 10


async def test_fault_D14_of_64_at_once_exactly_the_rest_of_the_burst_is_let_in(limiting):
    wanted = demand("a", rate=SLOW)
    assert await admitted(limiting.first, wanted, 7) == 7
    answers = await asyncio.gather(*(limiting.nodes[n % 2].reserve(wanted) for n in range(64)))
    assert sum(isinstance(answer, Lease) for answer in answers) == 3


async def test_a_thousand_at_once_are_each_answered(limiting):
    wanted = [demand(f"{n % 20}", rate=SLOW) for n in range(1000)]
    answers = await asyncio.gather(*(limiting.nodes[n % 2].reserve(one) for n, one in enumerate(wanted)))
    assert sum(isinstance(answer, Lease) for answer in answers) == 200


async def test_a_refusal_takes_nothing_from_any_bucket_and_no_place(limiting):
    closed, places = demand("closed", rate=SLOW), Slots("s", 2)
    assert await admitted(limiting.first, closed, 10) == 10
    both = demand("open", "closed", rate=SLOW, slots=places)
    assert await admitted(limiting.first, both, 20) == 0
    assert await admitted(limiting.first, demand("open", rate=SLOW), 15) == 10
    leases = [await limiting.first.reserve(demand(rate=SLOW, slots=places)) for _ in range(3)]
    assert [isinstance(lease, Lease) for lease in leases] == [True, True, False]


async def test_a_request_without_a_place_takes_nothing_from_its_buckets(limiting):
    places = Slots("s", 1)
    held = await limiting.first.reserve(demand(rate=SLOW, slots=places))
    assert isinstance(held, Lease)
    for _ in range(20):
        answer = await limiting.first.reserve(demand("a", rate=SLOW, slots=places))
        assert answer == Exceeded("concurrent", None, 1000)
    limiting.first.release(held)
    assert await admitted(limiting.first, demand("a", rate=SLOW), 15) == 10


async def test_the_bucket_that_stays_closed_for_longest_is_told(limiting):
    brief, long = Bucket("brief", Rate(1, 60_000), "read"), Bucket("long", Rate(1, 900_000), "register")
    assert isinstance(await limiting.first.reserve(Demand((brief, long))), Lease)
    refused = await limiting.nodes[1].reserve(Demand((brief, long)))
    assert isinstance(refused, Exceeded)
    assert (refused.name, refused.rate) == ("register", long.rate)
    assert 800_000 < refused.retry_after_ms <= 900_000


async def test_whoever_waits_as_long_as_told_is_let_in(limiting):
    rate = Rate(3, 150)
    wanted = demand("a", rate=rate)
    for turn in range(6):
        node = limiting.nodes[turn % 2]
        while isinstance(answer := await node.reserve(wanted), Lease):
            pass
        assert 1 <= answer.retry_after_ms <= 50
        if not limiting.shared:
            await limiting.wait(answer.retry_after_ms - 1)
            assert isinstance(await node.reserve(wanted), Exceeded)
            await limiting.wait(1)
        else:
            await limiting.wait(answer.retry_after_ms)
        assert isinstance(await node.reserve(wanted), Lease)


async def test_an_untouched_bucket_is_full_again_after_its_window_and_no_fuller(limiting):
    wanted = demand("a", rate=QUICK)
    assert await admitted(limiting.first, wanted, 20) == 20
    await limiting.wait(2 * QUICK.window_ms)
    answers = await asyncio.gather(*(limiting.first.reserve(wanted) for _ in range(120)))
    found = sum(isinstance(answer, Lease) for answer in answers)
    assert found == QUICK.burst if not limiting.shared else found >= QUICK.burst


async def test_a_rate_that_changes_while_we_run_counts_from_then_on(limiting):
    assert await admitted(limiting.first, demand("a", rate=SLOW), 11) == 10
    quick = Rate(1, 100)
    refused = await limiting.first.reserve(demand("a", rate=quick))
    assert isinstance(refused, Exceeded)
    assert refused.rate == quick
    assert refused.retry_after_ms <= quick.window_ms
    await limiting.wait(refused.retry_after_ms)
    assert isinstance(await limiting.nodes[1].reserve(demand("a", rate=quick)), Lease)


async def test_a_bucket_that_refused_is_known_to_be_closed_without_asking(limiting):
    wanted = demand("a", rate=SLOW)
    assert limiting.first.closed_ms("a") == 0
    assert await admitted(limiting.first, wanted, 9) == 9
    assert limiting.first.closed_ms("a") == 0
    await limiting.first.reserve(wanted)
    refused = await limiting.first.reserve(wanted)
    assert isinstance(refused, Exceeded)
    assert 0 < limiting.first.closed_ms("a") <= refused.retry_after_ms
    assert limiting.first.closed_ms("b") == 0


async def test_req_P4_places_are_held_until_they_are_given_back(limiting):
    wanted = demand(rate=SLOW, slots=Slots("s", 8))
    answers = await asyncio.gather(*(limiting.nodes[n % 2].reserve(wanted) for n in range(64)))
    held = [(n % 2, answer) for n, answer in enumerate(answers) if isinstance(answer, Lease)]
    assert len(held) == 8
    assert isinstance(await limiting.first.reserve(wanted), Exceeded)
    node, lease = held[0]
    for _ in range(3):  # but one place
        limiting.nodes[node].release(lease)
    again = await limiting.nodes[node].reserve(wanted)
    assert isinstance(again, Lease)
    assert isinstance(await limiting.nodes[node].reserve(wanted), Exceeded)


async def test_places_of_one_source_are_not_those_of_another(limiting):
    for source in ("a", "b"):
        answer = await limiting.first.reserve(demand(rate=SLOW, slots=Slots(source, 1)))
        assert isinstance(answer, Lease)


async def test_a_caller_that_gives_up_holds_no_place(limiting):
    wanted = demand(rate=SLOW, slots=Slots("s", 4))
    tasks = [asyncio.create_task(limiting.first.reserve(wanted)) for _ in range(4)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Lease):
            limiting.first.release(result)
    async with asyncio.timeout(60):
        while isinstance(answer := await limiting.first.reserve(wanted), Exceeded):
            await asyncio.sleep(0.01)
    assert isinstance(answer, Lease)


async def test_any_mix_of_demands_counts_as_each_bucket_alone_would(limiting):
    """Against a plain count: hour-long windows, so that nothing comes back."""
    chosen = random.Random(8)
    left = {f"k{number}": chosen.randint(1, 12) for number in range(6)}
    rates = {key: Rate(burst, 36_000_000) for key, burst in left.items()}
    for _ in range(200):
        keys = chosen.sample(sorted(left), chosen.randint(1, 3))
        wanted = Demand(tuple(Bucket(key, rates[key], "read") for key in keys))
        answer = await limiting.nodes[chosen.randint(0, 1)].reserve(wanted)
        assert isinstance(answer, Lease) == all(left[key] for key in keys)
        if isinstance(answer, Lease):
            left.update({key: left[key] - 1 for key in keys})
    assert not all(left.values())
