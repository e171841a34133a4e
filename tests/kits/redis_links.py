"""Links to a real Redis, for tests whose claim is not how soon a silent one counts as gone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from watchword.core.clock import SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.core.secret import Secret
from watchword.server.redis.link import LinkTimes, RedisLink
from watchword.testing.redis import RedisServer

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


def use_documented_file(server: RedisServer) -> None:
    """Have it start from the `redis.conf` of the documentation, of which only its place and TLS are another."""
    page = (Path(__file__).parents[2] / "docs/operations.md").read_text()
    found = [block for block in page.split("```")[1::2] if "maxmemory-policy" in block]
    assert len(found) == 1
    file = server.directory / "redis.conf"
    file.write_text(found[0])
    server.stop()
    server.config = file
    server.start()
