"""Spans by the SDK of OpenTelemetry; the only module that imports it."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, set_span_in_context

from watchword import __version__
from watchword.server.spans import OPEN_PART

EXPORT_S: Final = 5
"""For one delivery. A collector that is away costs the spans, never a request."""
MAX_WAITING: Final = 2048
"""Spans that wait for delivery; the rest is dropped."""
_TRACEPARENT: Final = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_SERVER_FAULT: Final = 500


def open_otlp(endpoint: str, ratio: float) -> "OTelTracing":
    """Spans go to `endpoint`, in batches, from a thread."""
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_S)
    return OTelTracing(BatchSpanProcessor(exporter, max_queue_size=MAX_WAITING), ratio=ratio)


class OTelTracing:
    """A provider of its own: what else in this process uses OpenTelemetry is not touched."""

    def __init__(self, processor: SpanProcessor, *, ratio: float) -> None:
        self._provider = TracerProvider(
            sampler=TraceIdRatioBased(ratio),
            resource=Resource.create({"service.name": "watchword", "service.version": __version__}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("watchword", __version__)

    @contextmanager
    def request(self, request_id: str, traceparent: bytes | None) -> Iterator["_RequestSpan"]:
        """A trace of its own, whatever the caller says; see the package."""
        span = self._tracer.start_span(
            "request", context=Context(), kind=SpanKind.SERVER, links=_links(traceparent)
        )
        span.set_attribute("watchword.request_id", request_id)
        token = OPEN_PART.set(_Parts(self, span).open if span.is_recording() else None)
        try:
            yield _RequestSpan(span)
        finally:
            OPEN_PART.reset(token)
            span.end()

    @contextmanager
    def part(self, parent: Span, name: str) -> Iterator[None]:
        """A child of `parent`. Of an error only that there was one is kept: its text may hold what was sent."""
        span = self._tracer.start_span(name, context=set_span_in_context(parent, Context()))
        try:
            yield
        except BaseException:
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            span.end()

    def close(self) -> None:
        self._provider.shutdown()


class _Parts:
    """Opens parts of one request."""

    __slots__ = ("_parent", "_tracing")

    def __init__(self, tracing: OTelTracing, parent: Span) -> None:
        self._tracing, self._parent = tracing, parent

    @contextmanager
    def open(self, name: str) -> Iterator[None]:
        with self._tracing.part(self._parent, name):
            yield


class _RequestSpan:
    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    @property
    def trace_id(self) -> str:
        return f"{self._span.get_span_context().trace_id:032x}" if self._span.is_recording() else ""

    def answered(self, *, route: str, method: str, status: int) -> None:
        span = self._span
        span.update_name(f"{method} {route}")
        span.set_attribute("http.request.method", method)
        span.set_attribute("http.route", route)
        if status:
            span.set_attribute("http.response.status_code", status)
        if status >= _SERVER_FAULT:
            span.set_status(Status(StatusCode.ERROR))


def _links(traceparent: bytes | None) -> Sequence[Link]:
    """A link to the caller's span, if it names one by the grammar of W3C Trace Context."""
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent is not None else None
    if match is None:
        return ()
    theirs = SpanContext(int(match[1], 16), int(match[2], 16), is_remote=True)
    return (Link(theirs),) if theirs.is_valid else ()
