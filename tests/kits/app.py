"""An app on loopback whose answers a test chooses, and what it was asked: plain HTTP, a thread for each connection."""

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

Answer = tuple[int, dict[str, str], bytes]
Behaviour = Callable[["Asked"], Answer | None]
"""None: the connection is closed without an answer. A behaviour may also write to `Asked.raw` itself."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: Message
    body: bytes
    raw: Any

    @property
    def token(self) -> str | None:
        return self.headers.get("authorization")


@dataclass(kw_only=True)
class App:
    """`url` is its origin; `behave` may be changed at any time."""

    url: str
    behave: Behaviour
    asked: list[Asked] = field(default_factory=list)

    def tokens(self) -> list[str | None]:
        return [each.token for each in self.asked]


def fine(_asked: Asked) -> Answer:
    return 200, {}, b"fine"


def refusing(_asked: Asked) -> Answer:
    """An app that takes no token at all."""
    return 401, {"WWW-Authenticate": 'Bearer realm="app", error="invalid_token"'}, b""


def in_turn(*answers: Answer | None) -> Behaviour:
    """These answers one after the other, the last one from then on."""
    left = list(answers)
    return lambda _asked: left.pop(0) if len(left) > 1 else left[0]


@contextmanager
def running_app(behave: Behaviour = fine) -> Iterator[App]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(lambda: app))
    app = App(url=f"http://127.0.0.1:{server.server_port}", behave=behave)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield app
    finally:
        server.shutdown()
        thread.join(60)
        server.server_close()


def _handler(app: Callable[[], App]) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            asked = Asked(
                method=self.command, path=self.path, headers=self.headers, body=body, raw=self.wfile
            )
            app().asked.append(asked)
            given = app().behave(asked)
            if given is None:
                self.close_connection = True
                return
            status, headers, content = given
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815  # http.server's names

        def handle(self) -> None:
            with contextlib.suppress(OSError):
                super().handle()

        def finish(self) -> None:
            with contextlib.suppress(OSError):
                super().finish()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler
