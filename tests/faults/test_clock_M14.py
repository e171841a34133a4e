"""M14: the clock of one of two nodes that share a database is wrong."""

import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from tests.kits.sealed import login_payload, make_member, post, seal, short_key
from tests.kits.world import Person, World, open_world

from watchword.core.clock import DAY, SECOND, SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.core.secret import Secret
from watchword.protocol.envelope import Purpose
from watchword.server.db.skew import measure_skew, warn_of_skew
from watchword.server.logs import get_log
from watchword.server.redis.link import LinkTimes, RedisLink
from watchword.testing import FixedClock
from watchword.testing.redis import RedisServer

NOW = 1_800_000_000_000
LOGIN_GOOD, REFUSED = 200, 401


@asynccontextmanager
async def two_nodes(
    url: str, tmp_path: Path, *, ahead: int, redis: RedisServer | None = None
) -> AsyncIterator[tuple[World, World]]:
    """A, whose clock is right, and B, with its clock `ahead` milliseconds of it; one database, one root key."""
    async with AsyncExitStack() as stack:
        link = await link_to(redis, stack)
        one = await stack.enter_async_context(
            open_world(tmp_path / "a", database=url, clock=FixedClock(NOW), seed="a", redis=link)
        )
        (tmp_path / "b").mkdir(mode=0o700)
        shutil.copy(tmp_path / "a" / "root.key", tmp_path / "b" / "root.key")
        clock = FixedClock(NOW + ahead)
        link = await link_to(redis, stack)
        yield (
            one,
            await stack.enter_async_context(
                open_world(tmp_path / "b", database=url, clock=clock, seed="b", redis=link)
            ),
        )


async def link_to(redis: RedisServer | None, stack: AsyncExitStack) -> RedisLink | None:
    if redis is None:
        return None
    link = RedisLink(
        Secret.from_text(redis.url),
        clock=SystemClock(),
        entropy=SystemEntropy(),
        times=LinkTimes(silence_s=30, connect_s=30),
    )
    stack.push_async_callback(link.close)
    return link


async def asked(node: World, person: Person) -> int:
    return (await node.call("GET", "/api/me", token=person.access_token)).status_code


@pytest.mark.anyio
@pytest.mark.parametrize("ahead", [0, 59 * SECOND, 60 * SECOND, -59 * SECOND, -60 * SECOND])
async def test_fault_M14_a_token_of_one_node_is_good_at_another_within_the_skew(
    postgres_url, tmp_path, ahead
):
    async with two_nodes(postgres_url, tmp_path, ahead=ahead) as (one, other):
        person = await one.register("anna")
        assert await asked(one, person) == LOGIN_GOOD
        assert await asked(other, person) == LOGIN_GOOD


@pytest.mark.anyio
@pytest.mark.parametrize("ahead", [-61 * SECOND, -90 * SECOND, -DAY])
async def test_fault_M14_a_node_that_is_behind_refuses_and_alarms(postgres_url, tmp_path, caplog, ahead):
    async with two_nodes(postgres_url, tmp_path, ahead=ahead) as (one, other):
        person = await one.register("anna")
        assert await asked(one, person) == LOGIN_GOOD
        assert await asked(other, person) == REFUSED
    alarms = [record for record in caplog.records if "clock.skew" in record.getMessage()]
    assert len(alarms) == 1


@pytest.mark.anyio
async def test_fault_M14_a_node_that_is_ahead_takes_a_fresh_token_and_ends_it_earlier(postgres_url, tmp_path):
    """Nothing is gained by it: of the token's 10 minutes, 90 seconds are missing."""
    async with two_nodes(postgres_url, tmp_path, ahead=90 * SECOND) as (one, other):
        person = await one.register("anna")
        assert await asked(other, person) == LOGIN_GOOD
        for node in (one, other):
            node.clock.advance(600 * SECOND - 90 * SECOND)
        assert (await asked(one, person), await asked(other, person)) == (LOGIN_GOOD, REFUSED)


@pytest.mark.anyio
async def test_fault_M14_a_node_a_day_ahead_takes_tokens_for_ended(postgres_url, tmp_path, caplog):
    """It cannot tell that from a token's natural end: the comparison with the database's clock alarms."""
    async with two_nodes(postgres_url, tmp_path, ahead=DAY) as (one, other):
        person = await one.register("anna")
        assert await asked(other, person) == REFUSED
        assert await asked(one, person) == LOGIN_GOOD


@pytest.mark.anyio
@pytest.mark.parametrize("ahead", [90 * SECOND, -90 * SECOND, DAY])
async def test_fault_M14_a_short_key_is_as_old_as_redis_says_at_whatever_node(
    postgres_url, redis_server, tmp_path, ahead
):
    """And used at one is used at the other."""
    async with two_nodes(postgres_url, tmp_path, ahead=ahead, redis=redis_server) as (one, other):
        member = await make_member(one, "anna")
        for begun_at, at in ((one, other), (other, one)):
            key = await short_key(begun_at, "anna")
            payload = login_payload(at, "anna", member.login_secret)
            envelope = seal(at, Purpose.LOGIN, payload, sk=key)
            assert (await post(at, Purpose.LOGIN, envelope)).status_code == LOGIN_GOOD
            for node in (one, other):
                again = await post(node, Purpose.LOGIN, envelope)
                assert (again.status_code, again.json()["code"]) == (403, "refused")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("ahead", "alarms"),
    [(0, 0), (25 * SECOND, 0), (90 * SECOND, 1), (-90 * SECOND, 1), (DAY, 1)],
)
async def test_fault_M14_a_node_measures_its_clock_by_the_database(postgres_database, caplog, ahead, alarms):
    real = round(time.time() * SECOND)  # the database has the machine's clock, and no other
    clock = FixedClock(real + ahead)
    assert abs(await measure_skew(postgres_database, clock) - ahead) < 2 * SECOND
    await warn_of_skew(postgres_database, clock, get_log("test"))
    assert len([record for record in caplog.records if "clock.skew" in record.getMessage()]) == alarms
