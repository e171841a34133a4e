"""What counting a request against its limits costs: three buckets and a place, in memory and over Redis."""

import asyncio
import itertools
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bench import Row, at_most, told
from watchword.core.clock import SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.core.secret import Secret
from watchword.server.limits.memory import MAX_BUCKETS, MemoryLimiter
from watchword.server.limits.model import Bucket, Demand, Exceeded, Lease, Rate, Slots
from watchword.server.limits.shared import RedisLimiter
from watchword.server.redis.link import LinkTimes, RedisLink
from watchword.testing.redis import RedisServer, create

MOST_US = 15.0
"""Of the whole door, which does more than this."""
ROUNDS, BATCH = 20, 2000
OVER_REDIS, TOGETHER = 4000, 64
WIDE = Rate(1_000_000, 1000)
NARROW = Rate(20, 3_600_000)
QUIET = LinkTimes(silence_s=10, beat_s=3600)
"""So that no greeting is counted."""


def run() -> list[Row]:
    rows = [
        at_most("limits: a request, in memory", _best(_granted()), "µs", MOST_US),
        at_most("limits: a request refused, in memory", _best(_refused()), "µs", MOST_US),
        at_most("limits: a request of a new address, table full", _best(_flood()), "µs", MOST_US),
    ]
    if shutil.which("redis-server") is None:
        print("no redis-server here: limits over Redis are not measured", file=sys.stderr)
        return rows
    return rows + asyncio.run(_over_redis())


def _best(step: Callable[[], object]) -> float:
    """Microseconds of this thread's processor for one call, the loop's own steps included."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.thread_time_ns()
        for _ in range(BATCH):
            step()
        best = min(best, (time.thread_time_ns() - began) / BATCH / 1000)
    return best


def _wanted(rate: Rate, source: str = "192.0.2.7") -> Demand:
    """Made anew for each request, as the door does."""
    return Demand(
        (
            Bucket(f"sign_in|{source}", rate, "sign_in"),
            Bucket(f"sign_in|wider|{source}", rate, "sign_in"),
            Bucket(f"account|{source}", rate, "account"),
        ),
        Slots(source, 10_000),
    )


def _granted() -> Callable[[], object]:
    limiter = MemoryLimiter(SystemClock())

    def step() -> None:
        lease = limiter.take(_wanted(WIDE))
        assert isinstance(lease, Lease)
        limiter.release(lease)

    return step


def _refused() -> Callable[[], object]:
    limiter = MemoryLimiter(SystemClock())
    while isinstance(limiter.take(_wanted(NARROW)), Lease):
        pass

    def step() -> None:
        assert isinstance(limiter.take(_wanted(NARROW)), Exceeded)

    return step


def _flood() -> Callable[[], object]:
    limiter, numbers = MemoryLimiter(SystemClock()), itertools.count()

    def step() -> None:
        limiter.take(Demand((Bucket(f"read|{next(numbers)}", NARROW, "read"),)))

    for _ in range(MAX_BUCKETS):
        step()
    return step


async def _over_redis() -> list[Row]:
    server = create()
    server.start()
    try:
        async with _limiter(server) as limiter:
            await _one(limiter)  # makes the script known
            before = _questions(server)
            alone = await _cost(lambda: _one(limiter), OVER_REDIS)
            questions = (_questions(server) - before) / OVER_REDIS
            together = await _cost(lambda: _many(limiter), OVER_REDIS // TOGETHER) / TOGETHER
    finally:
        server.remove()
    return [
        at_most("limits: questions to Redis for each request", questions, "", 1.0),
        told("limits: our processor for a request over Redis", alone, "µs"),
        told(f"limits: the same, {TOGETHER} at once", together, "µs"),
    ]


@asynccontextmanager
async def _limiter(server: RedisServer) -> AsyncIterator[RedisLimiter]:
    clock, entropy = SystemClock(), SystemEntropy()
    link = RedisLink(Secret.from_text(server.url), clock=clock, entropy=entropy, times=QUIET)
    await link.start()
    limiter = RedisLimiter(link, clock=clock, entropy=entropy, fallback=None)
    yield limiter
    await limiter.close()
    await link.close()


async def _one(limiter: RedisLimiter) -> None:
    lease = await limiter.reserve(_wanted(WIDE))
    assert isinstance(lease, Lease)
    limiter.release(lease)


async def _many(limiter: RedisLimiter) -> None:
    await asyncio.gather(*(_one(limiter) for _ in range(TOGETHER)))


async def _cost(step: Callable[[], Awaitable[None]], times: int) -> float:
    began = time.process_time_ns()
    for _ in range(times):
        await step()
    return (time.process_time_ns() - began) / times / 1000


def _questions(server: RedisServer) -> int:
    stats = server.command("INFO", "commandstats").decode()
    calls = [line for line in stats.splitlines() if line.startswith(("cmdstat_evalsha:", "cmdstat_eval:"))]
    return sum(int(line.split("calls=")[1].split(",")[0]) for line in calls)
