"""Used keys in a real Redis: once whoever asks, and never again whatever Redis forgets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.kits.redis_links import linked, use_documented_file
from tests.kits.waiting import until_true

from watchword.core.clock import SECOND, Instant, SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.errors import BeginAgainError, RefusedError, UnavailableError
from watchword.server.bans.policy import BanPolicy
from watchword.server.bans.shared_book import COUNT, FORGET
from watchword.server.redis.link import RedisLink
from watchword.server.redis.used_keys import RedisUsedKeys
from watchword.server.redis.uses import RECORD_LIFE, Use, Uses
from watchword.server.sessions.boots import LIFE, IssuedKey, NodeBoots, OwnBoot
from watchword.server.sessions.shared_boot import RedisBoot
from watchword.testing import FixedClock, SeededEntropy
from watchword.testing.redis import RedisServer, create

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def node(url: str) -> AsyncIterator[tuple[RedisLink, Uses]]:
    """What one node has of Redis."""
    async with linked(url) as link:
        yield link, Uses(link, clock=SystemClock(), entropy=SystemEntropy())


async def issue(uses: Uses, unique: bytes = b"one") -> IssuedKey:
    memory = await uses.current()
    return IssuedKey(boot_id=memory.id, issued_at=memory.now, unique=unique)


async def claim(uses: Uses, key: IssuedKey) -> Use:
    till = Instant(key.issued_at + LIFE)
    return await uses.claim(key.boot_id + key.unique, from_=key.issued_at, till=till, memory_id=key.boot_id)


async def until_first_answer(uses: Uses, key: IssuedKey, expected: Use) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                assert await claim(uses, key) is expected
            except UnavailableError:
                await asyncio.sleep(0.01)
            else:
                return


async def record_of(redis: RedisServer) -> str:
    """The name of the record in Redis."""
    return redis.command("KEYS", "watchword:uses:*").split(b"\r\n")[2].decode()


async def test_fault_C21_fifty_claims_at_two_nodes_are_one_use(redis_server):
    async with node(redis_server.url) as (_, one), node(redis_server.url) as (_, two):
        key = await issue(one)
        found = await asyncio.gather(*(claim((one, two)[turn % 2], key) for turn in range(50)))
        assert sorted(found) == [Use.FIRST] + [Use.USED] * 49
        assert (await one.current()).id == (await two.current()).id


async def test_fault_C20_redis_clock_says_when_a_key_is_good(redis_server):
    async with node(redis_server.url) as (_, uses):
        memory = await uses.current()

        async def at(offset: int) -> Use:
            unique = str(offset).encode()
            key = IssuedKey(boot_id=memory.id, issued_at=Instant(memory.now + offset), unique=unique)
            return await claim(uses, key)

        assert await at(-LIFE - 1) is Use.EXPIRED
        assert await at(-LIFE + 30 * SECOND) is Use.FIRST
        assert await at(60 * SECOND) is Use.EXPIRED
        assert (
            await uses.claim(b"k", from_=memory.now, till=Instant(memory.now + LIFE), memory_id=b"12345678")
            is Use.FORGOTTEN
        )


async def test_fault_M19_nothing_is_good_after_redis_was_restarted(redis_server):
    async with node(redis_server.url) as (link, uses):
        used, unused = await issue(uses, b"used"), await issue(uses, b"unused")
        assert await claim(uses, used) is Use.FIRST
        redis_server.restart()
        await until_true(lambda: not link.up or link.boot_id != uses._seen_boot)
        await until_true(lambda: link.up)
        assert [await claim(uses, key) for key in (used, unused)] == [Use.FORGOTTEN] * 2
        assert await claim(uses, await issue(uses)) is Use.FIRST


async def test_fault_M19_nothing_is_good_after_redis_came_back_with_an_older_snapshot(tmp_path):
    server = create()
    server.options += ["--dbfilename", "snapshot.rdb"]
    server.start()
    try:
        async with node(server.url) as (link, uses):
            key = await issue(uses)
            server.command("SAVE")
            assert await claim(uses, key) is Use.FIRST
            before = link.boot_id
            server.restart()
            await until_true(lambda: link.up and link.boot_id != before)
            assert b"uses:" + before.hex().encode() in server.command("KEYS", "*")
            assert await claim(uses, key) is Use.FORGOTTEN
    finally:
        server.remove()


async def test_fault_M19_nothing_is_good_after_redis_was_flushed(redis_server):
    async with node(redis_server.url) as (link, uses):
        key = await issue(uses)
        assert await claim(uses, key) is Use.FIRST
        redis_server.flush()
        await until_true(lambda: link.up)
        await until_first_answer(uses, key, Use.FORGOTTEN)  # the link finds out too


async def test_fault_M19_nothing_is_good_after_redis_evicted_a_key(redis_server):
    redis_server.command("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
    async with node(redis_server.url) as (_, uses):
        key = await issue(uses)
        assert await claim(uses, key) is Use.FIRST
        redis_server.command("SET", "other", "1", "EX", "1000")
        redis_server.command("CONFIG", "SET", "maxmemory", "1")
        redis_server.command("SET", "more", "1")
        assert b"evicted_keys:0" not in redis_server.command("INFO", "stats")
        redis_server.command("CONFIG", "SET", "maxmemory", "0")
        await until_first_answer(uses, key, Use.FORGOTTEN)


async def test_fault_M19_a_full_redis_accepts_nothing_and_forgets_nothing(redis_server):
    redis_server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    async with node(redis_server.url) as (link, uses):
        used, fresh = await issue(uses, b"used"), await issue(uses, b"fresh")
        assert await claim(uses, used) is Use.FIRST
        redis_server.command("CONFIG", "SET", "maxmemory", "1")
        for key in (used, fresh):
            with pytest.raises(UnavailableError):
                await claim(uses, key)
        redis_server.command("CONFIG", "SET", "maxmemory", "0")
        await until_true(lambda: link.up)
        await until_first_answer(uses, used, Use.USED)


async def test_fault_C15_a_clock_of_redis_that_is_set_back_revives_nothing(redis_server):
    """Seen from the record, whose latest time then lies ahead."""
    async with node(redis_server.url) as (_, uses):
        key = await issue(uses)
        assert await claim(uses, key) is Use.FIRST
        record = await record_of(redis_server)
        redis_server.command("HSET", record, "latest", str(key.issued_at + 6 * SECOND))
        assert await claim(uses, key) is Use.FORGOTTEN


async def test_fault_M19_another_run_of_redis_behind_the_same_connection_is_another_memory(redis_server):
    """As a proxy may do it, which puts a standby with a copy in its place. Seen from the record."""
    async with node(redis_server.url) as (_, uses):
        key = await issue(uses)
        state = f"{'0' * 40} 0"
        assert redis_server.command("HSET", await record_of(redis_server), "state", state) == b":0\r\n"
        assert await claim(uses, key) is Use.FORGOTTEN
        assert await claim(uses, await issue(uses)) is Use.FIRST


async def test_fault_C15_the_record_dies_before_any_mark_that_still_counts(redis_server):
    """So a clock of Redis that is set forward, at which it drops marks, ends the memory with them."""
    async with node(redis_server.url) as (_, uses):
        key = await issue(uses)
        assert await claim(uses, key) is Use.FIRST
        record = int(redis_server.command("PTTL", await record_of(redis_server))[1:-2])
        mark = redis_server.command("KEYS", "watchword:used:*").split(b"\r\n")[2].decode()
        left = int(redis_server.command("PTTL", mark)[1:-2])
        assert 0 < record <= RECORD_LIFE
        assert left > LIFE + RECORD_LIFE
        redis_server.command("DEL", await record_of(redis_server))
        assert await claim(uses, key) is Use.FORGOTTEN


async def test_the_user_that_the_operations_page_shows_may_do_all_of_it(redis_server):
    use_documented_file(redis_server)
    async with node(f"{redis_server.url}?username=watchword&password=PASSWORD") as (link, uses):
        key = await issue(uses)
        assert [await claim(uses, key) for _ in range(2)] == [Use.FIRST, Use.USED]
        policy = BanPolicy()
        arguments: list[bytes | int] = [policy.window_ms, policy.failures, policy.names, b"anna.tag"]
        assert await link.run(COUNT, ["watchword:offences:192.0.2.7"], arguments) == [1, 1]
        assert await link.run(FORGET, ["watchword:offences:192.0.2.7"]) == [1]
        await link.publish("bans", b"")


async def test_a_nonce_is_good_once_and_only_where_memory_reaches_back(redis_server):
    window = 10 * SECOND
    async with node(redis_server.url) as (_, one), node(redis_server.url) as (_, two):
        nonces = [RedisUsedKeys(uses, name="nonce", window_ms=window) for uses in (one, two)]
        memory = await one.current()

        async def claim_at(which: int, offset: int, key: bytes = b"n") -> bool:
            till = Instant(memory.now + offset)
            return await nonces[which].claim(key, expires_at=till, now=Instant(0))

        assert not await claim_at(0, window - 5 * SECOND)
        record = await record_of(redis_server)
        redis_server.command("HSET", record, "since", str(memory.since - window))
        assert await claim_at(0, window - 5 * SECOND)
        assert not await claim_at(1, window - 5 * SECOND)
        assert await claim_at(1, window - 5 * SECOND, b"m")


async def test_req_C4_keys_of_redis_and_own_ones_meanwhile(redis_server):
    """Each key is taken by whoever gave out its boot id, and by nobody while that one is away."""
    async with node(redis_server.url) as (link, uses):
        own = OwnBoot(FixedClock(), SeededEntropy())
        local, refusing = (NodeBoots(own, RedisBoot(uses), local=choice) for choice in (True, False))
        shared = await uses.current()
        keys = [await issue(uses, bytes((number,))) for number in range(3)]
        assert (await local.current()).id == shared.id != own.id
        await local.claim(keys[0])
        redis_server.stop()
        await until_true(lambda: not link.up)
        meanwhile = await local.current()
        assert meanwhile.id == own.id
        mine = [IssuedKey(boot_id=own.id, issued_at=meanwhile.now, unique=bytes((n,))) for n in range(2)]
        await local.claim(mine[0])
        for boots in (local, refusing):
            with pytest.raises(UnavailableError):
                await boots.claim(keys[1])
        with pytest.raises(BeginAgainError):
            await local.claim(IssuedKey(boot_id=b"neighbor", issued_at=meanwhile.now, unique=b""))
        with pytest.raises(UnavailableError):
            await refusing.current()
        redis_server.start()
        await until_true(lambda: link.up)
        with pytest.raises(RefusedError) as used:
            await local.claim(mine[0])
        assert used.value.reason == "short_key_used"
        await local.claim(mine[1])
        for key in keys:
            with pytest.raises(BeginAgainError):
                await local.claim(key)
        assert (await local.current()).id not in {shared.id, own.id}
