"""One suite for both books of offences: in the memory of a process, and shared in a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
from tests.kits.redis_links import linked
from tests.kits.waiting import until_true

from watchword.core.clock import SteadyClock, SystemClock
from watchword.server.bans.book import MemoryOffenceBook, OffenceBook
from watchword.server.bans.policy import BanPolicy, Tally
from watchword.server.bans.shared_book import SharedOffenceBook
from watchword.server.bans.sql import SQLBanStore
from watchword.server.db.unit import AuditedDatabase
from watchword.server.redis.link import RedisLink
from watchword.testing.redis import RedisServer

pytestmark = pytest.mark.anyio
HERE, THERE = "192.0.2.7", "2001:db8:1:2::/64"
ANNA, BERT = b"anna.tag", b"bert.tag"


@dataclass
class Stage:
    """Makes books; those of one stage share what books can share."""

    database: AuditedDatabase
    redis: RedisServer | None
    policy: BanPolicy = field(default_factory=BanPolicy)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    links: list[RedisLink] = field(default_factory=list)

    async def open(self) -> OffenceBook:
        own = MemoryOffenceBook(
            self.policy,
            SteadyClock(SystemClock()),
            store=SQLBanStore(self.database),
            database=self.database,
            node=f"node-{len(self.links)}",
        )
        if self.redis is None:
            return own
        link = await self.stack.enter_async_context(linked(self.redis.url))
        self.links.append(link)
        return SharedOffenceBook(own, link, self.policy)


@pytest.fixture(params=["memory", "redis"])
async def stage(request: pytest.FixtureRequest, sqlite_database: AuditedDatabase) -> AsyncIterator[Stage]:
    redis = request.getfixturevalue("redis_server") if request.param == "redis" else None
    stage = Stage(sqlite_database, redis)
    async with stage.stack:
        yield stage


@pytest.fixture
async def shared(redis_server: RedisServer, sqlite_database: AuditedDatabase) -> AsyncIterator[Stage]:
    stage = Stage(sqlite_database, redis_server)
    async with stage.stack:
        yield stage


async def count(book: OffenceBook, source: str = HERE, tag: bytes = b"", times: int = 1) -> Tally:
    """Count at once so many failures; the last tally."""
    told: list[Tally] = []
    for _ in range(times):
        book.count(source, tag, told.append)
    await told_all(told, times)
    return max(told)


async def told_all(told: list[Tally], times: int) -> None:
    await until_true(lambda: len(told) >= times)


async def test_failures_and_different_names_are_counted_for_each_source(stage: Stage) -> None:
    book = await stage.open()
    assert await count(book) == Tally(1, 0)
    assert await count(book, tag=ANNA, times=3) == Tally(4, 1)
    assert await count(book, tag=BERT) == Tally(5, 2)
    assert await count(book, tag=ANNA) == Tally(6, 2)
    assert await count(book, THERE, BERT) == Tally(1, 1)


async def test_counting_ends_where_the_policy_asks_no_further(stage: Stage) -> None:
    stage.policy = BanPolicy(failures=5, names=3)
    book = await stage.open()
    for number in range(10):
        tally = await count(book, tag=bytes((number,)) * 8)
    assert tally == Tally(5, 3)
    assert await count(book, tag=bytes((0,)) * 8) == Tally(5, 3)


async def test_a_source_that_is_forgotten_begins_at_nothing(stage: Stage) -> None:
    book = await stage.open()
    await count(book, tag=ANNA, times=7)
    await count(book, THERE)
    book.forget(HERE)
    await book.flush()
    assert await count(book) == Tally(1, 0)
    assert await count(book, THERE) == Tally(2, 0)


async def test_what_is_older_than_the_window_counts_no_more(stage: Stage) -> None:
    stage.policy = BanPolicy(window_ms=1)
    book = await stage.open()
    await count(book, tag=ANNA)
    await asyncio.sleep(0.01)
    assert await count(book, tag=BERT) == Tally(1, 1)


async def test_a_tally_of_before_is_not_told_after_the_source_was_forgotten(stage: Stage) -> None:
    """Else one attack would ban twice, the second time for twice as long."""
    stage.policy = BanPolicy(failures=20)
    book = await stage.open()
    told: list[Tally] = []

    def ban(tally: Tally) -> None:
        told.append(tally)
        if tally.failures == 20:
            book.forget(HERE)

    for _ in range(30):
        book.count(HERE, b"", ban)
    assert (await count(book, THERE)).failures == 1  # what was asked before is answered before
    await book.flush()
    assert [tally.failures for tally in told].count(20) == 1


async def test_req_P4_failures_at_two_nodes_are_one_count(shared: Stage) -> None:
    one, other = await shared.open(), await shared.open()
    await count(one, tag=ANNA, times=9)
    assert await count(other, tag=BERT, times=10) == Tally(19, 2)
    assert await count(one) == Tally(20, 2)
    one.forget(HERE)
    await one.flush()
    assert (await count(one)).failures == 1


async def test_without_redis_each_node_counts_and_afterwards_nobody_has_forgotten_its_own(
    shared: Stage,
) -> None:
    one, other = await shared.open(), await shared.open()
    await count(one, times=5)
    await count(other, times=2)
    assert shared.redis is not None
    shared.redis.stop()
    await until_links(shared, up=False)
    assert await count(one, times=3) == Tally(8, 0)
    one.forget(THERE)
    shared.redis.start()
    await until_links(shared, up=True)
    await one.flush()
    assert await count(one) == Tally(9, 0)
    assert await count(other) == Tally(3, 0)


async def until_links(stage: Stage, *, up: bool) -> None:
    await until_true(lambda: all(link.up is up for link in stage.links))
