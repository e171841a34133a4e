"""Another web server of this machine, without TLS, that says what a test wants: faulty pages, or somebody else's."""

import http.server
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

NO_ICON: Final = "<link rel=icon href=data:,>"
"""In a page that is not ours: else Chromium asks for `/favicon.ico`, some time or other."""
_TYPES: Final = {"js": "text/javascript", "css": "text/css"}


@contextmanager
def neighbour(files: Mapping[str, str], policy: str = "") -> Iterator[str]:
    """Its origin. `files` by path, `policy` stands in every answer; what is not there is a 404."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = files.get(self.path, "").encode()
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", _TYPES.get(self.path.partition(".")[2], "text/html"))
            self.send_header("Content-Security-Policy", policy)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing: tests are quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
