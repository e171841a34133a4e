"""Two nodes, one PostgreSQL and one Redis: what a node promises holds at the other, and while Redis is away."""

import contextlib
import itertools
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import pytest
from tests.kits.nodes import Nodes, caller, is_linked, is_ready, link_said, patiently, two_nodes
from tests.kits.over_tls import header, register
from tests.kits.process import RunningServer
from tests.kits.real_server import Caller
from tests.kits.sealed import fresh, seal_with_header
from tests.kits.waiting import until

from watchword.cli.main import run
from watchword.core.encoding import decode_json, encode_json
from watchword.protocol.envelope import Purpose
from watchword.testing.counts import count
from watchword.testing.databases import PostgresServer
from watchword.testing.redis import create

T = TypeVar("T")
OK, REFUSED, TOO_MANY, AWAY = 200, 403, 429, 503
REASONS = 4
"""Words for why one Redis is away, at most: it is silent, the line broke, nobody listens, it loads."""
READS = 20
"""Of a source in an hour, at all nodes together. 127.0.0.1 is exempt."""


@pytest.fixture(scope="module")
def nodes(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    redis = create()
    redis.start()
    try:
        place = tmp_path_factory.mktemp("nodes")
        settings = {"limits.read": f"{READS}/1h"}
        with two_nodes(place, database=postgres_server.new(), redis=redis, settings=settings) as found:
            yield found
    finally:
        redis.remove()


@pytest.fixture(autouse=True)
def redis_runs(nodes: Nodes) -> Iterator[None]:
    """Whatever a test did to it, the next one finds it at work."""
    yield
    if nodes.redis.process is None:
        nodes.redis.start()
    nodes.redis.resume()


def with_key(asking: Caller, name: str, secret: str, key: str) -> str:
    """A login that spends a short key, wherever that came from."""
    payload = {"identifier": name, "login_secret": secret, "reply_key": fresh(asking.entropy)}
    return seal_with_header(header(asking, Purpose.LOGIN, key), encode_json(payload), asking.recipient())


def answer(asking: Caller, envelope: str) -> tuple[int, str]:
    """Status and code. Asked again where Redis took too long: what it did not say is no answer."""

    def ask() -> tuple[int, str]:
        status, body, _ = asking.post("/api/login", envelope)
        assert status != AWAY, body
        return status, "" if status == OK else str(decode_json(body)["code"])

    return patiently(ask)


def fresh_key(asking: Caller, name: str) -> str:
    return patiently(lambda: asking.short_key(name))


def member(asking: Caller, name: str) -> str:
    """Make an account; its login secret."""
    return patiently(lambda: register(asking, name))


def log_in(begin_at: Caller, at: Caller, name: str, secret: str) -> int:
    """Begin at one node, log in at another; as a client does, once again where the key was not good any more."""
    for _ in range(2):
        found = answer(at, with_key(at, name, secret, fresh_key(begin_at, name)))
        if found[1] != "begin_again":
            break
    return found[0]


def test_a_key_of_one_node_is_good_at_the_other_and_once_at_both(nodes):
    with nodes.callers() as (one, other):
        secret = member(one, "anna")
        for begin_at, at in ((one, other), (other, one), (one, one)):
            envelope = with_key(at, "anna", secret, fresh_key(begin_at, "anna"))
            assert answer(at, envelope) == (OK, "")
            for replayed_at in (one, other):
                assert answer(replayed_at, envelope) == (REFUSED, "refused")


def test_fault_C21_of_fifty_uses_at_once_over_two_nodes_one_is_verified(nodes):
    with ExitStack() as stack, nodes.callers() as (one, _):
        secret = member(one, "bert")
        callers = [stack.enter_context(caller(nodes.both[turn % 2])) for turn in range(50)]
        calm = 0
        while calm < count(2, 10):
            body = encode_json({"envelope": with_key(one, "bert", secret, fresh_key(one, "bert"))})
            for each in callers:
                each.send("POST", "/api/login", body)
            seen = Counter(each.read()[0] for each in callers)
            assert seen[OK] <= 1
            assert seen.keys() <= {OK, REFUSED, AWAY}
            calm += seen == {OK: 1, REFUSED: 49}


def test_fault_M13_a_frozen_node_does_not_take_what_was_used_meanwhile(nodes):
    with nodes.callers() as (one, other):
        secret = member(one, "cora")
        envelope = with_key(one, "cora", secret, fresh_key(other, "cora"))
        body = encode_json({"envelope": envelope})
        nodes.other.process.send_signal(signal.SIGSTOP)
        try:
            other.send("POST", "/api/login", body)
            assert answer(one, envelope) == (OK, "")
        finally:
            nodes.other.process.send_signal(signal.SIGCONT)
        assert other.read()[0] in {REFUSED, AWAY}
        assert answer(other, envelope) == (REFUSED, "refused")
        until(lambda: is_ready(nodes.other), "the node that was frozen is ready")
        assert log_in(other, one, "cora", secret) == OK


def test_fault_M13_one_node_that_is_killed_leaves_the_other_at_work(nodes):
    with nodes.callers() as (one, other):
        secret = member(one, "dora")
        envelope = with_key(one, "dora", secret, fresh_key(one, "dora"))
        nodes.one.kill()
        assert answer(other, envelope) == (OK, "")
        assert log_in(other, other, "dora", secret) == OK
    nodes.start("a")
    with nodes.callers() as (one, other):
        assert answer(one, envelope) == (REFUSED, "refused")
        assert log_in(one, other, "dora", secret) == OK


@dataclass(frozen=True, slots=True)
class Desk:
    """The operator's commands, run in this process."""

    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def run(self, node: RunningServer, command: str) -> tuple[int, list[str]]:
        """Exit code and lines of a command for `node`."""
        self.monkeypatch.setenv("WATCHWORD_DATA", str(node.data))
        self.capsys.readouterr()
        code = int(run([command]))
        return code, self.capsys.readouterr().out.splitlines()


def says_what_it_lacks(nodes: Nodes, desk: Desk) -> None:
    assert desk.run(nodes.one, "health") == (1, ["not ready: Redis does not answer"])
    code, lines = desk.run(nodes.other, "health")
    assert (code, lines[0], len(lines)) == (0, "ready", 2)
    assert lines[1].startswith("note: Redis does not answer")
    _, metrics = desk.run(nodes.other, "metrics")
    assert {"watchword_redis_up 0.0", "watchword_limits_local 1.0"} <= set(metrics)


def test_redis_is_killed_and_comes_back(nodes, capsys, monkeypatch):
    with nodes.callers() as (one, other):
        secret = member(one, "emil")
        used, unused = (fresh_key(one, "emil") for _ in range(2))
        assert answer(other, with_key(other, "emil", secret, used)) == (OK, "")
        nodes.redis.stop()
        until(lambda: not is_ready(nodes.one), "a node that needs Redis is not ready without")
        until(lambda: not is_linked(nodes.other), "the other one knows")
        for key in (used, unused):
            status, body, _ = other.post("/api/login", with_key(other, "emil", secret, key))
            assert (status, decode_json(body)["code"]) == (AWAY, "unavailable")
        with pytest.raises(AssertionError, match="unavailable"):
            one.short_key("emil")
        assert is_ready(nodes.other)
        own = other.short_key("emil")
        envelope = with_key(other, "emil", secret, own)
        assert other.post("/api/login", envelope)[0] == OK
        assert other.post("/api/login", envelope)[0] == REFUSED
        says_what_it_lacks(nodes, Desk(capsys, monkeypatch))
        nodes.redis.start()
        until(lambda: all(is_linked(node) for node in nodes.both), "Redis is back at both")
        until(lambda: is_ready(nodes.one), "a node that has Redis again is ready")
        for at in (one, other):
            for key in (used, unused):
                assert answer(at, with_key(at, "emil", secret, key))[1] == "begin_again"
        assert answer(other, envelope) == (REFUSED, "refused")
        assert log_in(one, other, "emil", secret) == OK
        for node in nodes.both:
            turns = [list(turn) for _, turn in itertools.groupby(link_said(node))]
            assert turns[0][0] == "redis.lost"
            assert all(len(turn) <= REASONS for turn in turns), "not for each request"
            assert all(len(turn) == 1 for turn in turns if turn[0] == "redis.back")


def test_a_redis_that_hangs_or_restarts_under_load_costs_nobody_more_than_a_try_again(nodes):
    """No answer but the ones that are foreseen, no connection lost, and afterwards everything as before."""
    with nodes.callers() as (one, _):
        secret = member(one, "fina")
    ended = threading.Event()
    seen: Counter[tuple[int, str]] = Counter()

    def work(at: RunningServer) -> None:
        with caller(at) as asking:
            while not ended.is_set():
                key = "A" * 116
                with contextlib.suppress(AssertionError):  # there was none
                    key = asking.short_key("fina")
                status, body, _ = asking.post("/api/login", with_key(asking, "fina", secret, key))
                seen[status, "" if status == OK else str(decode_json(body)["code"])] += 1

    with ThreadPoolExecutor() as pool:
        working = [pool.submit(work, node) for node in nodes.both for _ in range(2)]
        try:
            for _ in range(count(1, 10)):
                disturb(nodes)
        finally:
            ended.set()
        for each in working:
            each.result()
    allowed = {(OK, ""), (REFUSED, "refused"), (409, "begin_again"), (AWAY, "unavailable")}
    assert seen.keys() <= allowed, seen
    assert seen[OK, ""]
    with nodes.callers() as (one, other):
        assert log_in(one, other, "fina", secret) == OK
        assert log_in(other, one, "fina", secret) == OK
    assert not any("Traceback" in node.log_text() for node in nodes.both)


def disturb(nodes: Nodes) -> None:
    """Let Redis hang and go on, then be killed and start empty."""
    times_back = [link_said(node).count("redis.back") for node in nodes.both]

    def is_back(times: int) -> bool:
        found = [link_said(node).count("redis.back") for node in nodes.both]
        return all(now >= then + times for now, then in zip(found, times_back, strict=True))

    nodes.redis.pause()
    until(lambda: not any(map(is_linked, nodes.both)), "a Redis that hangs counts as gone")
    nodes.redis.resume()
    until(lambda: is_back(1), "it answers again")
    nodes.redis.restart()
    until(lambda: is_back(2), "another one answers")


def status(asking: Caller, path: str = "/.well-known/watchword-keys") -> int:
    """Of a GET; asked again where Redis took too long."""

    def ask() -> int:
        found, body, _ = asking.call("GET", path)
        assert found != AWAY, body
        return found

    return patiently(ask)


def calmly(nodes: Nodes, work: Callable[[str], T], sources: Iterator[str]) -> T:
    """What `work` finds for a new source while both nodes had Redis all the time."""
    while True:
        before = [link_said(node) for node in nodes.both]
        found = work(next(sources))
        if all(map(is_linked, nodes.both)) and before == [link_said(node) for node in nodes.both]:
            return found


def test_limits_are_counted_for_both_nodes_together(nodes):
    def work(source: str) -> list[int]:
        with nodes.callers(source) as callers:
            return [status(callers[turn % 2]) for turn in range(2 * READS)]

    seen = calmly(nodes, work, (f"127.0.1.{number}" for number in range(1, 255)))
    assert seen == [OK] * READS + [TOO_MANY] * READS


def offend(nodes: Nodes, source: str) -> None:
    """Ask each node for nine paths that only scanners ask for, and for two more: 20 ban."""
    with nodes.callers(source) as callers:
        for turn in range(18):
            assert status(callers[turn % 2], f"/wp-login.php?{turn}") != TOO_MANY
        for turn in range(2):
            status(callers[turn], "/wp-admin/")


def is_banned(node: RunningServer, source: str) -> bool:
    """Whether it is turned away where nobody counts."""
    with caller(node, source) as asking:
        return status(asking, "/health/live") == TOO_MANY


def test_req_P4_offences_at_two_nodes_ban_at_both(nodes):
    def work(source: str) -> str:
        offend(nodes, source)
        return source

    source = calmly(nodes, work, (f"127.0.2.{number}" for number in range(1, 255)))
    for node in nodes.both:
        until(partial(is_banned, node, source), "both nodes refuse who offended at both")
    assert not is_banned(nodes.one, "127.0.2.255")


def forge(asking: Caller) -> None:
    """Show a short key that nobody made: that bans at once."""
    key = fresh_key(asking, "gina")
    forged = ("B" if key[40] == "A" else "A").join((key[:40], key[41:]))
    assert asking.post("/api/login", with_key(asking, "gina", fresh(asking.entropy), forged))[0] == REFUSED


def test_no_ban_is_lost_while_redis_is_away(nodes):
    """One of before, and one that is made meanwhile, by each node: the database has them."""
    before, meanwhile = "127.0.3.1", "127.0.3.2"
    with caller(nodes.other, before) as asking:
        forge(asking)
    until(lambda: is_banned(nodes.one, before), "the other node hears of a ban")
    nodes.redis.stop()
    until(lambda: not is_linked(nodes.other), "Redis is known to be away")
    with caller(nodes.other, meanwhile) as asking:
        forge(asking)
    for node in nodes.both:
        for source in (before, meanwhile):
            until(partial(is_banned, node, source), "a ban holds without Redis")
    nodes.redis.start()
    until(lambda: all(map(is_linked, nodes.both)), "Redis is back")
    for node in nodes.both:
        assert all(is_banned(node, source) for source in (before, meanwhile))


def test_fault_M13_a_frozen_node_on_return_hears_of_the_bans_that_it_missed(nodes):
    source = "127.0.4.1"
    nodes.other.process.send_signal(signal.SIGSTOP)
    try:
        with caller(nodes.one, source) as asking:
            forge(asking)
        assert is_banned(nodes.one, source)
    finally:
        nodes.other.process.send_signal(signal.SIGCONT)
    until(lambda: is_banned(nodes.other, source), "a node that was frozen hears of a ban")
