"""A connection: uvicorn's HTTP protocol, with our own reading of where requests begin and end.

```
  head --(grammar holds)--> body --(all of it)--> answer --(keep-alive)--> head
    |                         |                      '--(else)--> linger --> closed
    '--(refused: 400, 408, 414, 431)-----------------------------> linger --> closed
```
Each request's bytes are handed to the parser one request at a time: what a caller pipelines waits, unread beyond one
buffer, until the answer before it is written.
"""

import asyncio
from typing import Any, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from watchword.core.clock import SystemClock
from watchword.core.encoding import encode_json
from watchword.core.entropy import SystemEntropy
from watchword.core.ids import RequestId
from watchword.errors import MalformedError
from watchword.server.http.chunks import Chunks
from watchword.server.http.connections import Place
from watchword.server.http.cycle import Cycle
from watchword.server.http.head import (
    HeadTooLargeError,
    TargetTooLongError,
    check_head,
    check_start,
    split_target,
)
from watchword.server.http.problem import PROBLEM_TYPE
from watchword.server.http.wire import DEFAULT_HEADERS, RESPOND, header_lines
from watchword.server.logs import get_log

HEAD_S: Final = 10.0
"""For a whole head, from its first byte (or from the connection's beginning)."""
BODY_S: Final = 10.0
"""For a whole body, from the end of its head."""
IDLE_S: Final = 30.0
"""Between requests."""
WRITE_S: Final = 13.0
"""For a caller that does not read what it asked for. With a tick it is gone within 15 seconds."""
LINGER_S: Final = 2.0
"""How long we still take, and throw away, what a refused caller is sending: closing on it would lose our answer."""
_TICK_S: Final = 1.0
_TOO_MANY_BYTES: Final = 431
_NEVER: Final = float("inf")
_CLOCK: Final = SystemClock()
_ENTROPY: Final = SystemEntropy()
"""For the ids of refusals alone; what reaches the application is handed its own."""
REFUSALS: Final = {
    400: "The request does not parse",
    408: "The request took too long",
    414: "The target is too long",
    431: "The headers are too large",
}


class HTTPProtocol(HttpToolsProtocol):
    """One connection. Refusals are logged, with the caller's address and nothing that it sent."""

    _log = get_log("http")

    def __init__(self, *args: Any, place: Place, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._place = place
        self._current: Cycle | None = None
        self._pending = b""
        self._remaining = 0
        self._chunks: Chunks | None = None
        self._ended = False
        self._deadline = _NEVER
        self._timer: asyncio.TimerHandle | None = None

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self.client = (
            (self._place.address, 0) if self._place.address else None
        )  # whom a proxy has introduced, perhaps
        self._expect_within(HEAD_S)
        self._tick()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._place.release()
        super().connection_lost(exc)
        self._ended, self._pending = True, b""

    def shutdown(self) -> None:
        """The server stops: finish the request in flight, if there is one."""
        if self._busy():
            self.cycle.keep_alive = False
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_within(WRITE_S)

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self._busy() and not self._ended:
            self._await_next()

    def _expect_within(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds

    def _tick(self) -> None:
        """One coarse timer for all bounds: setting one costs an assignment, not a timer."""
        if self.loop.time() < self._deadline:
            self._timer = self.loop.call_later(_TICK_S, self._tick)
        elif self._ended or self.flow.write_paused:
            self.transport.abort()
        elif self._busy() or self._pending:
            self._refuse(408)
        else:
            self.transport.close()

    def _busy(self) -> bool:
        return self._current is not None and not self._current.response_complete

    # From bytes to requests

    def data_received(self, data: bytes) -> None:
        if self._ended:
            self._discard(len(data))
            return
        if not self._pending and not self._busy():
            self._expect_within(HEAD_S)
        self._pending = self._pending + data if self._pending else data
        self._advance()

    def _advance(self) -> None:
        """Use what is pending as far as it goes."""
        while self._pending and not self._ended:
            if self._remaining:
                self._take_body()
            elif self._chunks is not None:
                if not self._take_chunks(self._chunks):
                    return
            elif self._busy() or self.flow.write_paused:
                self.flow.pause_reading()
                return
            elif not self._take_head():
                return

    def _take_body(self) -> None:
        piece, self._pending = self._pending[: self._remaining], self._pending[self._remaining :]
        self._remaining -= len(piece)
        self._feed(piece)

    def _take_chunks(self, chunks: Chunks) -> bool:
        """Whether that took anything."""
        try:
            size = chunks.take(self._pending)
        except MalformedError:
            self._refuse(400)
            return False
        piece, self._pending = self._pending[:size], self._pending[size:]
        if chunks.done:
            self._chunks = None
        self._feed(piece)
        return size > 0

    def _take_head(self) -> bool:
        """Whether there was a whole head and it was good."""
        end = self._pending.find(b"\r\n\r\n") + 4
        try:
            if end < 4:  # noqa: PLR2004  # not found
                check_start(self._pending)
                return False
            head, self._pending = self._pending[:end], self._pending[end:]
            framing = check_head(head)
        except HeadTooLargeError:
            self._refuse(431)
        except TargetTooLongError:
            self._refuse(414)
        except MalformedError:
            self._refuse(400)
        else:
            self._chunks = Chunks() if framing.chunked else None
            piece, self._pending = self._pending[: framing.length], self._pending[framing.length :]
            self._remaining = framing.length - len(piece)
            self._expect_within(BODY_S)
            self._feed(head + piece)
            return True
        return False

    def _feed(self, piece: bytes) -> None:
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            # Whatever the caller would like to speak next, we do not: the request is answered, then we part.
            self.cycle.keep_alive = False
            self._ended = True
        except httptools.HttpParserError:
            self._refuse(400)

    # What the parser found

    def on_headers_complete(self) -> None:
        self._place.heard()
        path, query = split_target(self.url)
        version = self.parser.get_http_version()
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = version
        self.scope["path"] = path.decode("ascii")
        self.scope["raw_path"] = path
        self.scope["query_string"] = query
        self.cycle = self._current = Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        self.scope["extensions"] = cast("dict[str, dict[object, object]]", {RESPOND: self._current.respond})
        self._start_asgi_task(self.cycle, self.app)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._deadline = _NEVER  # the time is ours now

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if not self.cycle.keep_alive:
            self.flow.resume_reading()
            self._finish(unread=self.cycle.more_body)
        elif not self.flow.write_paused:  # else once the caller has read what it was sent
            self._await_next()

    def _await_next(self) -> None:
        self.flow.resume_reading()
        self._expect_within(HEAD_S if self._pending else IDLE_S)
        self._advance()
        if not self._busy() and not self._ended:  # the beginning of a head is not yet a request
            self._place.idle()

    # The end of a connection

    def _refuse(self, status: int) -> None:
        """Answer what is no request, and part. Whoever still waits for its body learns that its caller is gone."""
        request_id = str(RequestId.new(_CLOCK.now(), _ENTROPY))
        self._log.info("http.refused", status=status, request=request_id, address=self._place.shown)
        self._place.measures.refuse(status)
        if self._current is not None and not self._current.response_complete:
            self._current.abandon()
        if not self.transport.is_closing():
            self.transport.write(_refusal(status, request_id))
            self._finish(unread=status == _TOO_MANY_BYTES or self._chunks is not None or self._remaining > 0)

    def _finish(self, *, unread: bool) -> None:
        self._ended, self._pending = True, b""
        if not unread:
            self.transport.close()
            return
        self._deadline = _NEVER
        self.loop.call_later(LINGER_S, self.transport.close)

    def _discard(self, size: int) -> None:
        """Count what is thrown away, to part as soon as a body of known length is through."""
        if self._remaining:
            self._remaining = max(0, self._remaining - size)
            if not self._remaining and not self._busy():
                self.transport.close()


def _refusal(status: int, request_id: str) -> bytes:
    document = {
        "type": "about:blank",
        "title": REFUSALS[status],
        "status": status,
        "request_id": request_id,
    }
    body = encode_json(document)
    headers = {
        "content-type": PROBLEM_TYPE,
        "content-length": str(len(body)),
        **DEFAULT_HEADERS,
        "x-request-id": request_id,
        "connection": "close",
    }
    return STATUS_LINE[status] + header_lines(headers) + b"\r\n" + body
