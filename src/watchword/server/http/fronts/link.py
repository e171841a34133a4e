"""The server's end of a front: what was asked there is answered by the same application as everything else."""

import asyncio
import math
import re
from collections.abc import Callable
from typing import Any, Final, cast

from uvicorn.server import ServerState

from watchword.errors import MalformedError
from watchword.server.http.connections import Place
from watchword.server.http.fronts.frames import (
    Answer,
    Ask,
    End,
    Frame,
    FrameReader,
    FromFront,
    Gone,
    Left,
    More,
    Need,
    Ping,
    Pong,
    Ready,
    Refused,
    Stop,
    encode_frame,
)
from watchword.server.http.protocol import REFUSALS
from watchword.server.http.wire import RESPOND, ASGIApp, Message, Scope
from watchword.server.logs import get_log

METHOD: Final = re.compile(r"[A-Z]{1,16}")
"""As in `head`."""
_FAILED: Final = b"content-length: 0\r\n"
_log: Final = get_log("http")


class FarRequest:
    """One request that waits in a front for its answer. The scope has what our application reads of ASGI's."""

    __slots__ = ("_gone", "_link", "_more", "_number", "_piece", "_place", "_waiting", "answered", "scope")

    def __init__(self, link: "Link", ask: Ask, address: str) -> None:
        self._link, self._number, self._place = link, ask.number, ask.place
        self._piece: bytes | None = ask.body if ask.body or not ask.more else None
        self._more, self._gone, self.answered = ask.more, False, False
        self._waiting: asyncio.Future[None] | None = None
        self.scope: Scope = {
            "type": "http",
            "method": ask.method,
            "raw_path": ask.path,
            "query_string": ask.query,
            "headers": ask.headers,
            "client": (address, 0) if address else None,
            "extensions": {RESPOND: self.respond},
        }

    async def receive(self) -> Message:
        """The next piece of the body, which is asked for only now: until then it waits with its sender."""
        while self._piece is None and not self._gone:
            self._link.send(Need(self._number))
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        if self._gone:
            return {"type": "http.disconnect"}
        piece, self._piece = self._piece, None if self._more else b""
        return {"type": "http.request", "body": piece, "more_body": self._more}

    def take(self, piece: bytes, *, more: bool) -> None:
        self._piece, self._more = piece, more
        self._wake()

    def leave(self) -> None:
        """The caller is gone."""
        self._gone = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def respond(self, status: int, lines: bytes, body: bytes) -> None:
        if not self.answered:
            self.answered = True
            self._link.send(Answer(self._number, status, lines, body))
            self._link.answered(self._place)

    async def send(self, _message: Message) -> None:
        raise RuntimeError("answers are written whole")


class Link(asyncio.Protocol):
    """One front's link, on the server's loop. To uvicorn it is one more connection, which ends when the front has."""

    def __init__(
        self,
        app: ASGIApp,
        state: ServerState,
        on_lost: Callable[["Link"], None],
    ) -> None:
        self._app, self._state, self._on_lost = app, state, on_lost
        self._loop = asyncio.get_running_loop()
        self.ready, self.stopping, self.lost = False, False, False
        self.heard_at = self._loop.time()
        """When the front last said anything, on the loop's clock."""
        self.share = 0.0
        """Of a core, as it last said."""
        self._reader: FrameReader[FromFront] = FrameReader(FromFront)
        self._requests: dict[int, FarRequest] = {}
        self._places: dict[int, Place] = {}
        self._last_place = 0
        self._asking: set[int] = set()
        """Places with a request that is not answered yet; one each, as on any connection."""
        self._handlers: dict[type, Callable[[Any], None]] = {
            Ask: self._ask,
            More: self._more,
            Gone: self._gone,
            Refused: self._refused,
            Left: self._left,
            Ready: self._now_ready,
            Pong: self._pong,
        }

    @property
    def load(self) -> int:
        """How many connections the front has."""
        return len(self._places)

    # The connection to the front

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._state.connections.add(cast("Any", self))

    def connection_lost(self, exc: Exception | None) -> None:
        """Its connections are gone with the front; what was decided stays decided, as when any caller leaves."""
        del exc
        self.ready, self.lost = False, True
        self._state.connections.discard(cast("Any", self))
        for request in self._requests.values():
            request.leave()
        for place in self._places.values():
            place.release()
        self._requests.clear()
        self._places.clear()
        self._asking.clear()
        self._on_lost(self)

    def shutdown(self) -> None:
        """The server stops: the front finishes what is in flight, and then ends the link."""
        if self.stopping:
            return
        self.stopping = True
        if self.ready:
            self.send(Stop())
        else:
            self.transport.abort()
        self.ready = False

    def ping(self) -> None:
        self.send(Ping())

    def pause_writing(self) -> None:
        """The front does not read: it gets no more work until it does."""
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()

    def send(self, frame: Frame) -> None:
        if not self.transport.is_closing():
            self.transport.write(encode_frame(frame))

    # Its connections

    def give(self, place: Place) -> int:
        """The number under which the front will know the connection of `place`."""
        self._last_place += 1
        number = self._last_place
        self._places[number] = place
        place.end = lambda: self.send(End(number))
        return number

    def take_back(self, number: int) -> None:
        """It could not be handed over."""
        self._places.pop(number).end = None

    # Its requests

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._loop.time()
        try:
            for frame in self._reader.feed(data):
                self._handlers[type(frame)](frame)
        except Exception as error:  # noqa: BLE001  # short of memory too: what was lost may not be guessed at
            _log.fault("http.front_unreadable", error)
            self.transport.abort()

    def _more(self, more: More) -> None:
        if request := self._requests.get(more.number):
            request.take(more.body, more=more.more)

    def _gone(self, gone: Gone) -> None:
        if request := self._requests.get(gone.number):
            request.leave()

    def _refused(self, refused: Refused) -> None:
        if refused.status not in REFUSALS:
            raise MalformedError("a refusal that there is not")
        if found := self._places.get(refused.place):
            found.measures.refuse(refused.status)

    def _left(self, left: Left) -> None:
        self._asking.discard(left.place)
        if found := self._places.pop(left.place, None):
            found.release()

    def _pong(self, pong: Pong) -> None:
        if not 0 <= pong.share < math.inf:
            raise MalformedError("a share that there cannot be")
        self.share = pong.share

    def _now_ready(self, _ready: Ready) -> None:
        self.ready = not self.stopping

    def _ask(self, ask: Ask) -> None:
        place = self._places.get(ask.place)
        if place is None or ask.place in self._asking or ask.number in self._requests:
            raise MalformedError("a request of no connection, or of one that has asked already")
        if not METHOD.fullmatch(ask.method):
            raise MalformedError("a method that the head's grammar does not have")
        self._asking.add(ask.place)
        place.heard()
        request = self._requests[ask.number] = FarRequest(self, ask, place.address)
        task = self._loop.create_task(self._run(ask.number, request))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    def answered(self, number: int) -> None:
        """The connection may ask again, or give its place to who needs it."""
        self._asking.discard(number)
        if found := self._places.get(number):
            found.idle()

    async def _run(self, number: int, request: FarRequest) -> None:
        try:
            await self._app(request.scope, request.receive, request.send)
        except Exception as error:  # noqa: BLE001  # the application answers its own faults: this is the net below
            _log.fault("http.fault", error)
        finally:
            self._requests.pop(number, None)
            request.respond(500, _FAILED, b"")
