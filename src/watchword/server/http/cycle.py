"""One request and its answer on a connection: uvicorn's cycle, which writes an answer whole and at once."""

import re
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from watchword.server.http.wire import CLOSE_LINE

_UNSAFE: Final = re.compile(rb"[\r\n\0]")
_BODILESS: Final = frozenset({204, 304})


class Cycle(RequestResponseCycle):
    """Writes head and body in one piece: one TLS record, one packet."""

    _start: Any = None

    def respond(self, status: int, lines: bytes, body: bytes) -> None:
        """Write an answer: its own header lines, which do not state a date, and its body.

        The connection's fate is decided here; `CLOSE_LINE` at the end of the lines asks for its end.

        Does not wait for a slow reader: the connection takes no further request until this one is through.
        """
        if self.disconnected or self.response_complete:
            return
        if self.more_body:
            # The caller has not finished its body, and we shall not read it: what follows is no request.
            self.keep_alive = False
        if lines.endswith(CLOSE_LINE):
            self.keep_alive, lines = False, lines[: -len(CLOSE_LINE)]
        shared = b"".join([b"%b: %b\r\n" % header for header in self.default_headers])
        end = b"\r\n" if self.keep_alive else CLOSE_LINE + b"\r\n"
        if self.scope["method"] == "HEAD" or status in _BODILESS:
            body = b""
        self.transport.write(b"".join((STATUS_LINE[status], shared, lines, end, body)))
        self.response_started = self.response_complete = True
        self.message_event.set()
        self.on_response()

    async def send(self, message: Any) -> None:
        """The same from standard messages: one start, and one body that is whole."""
        if message["type"] == "http.response.start":
            self._start, self.response_started = message, True
        elif message.get("more_body"):
            raise RuntimeError("answers are written whole")
        else:
            headers = [(name, value) for name, value in self._start["headers"] if name != b"connection"]
            if any(_UNSAFE.search(value) for _, value in headers):
                raise RuntimeError("a header of the answer would split it")
            lines = b"".join([b"%b: %b\r\n" % header for header in headers])
            self.respond(self._start["status"], lines, message.get("body", b""))

    def abandon(self) -> None:
        """Tell the application that there is nobody left to answer."""
        self.disconnected = True
        self.message_event.set()
