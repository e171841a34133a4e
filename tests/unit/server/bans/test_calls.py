"""Bans at two nodes: a call over Redis is heard at once, however far off the next look is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.kits.redis_links import make_link
from tests.kits.waiting import until_true
from tests.kits.world import World, open_world

from watchword.server.bans import service
from watchword.server.bans.model import Offence, OffenceKind
from watchword.testing.redis import RedisServer

pytestmark = pytest.mark.anyio
SOURCE = "192.0.2.7"
HOURS = 3600.0 * 24


@asynccontextmanager
async def node(data: Path, url: str, redis: RedisServer) -> AsyncIterator[World]:
    link = make_link(redis.url)
    try:
        async with open_world(data, database=url, redis=link, seed=data.name) as world:
            keeping = asyncio.create_task(world.services.bans.run())
            try:
                yield world
            finally:
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)
    finally:
        await link.close()


async def until_banned(world: World, address: str = SOURCE) -> None:
    await until_true(lambda: world.services.bans.find(address))


async def test_req_P4_a_ban_of_one_node_is_known_at_the_other_by_a_call(
    postgres_url, redis_server, tmp_path, monkeypatch
):
    monkeypatch.setattr(service, "LOOK_EVERY_S", HOURS)
    async with node(tmp_path / "a", postgres_url, redis_server) as one:
        (tmp_path / "b").mkdir(mode=0o700)
        (tmp_path / "b" / "root.key").write_bytes((tmp_path / "a" / "root.key").read_bytes())
        (tmp_path / "b" / "root.key").chmod(0o600)
        async with node(tmp_path / "b", postgres_url, redis_server) as other:
            one.services.bans.offend(Offence(OffenceKind.FORGED, SOURCE))
            await until_banned(other)
            redis_server.stop()
            other.services.bans.offend(Offence(OffenceKind.FORGED, "192.0.2.8"))
            await other.services.bans.flush()
            redis_server.start()
            await until_banned(one, "192.0.2.8")
            await one.services.bans.lift(SOURCE, by={})
            await until_true(lambda: other.services.bans.find(SOURCE) is None)
