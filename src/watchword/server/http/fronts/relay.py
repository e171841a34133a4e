"""The front's end of the link: forwards requests, and writes answers to the connections that wait for them."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

from watchword.server.http.connections import Place
from watchword.server.http.cycle import Cycle
from watchword.server.http.fronts.frames import (
    Answer,
    Ask,
    End,
    Frame,
    FrameReader,
    FromServer,
    Gone,
    Hello,
    Left,
    More,
    Need,
    Ping,
    Pong,
    Refused,
    Stop,
    encode_frame,
)
from watchword.server.http.protocol import HTTPProtocol
from watchword.server.logs import get_log
from watchword.server.measures import ConnectionMeasures

MOST_EARLY: Final = 4096
"""Connections ended while they wait in the door; the kernel holds far fewer there."""
_log: Final = get_log("http")


class FarPlace(Place):
    """The place of a connection, which the server keeps and counts."""

    __slots__ = ("_relay", "_shown", "number")

    def __init__(self, relay: "Relay", number: int, shown: str) -> None:
        self._relay, self.number, self._shown = relay, number, shown
        self.address = ""  # which the server alone decides by
        self.end = None

    @property
    def shown(self) -> str:
        """As the server has told it."""
        return self._shown

    def heard(self) -> None:
        """The server learns it from the request."""

    def idle(self) -> None:
        """The server knows it from its answer."""

    @property
    def measures(self) -> ConnectionMeasures:
        return FarMeasures(self._relay, self.number)

    def release(self) -> None:
        self._relay.left(self)


class FarMeasures(ConnectionMeasures):
    def __init__(self, relay: "Relay", number: int) -> None:
        super().__init__()
        self._relay, self._number = relay, number

    def refuse(self, status: int) -> None:
        self._relay.send(Refused(self._number, status))


class FrontProtocol(HTTPProtocol):
    """A connection whose requests are answered elsewhere."""

    def __init__(self, *args: Any, place: FarPlace, relay: "Relay", **kwargs: Any) -> None:
        super().__init__(*args, place=place, **kwargs)
        self._relay, self._far_place = relay, place

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """In a moment, when the parser has been given what came along of the body."""
        del app
        self.loop.call_soon(self._relay.ask, cycle, self._far_place)


class Relay(asyncio.Protocol):
    """All requests of one front. When the link ends, so does the front."""

    def __init__(self, on_hello: Callable[[Hello], None], on_stop: Callable[[], object]) -> None:
        self._reader: FrameReader[FromServer] = FrameReader(FromServer)
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._places: dict[int, FarPlace] = {}
        self._last_place = 0
        self._ended_early: set[int] = set()
        self._cycles: dict[int, Cycle] = {}
        self._last = 0
        self._full = False
        self._used = (time.thread_time(), self._loop.time())
        self._held: deque[tuple[Cycle, FarPlace]] = deque()
        self._pumps: set[asyncio.Task[None]] = set()
        self._handlers: dict[type, Callable[[Any], object]] = {
            Answer: self._answer,
            Need: self._need,
            End: self._end,
            Ping: self._pong,
            Hello: on_hello,
            Stop: lambda _: on_stop(),
        }

    # The link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.lost.set_result(None)

    def pause_writing(self) -> None:
        """The server has enough to read: requests wait here, one for each connection at most."""
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        while self._held and not self._full:
            self.ask(*self._held.popleft())

    def send(self, frame: Frame) -> None:
        if not self.transport.is_closing():
            self.transport.write(encode_frame(frame))

    # Connections

    def place(self, number: int, shown: str) -> FarPlace | None:
        """Where a connection that came through the door belongs; None when the server has ended it already.

        `shown` is how its address may be written down.
        """
        self._last_place = number
        ended = number in self._ended_early
        self._ended_early = {each for each in self._ended_early if each > number}
        if ended:
            self.send(Left(number))
            return None
        place = self._places[number] = FarPlace(self, number, shown)
        return place

    def left(self, place: FarPlace) -> None:
        if self._places.pop(place.number, None) is not None:
            self.send(Left(place.number))

    # Requests

    def ask(self, cycle: Cycle, place: FarPlace) -> None:
        if cycle.disconnected:
            return
        if self._full:
            self._held.append((cycle, place))
            return
        self._last += 1
        self._cycles[self._last] = cycle
        body, cycle.body = bytes(cycle.body), bytearray()
        scope = cycle.scope
        self.send(
            Ask(
                self._last,
                place.number,
                scope["method"],
                scope["raw_path"],
                scope["query_string"],
                cast("list[tuple[bytes, bytes]]", scope["headers"]),
                body,
                cycle.more_body,
            )
        )

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._reader.feed(data):
                self._handlers[type(frame)](frame)
        except Exception as error:  # noqa: BLE001  # the server starts another one of us
            _log.fault("http.server_unreadable", error)
            self.transport.abort()

    def _answer(self, answer: Answer) -> None:
        cycle = self._cycles.pop(answer.number, None)
        if cycle is not None:
            cycle.respond(answer.status, answer.lines, answer.body)
            cycle.on_response = _nothing  # it would keep the connection in memory

    def _end(self, end: End) -> None:
        """What comes over the link may overtake the door, through which numbers come in their order."""
        place = self._places.get(end.place)
        if place is not None and place.end is not None:
            place.end()
        elif end.place > self._last_place and len(self._ended_early) < MOST_EARLY:
            self._ended_early.add(end.place)

    def _pong(self, _ping: Ping) -> None:
        before, self._used = self._used, (time.thread_time(), self._loop.time())
        used, taken = (late - early for late, early in zip(self._used, before, strict=True))
        self.send(Pong(used / taken if taken > 0 else 0.0))

    def _need(self, need: Need) -> None:
        cycle = self._cycles.get(need.number)
        if cycle is not None:
            task = self._loop.create_task(self._pump(need.number, cycle))
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def _pump(self, number: int, cycle: Cycle) -> None:
        """One piece of a body, once it is there."""
        message: Any = await cycle.receive()
        if message["type"] == "http.disconnect":
            self.send(Gone(number))
        else:
            self.send(More(number, message["body"], message["more_body"]))


def _nothing() -> None:
    """Nobody waits any more."""
