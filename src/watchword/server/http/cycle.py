"""One request and its answer on a connection: uvicorn's cycle, which writes an answer whole and at once."""

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_BODILESS: Final = frozenset({204, 304})


class Cycle(RequestResponseCycle):
    """Takes one start and one whole body, and writes both in one piece: one TLS record, one packet."""

    _start: Any = None

    async def send(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected or self.response_complete:
            return
        if message["type"] == "http.response.start":
            self._start, self.response_started = message, True
        elif message.get("more_body"):
            raise RuntimeError("answers are written whole")
        else:
            self._write(message.get("body", b""))

    def _write(self, body: bytes) -> None:
        if self.more_body:
            # The caller has not finished its body, and we shall not read it: what follows is no request.
            self.keep_alive = False
        headers = (*self.default_headers, *self._start["headers"])
        block = b"".join([b"%b: %b\r\n" % header for header in headers])
        if block.count(b"\n") != len(headers) or block.count(b"\r") != len(headers) or b"\0" in block:
            self.response_started = False  # so that a 500 can still be written
            raise RuntimeError("a header of the answer would split it")
        end = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        if self.scope["method"] == "HEAD" or self._start["status"] in _BODILESS:
            body = b""
        self.transport.write(b"".join((STATUS_LINE[self._start["status"]], block, end, body)))
        self._complete()

    def _complete(self) -> None:
        self.response_complete = True
        self.message_event.set()
        self.on_response()

    def abandon(self) -> None:
        """Tell the application that there is nobody left to answer."""
        self.disconnected = True
        self.message_event.set()
