"""A server with few places: who exceeds them is closed at once, and the others get their answers."""

import asyncio
import json
import logging
import resource
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.edges.harness import PATIENCE_S, Connection, RunningServer, running_server

from watchword.server.http import Reply, Request, Route, connections, listener
from watchword.server.http.connections import ConnectionLimits, Place, Places

FEW = ConnectionLimits(total=12, per_source=4)
GET = b"GET /health/live HTTP/1.1\r\nHost: localhost:%d\r\n\r\n"


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running_server(limits=FEW) as running:
        yield running


def idle(
    stack: ExitStack, server: RunningServer, count: int, source: str = "127.0.0.1"
) -> list[socket.socket]:
    """TCP connections that say nothing, not even the beginning of TLS."""
    opened = []
    for _ in range(count):
        connection = socket.create_connection(
            ("127.0.0.1", server.port), PATIENCE_S, source_address=(source, 0)
        )
        opened.append(stack.enter_context(connection))
    return opened


def is_closed(connection: socket.socket, within: float = PATIENCE_S) -> bool:
    connection.settimeout(within)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def ask(connection: Connection, server: RunningServer) -> int:
    connection.send(GET % server.port)
    return connection.read().status


def test_one_source_has_its_share_and_what_exceeds_is_closed_at_once(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connections, "QUIET_S", 60.0)  # nobody gives way, however slow this machine
    with ExitStack() as stack:
        opened = idle(stack, server, 10)
        assert all(is_closed(each) for each in opened[4:])
        other = server.connect(source="127.0.0.2")
        assert ask(other, server) == 200
        assert not any(is_closed(each, 0.1) for each in opened[:4])
        other.close()


@pytest.mark.parametrize("fronts", [0, 1])
def test_a_banned_source_has_few_connections_and_none_of_its_others_costs_a_handshake(fronts: int):
    with (
        ExitStack() as stack,
        running_server(fronts=fronts, is_banned=lambda address: address == "127.0.0.9") as server,
    ):
        opened = idle(stack, server, 160, source="127.0.0.9")
        assert all(is_closed(each) for each in opened[-5:])  # forty, and some for the time that this takes
        assert not any(is_closed(each, 0.05) for each in opened[:5])
        other = stack.enter_context(closing(server.connect(source="127.0.0.2")))
        assert ask(other, server) == 200


def test_nobody_holds_the_door_shut_by_keeping_silent(server: RunningServer):
    """Long before their ten seconds are over: who has sent nothing gives way to who comes."""
    with ExitStack() as stack:
        silent = [each for n in range(2, 5) for each in idle(stack, server, 4, source=f"127.0.0.{n}")]
        time.sleep(connections.QUIET_S + 0.2)
        for source in ("127.0.0.1", "127.0.0.2"):  # a stranger, and a neighbour of those who are silent
            answered = server.connect(source=source)
            assert ask(answered, server) == 200
            answered.close()
        assert is_closed(silent[0])
        assert not is_closed(silent[-1], 0.2)


def keep_busy() -> tuple[Route, threading.Event, threading.Event]:
    """A route that answers when it is let: it, what tells that it was asked, and what lets it answer."""
    begun, go_on = threading.Event(), threading.Event()

    async def slow(_request: Request) -> Reply:
        begun.set()
        while not go_on.is_set():
            await asyncio.sleep(0.01)
        return Reply.empty()

    return Route("GET", "/api/slow", slow), begun, go_on


@pytest.mark.parametrize("fronts", [0, 1])
def test_who_asked_once_gives_way_when_idle_and_a_request_in_work_never_does(fronts: int):
    """All places are held by callers that each asked for something: the longest idle makes room."""
    route, begun, go_on = keep_busy()
    with running_server(limits=FEW, fronts=fronts, routes=[route]) as server, ExitStack() as stack:
        busy = server.connect(source="127.0.0.2")
        busy.send(server.encode("GET", "/api/slow"))
        assert begun.wait(PATIENCE_S)
        held = [server.connect(source=f"127.0.0.{2 + number // 4}") for number in range(1, 12)]
        for each in (busy, *held):
            stack.callback(each.close)
        assert [ask(each, server) for each in held] == [200] * 11
        held[0].send(b"GET / HTTP/1.1\r\n")  # the beginning of a head does not keep a place
        time.sleep(connections.QUIET_S + 0.2)
        assert ask(held[2], server) == 200
        newcomers = [server.connect(source="127.0.0.9") for _ in range(2)]
        for each in newcomers:
            stack.callback(each.close)
            assert ask(each, server) == 200
        assert held[0].is_closed()
        assert held[1].is_closed()
        neighbour = server.connect(source="127.0.0.2")  # its source has all its places again
        assert ask(neighbour, server) == 200
        stack.callback(neighbour.close)
        assert ask(held[2], server) == 200
        go_on.set()
        assert busy.read().status == 204


@pytest.mark.parametrize("fronts", [0, 1])
def test_of_one_source_the_longest_idle_gives_way(fronts: int):
    with running_server(limits=FEW, fronts=fronts) as server, ExitStack() as stack:
        held = [server.connect() for _ in range(FEW.per_source)]
        assert [ask(each, server) for each in held] == [200] * FEW.per_source
        time.sleep(connections.QUIET_S + 0.2)
        assert ask(held[0], server) == 200
        newcomer = server.connect()
        assert ask(newcomer, server) == 200
        for each in (newcomer, *held):
            stack.callback(each.close)
        assert held[1].is_closed()
        assert ask(held[0], server) == 200


def test_places_are_free_again_however_a_connection_ends(server: RunningServer):
    for _ in range(3 * FEW.total):
        server.is_well()
    with ExitStack() as stack:
        for each in idle(stack, server, 4):
            each.close()
    with ExitStack() as stack:
        for each in idle(stack, server, 4):
            each.sendall(b"no TLS at all\r\n\r\n")
            assert is_closed(each) or each.recv(100)
    ends = time.monotonic() + PATIENCE_S
    while True:
        with suppress(ConnectionError, ssl.SSLError):  # of one that was closed in its handshake
            server.is_well()
            break
        assert time.monotonic() < ends
    while True:  # the server has still to see that the last one went
        with ExitStack() as stack:
            if not any(is_closed(each, 0.2) for each in idle(stack, server, 4)):
                break
        assert time.monotonic() < ends


def test_a_crowd_in_the_handshake_does_not_hold_the_stop_up():
    with ExitStack() as stack:
        with running_server(limits=FEW) as server:
            opened = idle(stack, server, 4)
            time.sleep(0.2)
            begun = time.monotonic()
        assert time.monotonic() - begun < listener._HANDSHAKE_S - 1
        assert all(is_closed(each) for each in opened)


LIMIT = """
import json, resource
from watchword.server.http.connections import ConnectionLimits
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (200, min(hard, 1000)))
found = ConnectionLimits.of_process()
print(json.dumps([found.total, found.per_source, *resource.getrlimit(resource.RLIMIT_NOFILE)]))
"""


def test_the_limit_of_open_files_is_raised_and_connections_stay_below_it():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = 1000 if hard == resource.RLIM_INFINITY else min(hard, 1000)
    output = subprocess.run(
        [sys.executable, "-c", LIMIT], check=True, capture_output=True, timeout=240
    ).stdout
    assert json.loads(output) == [most - 128, (most - 128) // 4, most, most]


@pytest.mark.anyio
async def test_shed_connections_are_counted_and_said_now_and_then(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING, "watchword")
    places = Places(ConnectionLimits(total=1, per_source=1))
    assert places.take("192.0.2.1") is not None
    assert [places.take("192.0.2.2") for _ in range(1000)] == [None] * 1000
    assert places.shed == 1000
    assert [line.message for line in caplog.records] == ["http.connections_shed"]


@pytest.mark.anyio
async def test_connections_that_a_ban_cuts_off_are_counted_and_said_now_and_then(
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.WARNING, "watchword")
    places = Places(ConnectionLimits(total=9999, per_source=9999), is_banned=lambda _address: True)
    given = [places.take("192.0.2.2") for _ in range(1000)]
    assert places.measures.banned == given.count(None) > 900
    assert [line.message for line in caplog.records] == ["http.connections_banned"]
    assert caplog.records[0].__dict__["watchword_fields"]["count"] == 1


@pytest.mark.anyio
async def test_a_place_counts_for_whom_it_is_moved_to():
    places = Places(ConnectionLimits(total=3, per_source=1))
    proxied = places.take("10.0.0.1", shared=True)
    other = places.take("10.0.0.1", shared=True)
    assert proxied is not None
    assert other is not None
    assert places.move(proxied, "2001:db8::1", shared=False)
    assert (proxied.address, proxied.source) == ("2001:db8::1", "2001:db8::/64")
    assert not places.move(other, "2001:db8::2", shared=False)
    assert places.shed == 1
    assert places.move(other, "2001:db8::2", shared=True)
    assert places.take("2001:db8::3") is None
    for place in (proxied, other):
        place.release()
    assert not places.move(other, "192.0.2.1", shared=False)  # it was ended meanwhile
    assert places.open == 0
    assert places.take("2001:db8::3") is not None


STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "take", "move", "heard", "idle", "release"]), st.integers(0, 5)),
    max_size=60,
)


@given(STEPS)
def test_what_is_counted_is_what_is_open(steps: list[tuple[str, int]]):
    async def run() -> None:
        limits = ConnectionLimits(total=7, per_source=3)
        places, held = Places(limits), list[tuple[int, Place]]()
        for action, number in steps:
            if action == "take":
                mine = sum(source == number for source, _ in held)
                place = places.take(f"192.0.2.{number}")
                assert (place is not None) is (len(held) < limits.total and mine < limits.per_source)
                if place is not None:
                    held.append((number, place))
            elif held and action == "move":
                at, to = number % len(held), 5 - number
                source, place = held[at]
                full = sum(each == to for each, _ in held) >= limits.per_source
                assert places.move(place, f"192.0.2.{to}", shared=False) is (source == to or not full)
                if source == to or not full:
                    held[at] = (to, place)
            elif held and action == "heard":
                held[number % len(held)][1].heard()
            elif held and action == "idle":
                held[number % len(held)][1].idle()
            elif held:
                _, place = held.pop(number % len(held))
                place.release()
                place.release()
                place.idle()
            assert places.open == len(held)
        for _, place in held:
            place.release()
        assert places.open == 0
        assert not places._taken
        assert not places._quiet
        assert not places._quiet_of

    asyncio.run(run())
