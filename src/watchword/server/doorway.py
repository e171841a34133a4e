"""Making the door of a server: from its configuration and services to the gate that every request passes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from watchword.server.assembly import Services
from watchword.server.config.model import WithoutRedis
from watchword.server.core import Core
from watchword.server.door.demands import Demands
from watchword.server.door.gate import TheGate
from watchword.server.door.passes import Passes
from watchword.server.limits.limiter import Limiter
from watchword.server.limits.memory import MemoryLimiter
from watchword.server.limits.shared import RedisLimiter
from watchword.server.measures import DoorMeasures, LimitMeasures
from watchword.server.redis.link import RedisLink


@asynccontextmanager
async def open_door(
    core: Core, services: Services, *, door: DoorMeasures, limits: LimitMeasures
) -> AsyncIterator[TheGate]:
    """The gate, for as long as the block."""
    config = core.config.limits
    async with _open_limiter(core, services.redis, limits) as limiter:
        yield TheGate(
            bans=services.bans,
            limiter=limiter,
            demands=Demands(config.rates, config.concurrent) if config.enabled else None,
            passes=Passes(
                by_token=services.identify, by_cookie=services.cookies.identify, devices=services.device_pass
            ),
            clock=core.clock,
            measures=door,
            has_proxies=bool(core.config.proxies.places),
        )


@asynccontextmanager
async def _open_limiter(
    core: Core, redis: RedisLink | None, measures: LimitMeasures
) -> AsyncIterator[Limiter]:
    """In this process' memory; in Redis where there is one, which other nodes have too."""
    own = MemoryLimiter(core.clock, measures=measures)
    if redis is None:
        yield own
        return
    fallback = own if core.config.limits.without_redis is WithoutRedis.LOCAL else None
    shared = RedisLimiter(redis, clock=core.clock, entropy=core.entropy, fallback=fallback)
    try:
        yield shared
    finally:
        await shared.close()
