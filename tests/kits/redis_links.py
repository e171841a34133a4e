"""Links to a real Redis, for tests whose claim is not how soon a silent one counts as gone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from watchword.core.clock import SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.core.secret import Secret
from watchword.server.redis.link import LinkTimes, RedisLink

PATIENT: Final = LinkTimes(silence_s=30, connect_s=30, retry_s=0.02, beat_s=0.05)


def make_link(url: str, times: LinkTimes = PATIENT) -> RedisLink:
    """One that is not started."""
    return RedisLink(Secret.from_text(url), clock=SystemClock(), entropy=SystemEntropy(), times=times)


@asynccontextmanager
async def linked(url: str, times: LinkTimes = PATIENT) -> AsyncIterator[RedisLink]:
    """One that has tried to connect."""
    link = make_link(url, times)
    await link.start()
    try:
        yield link
    finally:
        await link.close()
