"""Fronts: what they must not change, what they may not have, and what happens when one dies.

The whole edge suite runs behind fronts too, with WATCHWORD_TEST_FRONTS=1.
"""

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest
from tests.edges.harness import (
    PATIENCE_S,
    Connection,
    Note,
    RunningServer,
    running_server,
    throw_away_certificate,
)

from watchword.server.http import Reply, Request, Route
from watchword.server.http.connections import ConnectionLimits, Place
from watchword.server.http.fronts import child as child_module
from watchword.server.http.fronts import pool
from watchword.server.http.fronts.child import NUMBER_SIZE, Child
from watchword.server.http.fronts.frames import Hello

LIMITS = ConnectionLimits(total=60, per_source=20)
GET = b"GET /api/told HTTP/1.1\r\nHost: localhost:%d\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server(fronts=2, limits=LIMITS) as running:
        yield running


def fronts_of(server: RunningServer) -> pool.Fronts:
    assert server.fronts is not None
    return server.fronts


def eventually(holds: Callable[[], bool], within: float = PATIENCE_S) -> None:
    ends = time.monotonic() + within
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def is_replaced(fronts: pool.Fronts, pid: int) -> bool:
    return fronts.ready == 1 and fronts.pids() != [pid]


def test_connections_are_shared_out_and_each_keeps_its_own_address(server: RunningServer):
    connections = [server.connect(source=f"127.0.0.{number}") for number in range(2, 10)]
    for number, connection in enumerate(connections, 2):
        connection.send(GET % server.port * 3)  # pipelined, and answered in order
        answers = [connection.read() for _ in range(3)]
        assert [answer.json()["address"] for answer in answers] == [f"127.0.0.{number}"] * 3
    loads = [child.link.load for child in fronts_of(server)._children]
    assert len(loads) == 2
    assert min(loads) >= 3
    for connection in connections:
        connection.close()
    eventually(lambda: not sum(child.link.load for child in fronts_of(server)._children))


def test_a_body_waits_with_its_sender_until_it_is_wanted(server: RunningServer):
    connection = server.connect()
    text = "x" * 60_000
    body = b'{"text":"%b"}' % text.encode()
    head = (
        b"POST /api/note HTTP/1.1\r\nHost: localhost:%d\r\nContent-Type: application/json\r\n" % server.port
    )
    connection.send(head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
    assert connection.read().status == 100
    for start in range(0, len(body), 7000):
        connection.send(body[start : start + 7000])
    assert connection.read().json() == {"text": text}
    # Refused by its head alone: nothing is asked for, and the connection ends.
    connection.send(head.replace(b"/api/note", b"/absent") + b"Content-Length: 5000\r\n\r\n{")
    answer = connection.read()
    assert (answer.status, answer.headers["connection"]) == (404, "close")
    connection.close()


def test_a_caller_that_leaves_in_the_middle_of_its_body_leaves_nothing_behind(server: RunningServer):
    for _ in range(8):
        connection = server.connect()
        connection.send(server.encode("POST", "/api/note", b'{"text":"good"}')[:-4])
        connection.close()
    eventually(
        lambda: not any(child.link._requests or child.link.load for child in fronts_of(server)._children)
    )
    server.is_well()


def test_what_is_no_request_is_refused_by_the_front_and_counted_by_the_server(server: RunningServer):
    def held() -> list[Place]:
        return [place for child in fronts_of(server)._children for place in child.link._places.values()]

    with ExitStack() as stack:
        connection = server.connect()
        stack.callback(connection.close)
        for _ in range(20):  # the server may keep some for itself
            if held():
                break
            connection = server.connect()
            stack.callback(connection.close)
        measures = held()[0].measures
        connection.send(b"GET  / HTTP/1.1\r\n\r\n")
        assert connection.read().status == 400
        assert connection.is_closed()
        eventually(lambda: measures.refused.get(400) == 1)


def test_limits_hold_for_all_fronts_together(server: RunningServer):
    with ExitStack() as stack:
        opened = [
            stack.enter_context(
                socket.create_connection(
                    ("127.0.0.1", server.port), PATIENCE_S, source_address=("127.0.0.30", 0)
                )
            )
            for _ in range(LIMITS.per_source + 5)
        ]
        for connection in opened:
            connection.settimeout(0)
        shut: set[socket.socket] = set()

        def look() -> int:
            for connection in opened:
                with suppress(BlockingIOError):
                    shut.update([connection] if connection.recv(1) == b"" else [])
            return len(shut)

        eventually(lambda: look() >= 5)
        assert look() == 5
        server.is_well()
    eventually(lambda: not sum(child.link.load for child in fronts_of(server)._children))


def test_another_certificate_reaches_every_front(server: RunningServer):
    before = server.client
    assert leaf_of(server.connect())
    chain, key = throw_away_certificate()
    fronts = fronts_of(server)
    old = fronts._hello
    fronts._hello = lambda: Hello(chain, key.reveal(), "info", True, 2)
    try:
        fronts._loop.call_soon_threadsafe(fronts.renew)
        server.client = ssl_context(chain)
        eventually(lambda: all(can_connect(server) for _ in range(2)))
    finally:
        fronts._hello = old
        server.client = before
        fronts._loop.call_soon_threadsafe(fronts.renew)
    eventually(lambda: all(can_connect(server) for _ in range(2)))


def ssl_context(chain: bytes) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=chain.decode())


def can_connect(server: RunningServer) -> bool:
    with suppress(ssl.SSLError):
        server.connect().close()
        return True
    return False


def leaf_of(connection: Connection) -> bytes:
    leaf = connection.tls.getpeercert(binary_form=True)
    connection.close()
    assert leaf is not None
    return leaf


def test_a_front_has_no_secret_of_ours_in_its_arguments_or_environment_and_listens_nowhere(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("WATCHWORD_ROOT_KEY", "canary-4711")
    monkeypatch.setenv("PGPASSWORD", "canary-4711")
    with running_server(fronts=1) as server:
        [pid] = fronts_of(server).pids()
        process = Path(f"/proc/{pid}")
        for file in ("environ", "cmdline"):
            assert b"canary-4711" not in (process / file).read_bytes()
        listening = {line.split()[9] for line in tcp_of(process) if line.split()[3] == "0A"}
        mine = {str(handle.readlink()).partition("[")[2].rstrip("]") for handle in (process / "fd").iterdir()}
        assert not listening & mine
        assert str((process / "fd" / "0").readlink()) == "/dev/null"
        assert fronts_of(server).has(pid)
        assert not fronts_of(server).has(os.getpid())
    assert is_gone(pid)


def test_a_front_can_gain_no_right_and_leaves_no_memory_image(server: RunningServer):
    for pid in fronts_of(server).pids():
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if "\t" in line
        )
        assert status["NoNewPrivs"] == "1"
        assert int(status["CapAmb"], 16) == 0
        if os.geteuid() == 0:
            assert int(status["CapBnd"], 16) == 0
        [core] = [
            line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if "core file" in line
        ]
        assert core.split()[4:6] == ["0", "0"]


def tcp_of(process: Path) -> list[str]:
    return [
        line for name in ("tcp", "tcp6") for line in (process / "net" / name).read_text().splitlines()[1:]
    ]


def test_fault_M5_a_request_behind_a_front_is_finished_when_the_server_stops():
    begun, go_on, answers = threading.Event(), threading.Event(), []

    async def slow(request: Request) -> Reply:
        begun.set()
        while not go_on.is_set():
            await asyncio.sleep(0.01)
        return Reply.json({"text": request.body.text})

    with running_server(fronts=1, grace_s=30, routes=[Route("POST", "/api/slow", slow, body=Note)]) as server:
        busy, idle = server.connect(), server.connect()
        busy.send(server.encode("POST", "/api/slow", b'{"text":"kept"}'))
        assert begun.wait(PATIENCE_S)

        def see() -> None:
            assert idle.is_closed()  # who has asked for nothing is let go first
            go_on.set()
            answers.append(busy.read())

        watcher = threading.Thread(target=see)
        watcher.start()
    watcher.join(PATIENCE_S)
    assert answers[0].json() == {"text": "kept"}
    assert answers[0].headers["connection"] == "close"
    busy.close()
    idle.close()


def test_a_front_that_dies_or_hangs_is_replaced_and_the_server_serves_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(pool, "TICK_S", 0.05)
    monkeypatch.setattr(pool, "_FIRST_PAUSE_S", 0.05)
    with running_server(fronts=1, limits=LIMITS) as server:
        fronts = fronts_of(server)
        for end, silent_s in ((signal.SIGKILL, 30), (signal.SIGSTOP, 0.2)):
            [pid] = fronts.pids()
            connection = server.connect()
            connection.send(GET % server.port)
            assert connection.read().status == 200
            os.kill(pid, end)
            monkeypatch.setattr(pool, "SILENT_S", silent_s)
            assert connection.is_closed()
            monkeypatch.setattr(pool, "SILENT_S", 30)  # a machine that is busy starts the next one slowly
            connection.close()
            eventually(partial(is_gone, pid))
            server.is_well()  # by the server itself, as long as there is no other front
            eventually(partial(is_replaced, fronts, pid))
            server.is_well()


def test_a_front_that_speaks_of_what_it_was_not_given_is_ended(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pool, "TICK_S", 0.05)
    monkeypatch.setattr(pool, "_FIRST_PAUSE_S", 0.05)
    with running_server(fronts=1) as server:
        fronts = fronts_of(server)
        [child] = fronts._children
        for said in (b"\0\0\0\1\xc0", b"\xff\xff\xff\xff"):
            [child] = fronts._children
            fronts._loop.call_soon_threadsafe(child.link.data_received, said)
            eventually(partial(is_replaced, fronts, child.process.pid))
        server.is_well()


def test_a_certificate_that_changes_while_a_front_starts_is_that_fronts_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pool, "TICK_S", 0.05)
    monkeypatch.setattr(pool, "_FIRST_PAUSE_S", 0.05)
    chain, key = throw_away_certificate()
    with running_server(fronts=1) as server:
        fronts, spawn = fronts_of(server), child_module._spawn
        hellos = [fronts._hello()]
        fronts._hello = lambda: hellos[-1]

        def spawn_and_renew(link: socket.socket, door: socket.socket) -> subprocess.Popen[bytes]:
            started = spawn(link, door)
            hellos.append(Hello(chain, key.reveal(), "info", True, 2))
            fronts.renew()
            return started

        monkeypatch.setattr(child_module, "_spawn", spawn_and_renew)
        [pid] = fronts.pids()
        os.kill(pid, signal.SIGKILL)
        eventually(partial(is_replaced, fronts, pid))
        server.client = ssl_context(chain)
        assert can_connect(server)


def test_a_certificate_that_does_not_load_in_a_front_does_not_keep_the_next_from_it():
    chain, key = throw_away_certificate()
    with running_server(fronts=1) as server:
        [child] = fronts_of(server)._children
        for said in (b"no PEM at all", chain):
            hello = Hello(said, key.reveal(), "info", True, 2)
            fronts_of(server)._loop.call_soon_threadsafe(child.link.send, hello)
        server.client = ssl_context(chain)
        eventually(lambda: can_connect(server))


def test_a_connection_whose_end_overtakes_it_is_closed_when_it_comes(monkeypatch: pytest.MonkeyPatch):
    """The server ended it while it waited in the door, and has given its place to another."""

    def end_first(self: Child, connection: socket.socket, place: Place) -> bool:
        number, handle = self.link.give(place).to_bytes(NUMBER_SIZE, "big"), connection.detach()
        assert place.end is not None
        place.end()

        def follow() -> None:
            socket.send_fds(self._door, [number], [handle])
            os.close(handle)

        asyncio.get_running_loop().call_later(0.2, follow)
        return True

    with running_server(fronts=1) as server:
        [child] = fronts_of(server)._children
        with monkeypatch.context() as patch:
            patch.setattr(Child, "hand_over", end_first)
            with socket.create_connection(("127.0.0.1", server.port), 3) as connection:
                assert connection.recv(1) == b""
        eventually(lambda: not child.link.load)
        server.is_well()
