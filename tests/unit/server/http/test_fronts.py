"""What holds for fronts without a process: frames, and when there are any."""

import asyncio
import math
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.server import ServerState

from watchword.errors import MalformedError
from watchword.server.http.connections import ConnectionLimits, Places
from watchword.server.http.fronts.balance import Balance
from watchword.server.http.fronts.demand import BUSY, BUSY_S, QUIET_S, Demand, count_for
from watchword.server.http.fronts.frames import (
    MAX_FRAME,
    Answer,
    Ask,
    Frame,
    FrameReader,
    FromFront,
    FromServer,
    Gone,
    Hello,
    Left,
    Need,
    Ping,
    Pong,
    Refused,
    encode_frame,
)
from watchword.server.http.fronts.link import Link
from watchword.server.http.protocol import REFUSALS
from watchword.server.http.wire import Receive, Scope, Send

ASK = Ask(1, 2, "POST", b"/api/login", b"a=1", [(b"host", b"h"), (b"x", b"\xff")], b"body", False)


def reader() -> FrameReader[FromFront]:
    return FrameReader(FromFront)


@given(st.integers(1, 60), st.binary(max_size=200))
def test_frames_arrive_whole_however_they_are_cut(step: int, body: bytes):
    sent = [ASK, Left(7), Ask(2, 2, "GET", b"/", b"", [], body, True), Gone(2)]
    stream = b"".join(map(encode_frame, sent))
    found, reads = [], reader()
    for at in range(0, len(stream), step):
        found += reads.feed(stream[at : at + step])
    assert found == sent


@given(st.binary(max_size=80))
def test_any_bytes_are_frames_or_malformed(data: bytes):
    for piece in (data, len(data).to_bytes(4, "big") + data):
        try:
            frames = reader().feed(piece)
        except MalformedError:
            continue
        assert all(isinstance(frame, FromFront) for frame in frames)


@pytest.mark.parametrize(
    "frame", [Answer(1, 200, b"", b""), Need(1), Ping(), Hello(b"", b"", "info", None, 1)]
)
def test_a_front_cannot_say_what_is_the_servers_to_say(frame: FromServer):
    with pytest.raises(MalformedError):
        reader().feed(encode_frame(frame))


def test_a_frame_beyond_the_bound_is_refused_before_it_is_there():
    with pytest.raises(MalformedError):
        reader().feed((MAX_FRAME + 1).to_bytes(4, "big"))


def test_what_a_front_is_told_first_does_not_show_the_key():
    assert "canary" not in repr(Hello(b"chain", b"canary", "info", None, 1))


def test_a_number_of_processes_is_a_number_and_auto_follows_the_cores(monkeypatch: pytest.MonkeyPatch):
    assert [count_for(processes) for processes in (1, 2, 16)] == [0, 1, 15]
    for cores, count in ((1, 0), (2, 1), (3, 2), (64, 2)):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        assert count_for(None) == count


def test_fronts_come_when_it_is_busy_for_a_while_and_go_when_it_was_quiet_for_long():
    demand = Demand(count=2, always=False)

    def look(at: float, share: float, connections: int = 0) -> int:
        return demand.look(share, connections=connections, now=at)

    assert look(0, BUSY) == 0
    assert look(BUSY_S / 2, 0.1) == 0  # it was but a moment
    assert look(10, 1.0) == 0
    assert look(10 + BUSY_S, 1.0) == 2
    assert look(20, 0.0, connections=1) == 2
    assert look(20 + 2 * QUIET_S, 0.0, connections=1) == 2  # somebody is there
    assert look(1000, 0.0) == 2
    assert look(1000 + QUIET_S, 0.0) == 0
    assert Demand(count=3, always=True).look(0.0, connections=0, now=0) == 3


def test_the_server_keeps_connections_while_a_front_has_more_to_do_and_gives_all_away_again():
    balance = Balance()
    balance.look(0.1, 0.1)
    assert not any(balance.keeps_next() for _ in range(20))
    for _ in range(3):
        balance.look(0.2, 0.9)
    assert sum(balance.keeps_next() for _ in range(100)) == pytest.approx(30, abs=1)
    balance.look(0.6, 0.7)
    assert balance.kept == pytest.approx(0.2)
    for _ in range(20):
        balance.look(0.1, 1.0)
    assert balance.kept == pytest.approx(0.5)
    for _ in range(20):
        balance.look(1.0, 1.0)
    assert not any(balance.keeps_next() for _ in range(20))


async def never_answers(_scope: Scope, _receive: Receive, _send: Send) -> None:
    await asyncio.Event().wait()


def ask(number: int, method: str = "GET") -> Ask:
    return Ask(number, 1, method, b"/", b"", [], b"", False)


async def is_ended_by(*said: Frame) -> bool:
    """Whether a server that has given its front one connection ends the link for what the front says then."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs:
        loop, state = asyncio.get_running_loop(), ServerState()
        lost: asyncio.Future[Link] = loop.create_future()
        transport, link = await loop.create_unix_connection(
            lambda: Link(never_answers, state, lost.set_result), sock=ours
        )
        place = Places(ConnectionLimits(total=1, per_source=1)).take("192.0.2.1")
        assert place is not None
        assert link.give(place) == 1
        theirs.sendall(b"".join(map(encode_frame, (*said, Pong(0.5)))))
        while not transport.is_closing() and not link.share:
            await asyncio.sleep(0)
        ended = transport.is_closing()
        transport.abort()
        await lost
        for task in state.tasks:
            task.cancel()
        return ended


@pytest.mark.anyio
@pytest.mark.parametrize(
    "said",
    [
        (Refused(1, 200),),
        (Refused(1, -1),),
        (Pong(math.nan),),
        (Pong(math.inf),),
        (Pong(-1.0),),
        (ask(1, "get"),),
        (ask(1, "GET\r\n"),),
        (ask(1, "A" * 17),),
        (ask(1), ask(2)),
        (ask(1), ask(1)),
        (Left(1), ask(1)),
    ],
)
async def test_what_no_front_of_ours_says_ends_the_link(said: tuple[Frame, ...]):
    assert await is_ended_by(*said)


@pytest.mark.anyio
async def test_what_a_front_may_say_does_not_end_the_link():
    assert not await is_ended_by(*(Refused(1, status) for status in REFUSALS), ask(1, "PROPFIND"))
    assert not await is_ended_by(Refused(7, 400), Left(7), Gone(7), Left(1))
