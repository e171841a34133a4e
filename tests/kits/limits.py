"""Limiters of both kinds behind one face: in memory by a clock of the test, and shared over a real Redis."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.kits.redis_links import PATIENT, linked

from watchword.core.clock import SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.server.limits.limiter import Limiter
from watchword.server.limits.memory import MemoryLimiter
from watchword.server.limits.model import Bucket, Demand, Lease, Rate, Slots
from watchword.server.limits.shared import RedisLimiter
from watchword.server.redis.link import LinkTimes
from watchword.testing import FixedClock
from watchword.testing.redis import RedisServer


@dataclass(slots=True)
class Limiting:
    """`nodes` are limiters that count together."""

    nodes: list[Limiter]
    clock: FixedClock | None
    """None: time passes by itself."""

    @property
    def first(self) -> Limiter:
        return self.nodes[0]

    @property
    def shared(self) -> bool:
        return self.clock is None

    def now_ms(self) -> float:
        return (time.monotonic() if self.clock is None else self.clock.monotonic()) * 1000

    async def wait(self, milliseconds: int) -> None:
        """At least that long; exactly, where the clock is ours."""
        if self.clock is not None:
            self.clock.advance(milliseconds)
            return
        ends = time.monotonic() + milliseconds / 1000
        while (left := ends - time.monotonic()) > 0:
            await asyncio.sleep(left)


@asynccontextmanager
async def shared(
    server: RedisServer, times: LinkTimes = PATIENT, *, fallback: bool = False
) -> AsyncIterator[RedisLimiter]:
    """A node's limiter over `server`; `fallback` says whether it counts alone while Redis is away."""
    async with linked(server.url, times) as link:
        clock = SystemClock()
        alone = MemoryLimiter(clock) if fallback else None
        limiter = RedisLimiter(link, clock=clock, entropy=SystemEntropy(), fallback=alone)
        yield limiter
        await limiter.close()


def demand(*keys: str, rate: Rate, slots: Slots | None = None) -> Demand:
    return Demand(tuple(Bucket(key, rate, "read") for key in keys), slots)


async def admitted(limiter: Limiter, wanted: Demand, times: int) -> int:
    """How many of so many requests, one after the other, are let in; each has ended before the next."""
    found = 0
    for _ in range(times):
        answer = await limiter.reserve(wanted)
        if isinstance(answer, Lease):
            found += 1
            limiter.release(answer)
    return found
