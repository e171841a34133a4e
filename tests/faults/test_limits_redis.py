"""Limits that nodes share, while their Redis is killed, hangs, starts anew, forgets, or has its clock set."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.kits.limits import admitted, demand, shared
from tests.kits.redis_links import PATIENT
from tests.kits.waiting import until_true

from watchword.errors import UnavailableError
from watchword.server.limits import shared as limits_shared
from watchword.server.limits.limiter import Limiter
from watchword.server.limits.model import Demand, Exceeded, Lease, Rate, Slots
from watchword.server.limits.shared import RedisLimiter
from watchword.server.redis.link import PREFIX, LinkTimes
from watchword.testing.counts import count
from watchword.testing.redis import RedisServer

pytestmark = pytest.mark.anyio
SLOW = Rate(10, 3_600_000)
FAST = Rate(1_000_000, 1000)
PLACES = Slots("s", 4)
IMPATIENT = LinkTimes(silence_s=0.25, connect_s=30, retry_s=0.02, beat_s=0.05)


def number(server: RedisServer, *command: str) -> int:
    return int(server.command(*command).strip(b":\r\n"))


def asked(server: RedisServer) -> int:
    """Scripts that Redis ran so far; greetings of links count too."""
    stats = server.command("INFO", "commandstats").decode()
    calls = [line for line in stats.splitlines() if line.startswith(("cmdstat_evalsha:", "cmdstat_eval:"))]
    return sum(int(line.split("calls=")[1].split(",")[0]) for line in calls)


class Load:
    """Requests without a pause."""

    def __init__(self, limiter: Limiter, wanted: Demand) -> None:
        self._limiter, self._wanted = limiter, wanted
        self.admitted = self.unavailable = 0

    async def run(self) -> None:
        while True:
            try:
                answer = await self._limiter.reserve(self._wanted)
            except UnavailableError:
                self.unavailable += 1
            else:
                assert isinstance(answer, Lease)
                self._limiter.release(answer)
                self.admitted += 1
            await asyncio.sleep(0.001)

    async def more(self) -> None:
        """Return once some more were let in."""
        reached = self.admitted + 5
        await until_true(lambda: self.admitted >= reached)


def is_alone(limiter: RedisLimiter) -> bool:
    """Whether its node has lost Redis, as far as it knows."""
    return not limiter._link.up


@asynccontextmanager
async def under_load(limiter: Limiter) -> AsyncIterator[Load]:
    load = Load(limiter, demand("a", "b", rate=FAST, slots=PLACES))
    task = asyncio.create_task(load.run())
    try:
        await load.more()
        yield load
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_redis_killed_under_load_counts_here_until_it_is_back_and_then_there_again(redis_server):
    async with shared(redis_server, fallback=True) as one, shared(redis_server, fallback=True) as other:
        async with under_load(one) as load:
            redis_server.stop()
            await until_true(lambda: is_alone(one) and is_alone(other))
            await load.more()
            wanted = demand("c", rate=SLOW)
            assert await admitted(one, wanted, 15) == 10
            assert await admitted(other, wanted, 15) == 10
            assert one.closed_ms("c") > 0
            redis_server.start()
            await until_true(lambda: not is_alone(one) and not is_alone(other))
            await load.more()
            assert one.closed_ms("c") == 0
            assert await admitted(one, wanted, 6) + await admitted(other, wanted, 6) == 10
        assert load.unavailable == 0


async def test_redis_killed_under_load_refuses_where_the_operator_wants_that(redis_server):
    async with shared(redis_server) as limiter, under_load(limiter) as load:
        redis_server.stop()
        await until_true(lambda: load.unavailable > 5)
        assert limiter.closed_ms("a") == 0
        redis_server.start()
        await load.more()


async def test_redis_that_hangs_under_load_holds_nobody_up_for_long_and_keeps_no_place(redis_server):
    async with shared(redis_server, IMPATIENT, fallback=True) as limiter:
        async with under_load(limiter) as load:
            redis_server.pause()
            await until_true(lambda: is_alone(limiter))
            await load.more()
            redis_server.resume()
            await until_true(lambda: not is_alone(limiter))
            await load.more()
        assert load.unavailable == 0
        # What was asked while it hung was done after all, for callers that had been answered here.
        await until_true(lambda: number(redis_server, "ZCARD", f"{PREFIX}places:s") == 0)


async def test_redis_flushed_under_load_goes_on_with_full_buckets(redis_server):
    async with shared(redis_server, fallback=True) as limiter, under_load(limiter) as load:
        wanted = demand("c", rate=SLOW)
        assert await admitted(limiter, wanted, 15) == 10
        redis_server.flush()
        await until_true(lambda: limiter.closed_ms("c") == 0 and not is_alone(limiter))
        await load.more()
        assert await admitted(limiter, wanted, 15) == 10
        assert load.unavailable == 0


async def test_one_request_is_one_question_and_64_at_once_are_one_as_well(redis_server):
    async with shared(redis_server, LinkTimes(silence_s=30, connect_s=30, beat_s=3600)) as limiter:
        wanted = demand("a", "b", "c", rate=FAST, slots=Slots("s", 1000))
        assert isinstance(await limiter.reserve(wanted), Lease)  # makes the script known
        before = asked(redis_server)
        assert isinstance(await limiter.reserve(wanted), Lease)
        assert asked(redis_server) == before + 1
        await asyncio.gather(*(limiter.reserve(wanted) for _ in range(64)))
        assert asked(redis_server) == before + 2


async def test_a_source_that_is_refused_until_an_instant_asks_redis_nothing_until_then(redis_server):
    async with shared(redis_server, LinkTimes(silence_s=30, connect_s=30, beat_s=3600)) as limiter:
        wanted = demand("a", rate=SLOW)
        assert await admitted(limiter, wanted, 11) == 10
        before = asked(redis_server)
        for _ in range(100):
            answer = await limiter.reserve(wanted)
            assert isinstance(answer, Exceeded)
            assert answer.retry_after_ms > 300_000
        assert asked(redis_server) == before


async def test_places_of_a_node_that_was_killed_become_free_by_themselves(redis_server):
    key, wanted = f"{PREFIX}places:s", demand(rate=SLOW, slots=PLACES)
    async with shared(redis_server) as limiter:
        for lease in range(PLACES.limit):
            redis_server.command("ZADD", key, "1", f"gone{lease}")  # ended long ago
        assert isinstance(await limiter.reserve(wanted), Lease)
        assert 0 < number(redis_server, "PTTL", key) <= 60_000


async def test_a_place_is_held_for_as_long_as_the_request_is_in_work_and_one_that_was_lost_ends(
    redis_server, monkeypatch
):
    monkeypatch.setattr(limits_shared, "KEEP_S", 0.05)
    key, wanted, about_to_end = f"{PREFIX}places:s", demand(rate=SLOW, slots=PLACES), b"$1\r\n1\r\n"
    async with shared(redis_server) as limiter:
        lost, lease = await limiter.reserve(wanted), await limiter.reserve(wanted)
        assert isinstance(lost, Lease)
        assert isinstance(lease, Lease)
        token = lost.token
        del lost
        redis_server.command("ZADD", key, "XX", "1", token, "1", lease.token)
        await until_true(lambda: redis_server.command("ZSCORE", key, lease.token) != about_to_end)
        assert redis_server.command("ZSCORE", key, token) == about_to_end
        limiter.release(lease)
        await until_true(lambda: number(redis_server, "ZCARD", key) == 1)


async def test_callers_that_are_cancelled_at_any_moment_leave_no_place_held(redis_server):
    async with shared(redis_server) as limiter:
        for turns in range(30):
            task = asyncio.create_task(limiter.reserve(demand("a", rate=FAST, slots=PLACES)))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled() and isinstance(lease := task.result(), Lease):
                limiter.release(lease)
        await until_true(lambda: number(redis_server, "ZCARD", f"{PREFIX}places:s") == 0)
        while isinstance(await limiter.reserve(demand(rate=SLOW, slots=PLACES)), Exceeded):
            await asyncio.sleep(0.005)


async def test_a_caller_that_is_cancelled_when_its_answer_is_there_holds_no_place(redis_server):
    """All are answered in one step; the first to go on cancels the others, which have not yet."""
    wanted = demand(rate=SLOW, slots=PLACES)
    others: list[asyncio.Task[Lease | Exceeded]] = []
    async with shared(redis_server) as limiter:

        async def first() -> None:
            lease = await limiter.reserve(wanted)
            assert isinstance(lease, Lease)
            for other in others:
                other.cancel()
            limiter.release(lease)

        beginning = asyncio.create_task(first())
        others += [asyncio.create_task(limiter.reserve(wanted)) for _ in range(3)]
        await beginning
        results = await asyncio.gather(*others, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        await until_true(lambda: number(redis_server, "ZCARD", f"{PREFIX}places:s") == 0)


@pytest.mark.parametrize("step_us", ["9e14", "3.6e9"])
async def test_fault_M15_redis_clock_that_steps_back_costs_one_window_at_most(redis_server, step_us):
    """Seen from the new time, everything that was written before lies in the future."""
    rate, brief = Rate(2, 60_000), Rate(2, 100)
    async with shared(redis_server) as limiter:
        script = (
            "local t = redis.call('TIME') return tostring((t[1] - 1767225600) * 1000000 + t[2] + ARGV[1])"
        )
        future = redis_server.command("EVAL", script, "0", step_us).split(b"\r\n")[1].decode()
        for key in ("a", "b"):
            redis_server.command("SET", f"{PREFIX}bucket:{key}", future)
        redis_server.command("ZADD", f"{PREFIX}places:s", future, "x", future, "y", future, "z", future, "w")
        refused = await limiter.reserve(demand("a", rate=rate))
        assert isinstance(refused, Exceeded)
        assert refused.retry_after_ms <= rate.window_ms
        assert 0 < number(redis_server, "PTTL", f"{PREFIX}bucket:a") <= rate.window_ms + 1
        refused = await limiter.reserve(demand("b", rate=brief))
        assert isinstance(refused, Exceeded)
        assert refused.retry_after_ms <= brief.window_ms
        await asyncio.sleep(refused.retry_after_ms / 1000)
        assert isinstance(await limiter.reserve(demand("b", rate=brief, slots=PLACES)), Lease)


async def test_fault_D13_a_flood_of_addresses_leaves_nothing_behind_in_redis(redis_server):
    flood, together = count(5_000, 1_000_000), 500
    async with shared(redis_server) as limiter:
        for start in range(0, flood, together):
            wanted = [demand(f"read|{start + n}", rate=Rate(300, 60_000)) for n in range(together)]
            answers = await asyncio.gather(*map(limiter.reserve, wanted))
            assert all(isinstance(answer, Lease) for answer in answers)
        await until_true(lambda: number(redis_server, "DBSIZE") == 1)  # the boot id


async def test_no_key_is_kept_for_longer_than_it_says_something(redis_server):
    async with shared(redis_server) as limiter:
        for key in ("a", "b"):
            await limiter.reserve(demand(key, rate=SLOW, slots=PLACES))
        keys = redis_server.command("KEYS", f"{PREFIX}[bp][ul]*").decode().split("\r\n")[2::2]
        assert len(keys) == 3
        for key in keys:
            assert 0 < number(redis_server, "PTTL", key) <= SLOW.window_ms / 10 + 1


async def test_a_limiter_that_closes_gives_back_what_it_holds_no_more(redis_server):
    async with shared(redis_server, PATIENT) as limiter:
        lease = await limiter.reserve(demand(rate=SLOW, slots=PLACES))
        assert isinstance(lease, Lease)
        limiter.release(lease)
    assert number(redis_server, "ZCARD", f"{PREFIX}places:s") == 0
