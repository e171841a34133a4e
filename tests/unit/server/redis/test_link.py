"""The link to a real Redis: up and down, what it remembers, and what it never shows."""

import asyncio
import time

import pytest
from tests.kits.ports import kept_port
from tests.kits.redis_links import linked, make_link, use_documented_file
from tests.kits.waiting import until_true

from watchword.core.clock import SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.errors import InvalidConfigError, UnavailableError
from watchword.server.limits.model import Bucket, Demand, Exceeded, Lease, Rate, Slots
from watchword.server.limits.shared import RedisLimiter
from watchword.server.logs import configure_logs
from watchword.server.redis.link import LinkTimes, RedisLink
from watchword.server.redis.listener import BEGUN
from watchword.server.redis.script import Script
from watchword.testing.redis import create

pytestmark = pytest.mark.anyio
ECHO = Script("return {KEYS[1], ARGV[1], #KEYS, #ARGV}")


async def publish_until_heard(link: RedisLink, word: bytes, heard: list[bytes]) -> None:
    async with asyncio.timeout(60):
        while word not in heard:
            await link.publish("bans", word)
            await asyncio.sleep(0.01)


async def test_a_script_runs_though_redis_has_never_seen_it(redis_server):
    async with linked(redis_server.url) as link:
        assert await link.run(ECHO, ["watchword:k"], ["ü"]) == [b"watchword:k", "ü".encode(), 1, 1]
        redis_server.command("SCRIPT", "FLUSH")
        assert await link.run(ECHO, ["watchword:k"], [b"\r\n\0"]) == [b"watchword:k", b"\r\n\0", 1, 1]


async def test_a_thousand_questions_at_once_each_get_their_own_answer(redis_server):
    async with linked(redis_server.url) as link:
        answers = await asyncio.gather(*(link.run(ECHO, [f"watchword:{n}"], [n]) for n in range(1000)))
        assert [int(answer[1]) for answer in answers] == list(range(1000))


async def test_a_caller_that_gives_up_takes_nobody_elses_answer(redis_server):
    async with linked(redis_server.url) as link:
        tasks = [asyncio.create_task(link.run(ECHO, ["watchword:k"], [n])) for n in range(100)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        answers = await asyncio.gather(*tasks[1::2])
        assert [int(answer[1]) for answer in answers] == list(range(1, 100, 2))
        assert link.up


async def test_the_boot_id_is_the_same_at_every_node_and_another_after_each_restart(redis_server):
    async with linked(redis_server.url) as one, linked(redis_server.url) as other:
        first = one.boot_id
        assert len(first) == 8
        assert other.boot_id == first
        redis_server.restart()
        await until_true(lambda: one.up and other.up and one.boot_id == other.boot_id != first)


async def test_a_flush_is_noticed_though_nobody_asks(redis_server):
    async with linked(redis_server.url) as link:
        before = link.boot_id
        redis_server.flush()
        await until_true(lambda: link.up and link.boot_id != before)


async def test_a_redis_that_is_killed_is_told_at_once_and_found_again(redis_server):
    async with linked(redis_server.url) as link:
        heard: list[bool] = []
        link.on_change.append(heard.append)
        redis_server.stop()
        await until_true(lambda: heard == [False])
        with pytest.raises(UnavailableError):
            await link.run(ECHO, ["watchword:k"], ["x"])
        redis_server.start()
        await until_true(lambda: heard == [False, True])
        assert await link.run(ECHO, ["watchword:k"], ["x"])


async def test_a_redis_that_hangs_counts_as_gone_and_comes_back_by_itself(redis_server):
    async with linked(redis_server.url, LinkTimes(connect_s=30)) as link:
        await until_true(lambda: link.up)
        redis_server.pause()
        questions = [link.run(ECHO, ["watchword:k"], [n]) for n in range(10)]
        answers = await asyncio.gather(*questions, return_exceptions=True)
        assert all(isinstance(answer, UnavailableError) for answer in answers)
        assert not link.up
        redis_server.resume()
        await until_true(lambda: link.up)


async def test_a_pause_of_our_own_is_not_held_against_redis(redis_server):
    async with linked(redis_server.url, LinkTimes(silence_s=0.5, connect_s=30, beat_s=3600)) as link:
        heard: list[bool] = []
        link.on_change.append(heard.append)
        for before_it_is_written in (True, False):
            question = asyncio.create_task(link.run(ECHO, ["watchword:k"], ["x"]))
            await asyncio.sleep(0)
            if not before_it_is_written:
                await asyncio.sleep(0)
            time.sleep(0.6)
            assert (await question)[1] == b"x"
        assert heard == []


async def test_one_that_raises_when_told_keeps_nobody_from_the_link(redis_server):
    async with linked(redis_server.url) as link:
        heard: list[bool] = []

        def raising(up: bool) -> None:
            raise ValueError(up)

        link.on_change.append(raising)
        link.on_change.append(heard.append)
        redis_server.restart()
        await until_true(lambda: heard == [False, True])


async def test_a_start_without_redis_is_a_start_and_says_so():
    server = create()
    try:
        async with linked(server.url) as link:
            assert not link.up
            server.start()
            await until_true(lambda: link.up)
    finally:
        server.remove()


async def test_a_redis_that_is_full_is_no_redis():
    server = create()
    server.options += ["--maxmemory", "1kb", "--maxmemory-policy", "noeviction"]
    try:
        server.start()
        async with linked(server.url) as link:
            assert not link.up
            server.command("CONFIG", "SET", "maxmemory", "0")
            await until_true(lambda: link.up)
    finally:
        server.remove()


async def test_what_is_published_is_heard_by_every_node_also_after_a_restart(redis_server):
    async with linked(redis_server.url) as one:
        heard: list[bytes] = []
        other = make_link(redis_server.url)
        other.subscribe("bans", heard.append)
        await other.start()
        await publish_until_heard(one, b"first", heard)
        before = one.boot_id
        redis_server.restart()
        await until_true(lambda: one.up and other.up and one.boot_id == other.boot_id != before)
        await publish_until_heard(one, b"second", heard)
        await other.close()
        assert heard[0] == BEGUN, "before anything else"
        assert BEGUN in heard[heard.index(b"first") : heard.index(b"second")], "and after the gap"


async def test_the_log_says_why_redis_is_away(redis_server, caplog):
    configure_logs()
    redis_server.command("CONFIG", "SET", "requirepass", "right")
    with kept_port() as port:
        for url, why in (
            (f"{redis_server.url}?password=wrong", "password"),
            (redis_server.url, "password"),
            (f"{redis_server.url}x", "no_socket"),
            (f"redis://127.0.0.1:{port}", "nobody_listens"),
        ):
            caplog.clear()
            async with linked(url):
                pass
            told = [record.watchword_fields for record in caplog.records if record.levelname == "WARNING"]
            assert told == [{"why": why}], url


async def test_the_log_says_when_the_reason_changes_and_each_once(redis_server, caplog):
    configure_logs()
    async with linked(redis_server.url) as link:
        caplog.clear()
        redis_server.stop()
        await until_true(lambda: link.why in {"no_socket", "nobody_listens"})
        redis_server.options = ["--requirepass", "another"]
        redis_server.start()
        await until_true(lambda: link.why == "password")
        assert not link.up
        redis_server.command("AUTH", "another")
        told = [record.watchword_fields["why"] for record in caplog.records if record.message == "redis.lost"]
        assert told[-1] == "password"
        assert len(told) == len(set(told)) > 1
        redis_server.options = []
        redis_server.restart()
        await until_true(lambda: link.up)
        assert link.why == ""


async def test_the_password_opens_and_is_never_shown(redis_server, capfd):
    password = "correct-horse-4711"  # of this test's own server
    redis_server.command("CONFIG", "SET", "requirepass", password)
    async with linked(f"{redis_server.url}?password=wrong-horse-4711") as link:
        assert not link.up
        assert "4711" not in repr(link)
    async with linked(f"{redis_server.url}?password={password}") as link:
        assert link.up
        with pytest.raises(UnavailableError) as refused:
            await link.run(Script("return redis.call('NONSENSE')"), [])
        assert "4711" not in repr(refused.value)
    assert "4711" not in "".join(capfd.readouterr())


async def test_the_user_that_the_documentation_makes_may_do_what_we_do_also_after_a_restart(redis_server):
    use_documented_file(redis_server)
    heard: list[bytes] = []
    link = make_link(f"{redis_server.url}?username=watchword&password=PASSWORD&db=3")
    link.subscribe("bans", heard.append)
    await link.start()
    try:
        assert link.up
        await publish_until_heard(link, b"word", heard)
        boot_id = link.boot_id
        redis_server.restart()
        await until_true(lambda: link.up and link.boot_id != boot_id)
        assert (await link.run(ECHO, ["watchword:k"], ["x"]))[1] == b"x"
        limiter = RedisLimiter(link, clock=SystemClock(), entropy=SystemEntropy(), fallback=None)
        wanted = Demand((Bucket("a", Rate(1, 60_000), "read"),), Slots("s", 1))
        lease = await limiter.reserve(wanted)
        assert isinstance(lease, Lease)
        limiter.release(lease)
        assert isinstance(await limiter.reserve(wanted), Exceeded)
        await limiter.close()
        for forbidden in (
            "redis.call('GET', 'theirs')",
            "redis.call('FLUSHALL')",
            "redis.call('CONFIG', 'GET', '*')",
        ):
            with pytest.raises(UnavailableError):
                await link.run(Script(f"return {{{forbidden}}}"), [])
    finally:
        await link.close()


async def test_a_url_with_parts_that_mean_nothing_is_refused_without_showing_it():
    with pytest.raises(InvalidConfigError) as refused:
        make_link("redis://:hunter22@host/0?colour=blue")
    assert "hunter22" not in str(refused.value)
