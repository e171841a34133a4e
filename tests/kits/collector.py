"""A collector of traces: takes OTLP over HTTP on a port of loopback, as a real one does, and keeps it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A span as it arrived."""

    name: str
    attributes: dict[str, Any]
    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[str, ...]
    failed: bool


@dataclass
class Collector:
    endpoint: str
    bodies: list[bytes] = field(default_factory=list)

    def spans(self) -> list[Seen]:
        return [seen(span) for span in self._all()]

    def _all(self) -> Iterator[Any]:
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    yield from scope.spans


def seen(span: Any) -> Seen:
    return Seen(
        name=span.name,
        attributes={
            each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes
        },
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        links=tuple(link.trace_id.hex() for link in span.links),
        failed=span.status.code == 2,
    )


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector while the block runs."""
    found = Collector("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: the tests look at what arrived."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.endpoint = f"http://127.0.0.1:{server.server_port}/v1/traces"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
