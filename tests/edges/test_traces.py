"""Traces: what a span shows, that callers have no say in them, and that without configuration there are none."""

import subprocess
import sys
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.edges.harness import GOOD_TOKEN, running_server

from watchword.errors import InvalidConfigError
from watchword.server.spans import OPEN_PART, part
from watchword.server.traces.otel import OTelTracing
from watchword.server.traces.tracing import check_packages

THEIRS = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{THEIRS}-b7ad6b7169203331-01"


def traced(
    *requests: tuple[str, str, Sequence[tuple[str, str]]], ratio: float = 1.0
) -> Sequence[ReadableSpan]:
    """The spans that these requests leave, the newest last."""
    exporter = InMemorySpanExporter()
    tracing = OTelTracing(SimpleSpanProcessor(exporter), ratio=ratio)
    with running_server(tracing=tracing) as server:
        for method, target, headers in requests:
            server.request(method, target, headers=headers)
    tracing.close()
    return exporter.get_finished_spans()


def trace_of(span: ReadableSpan) -> str:
    return f"{span.context.trace_id:032x}"


def test_a_span_shows_route_method_status_and_request_id_and_nothing_else() -> None:
    secret = ("Authorization", "Bearer canary-4711")
    spans = traced(
        ("GET", "/api/sessions/canary-4711", [secret, ("User-Agent", "canary-4711")]),
        ("GET", "/canary-4711?canary-4711=1", [secret]),
        ("PROPFIND", "/api/me", []),
    )
    assert [span.name for span in spans] == ["GET /api/sessions/{session}", "other other", "other /api/me"]
    for span in spans:
        assert span.attributes is not None
        assert span.attributes.keys() == {
            "http.request.method",
            "http.route",
            "http.response.status_code",
            "watchword.request_id",
        }
        assert "canary" not in span.to_json()
        assert span.parent is None


def test_a_caller_s_traceparent_is_a_link_and_neither_trace_nor_decision() -> None:
    (span,) = traced(("GET", "/api/told", [("traceparent", TRACEPARENT)]))
    assert trace_of(span) != THEIRS
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [THEIRS]
    forced = [("GET", "/api/told", [("traceparent", TRACEPARENT)])] * 20
    assert traced(*forced, ratio=0.0) == ()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        TRACEPARENT.upper(),
        f"{TRACEPARENT}-more",
        f"01{TRACEPARENT[2:]}",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{THEIRS}-{'0' * 16}-01",
        "00-" + "a" * 4000,
    ],
)
def test_a_traceparent_of_another_form_is_as_none(value: str) -> None:
    (span,) = traced(("GET", "/api/told", [("traceparent", value)]))
    assert span.links == ()


def test_two_traceparents_are_as_none() -> None:
    (span,) = traced(("GET", "/api/told", [("traceparent", TRACEPARENT)] * 2))
    assert span.links == ()


def test_of_an_exception_only_its_being_is_kept() -> None:
    (span,) = traced(("GET", "/api/broken", [("Authorization", GOOD_TOKEN)]))
    assert not span.status.is_ok
    assert span.events == ()
    assert "canary" not in span.to_json()


def test_parts_are_children_and_keep_no_text_of_an_error() -> None:
    exporter = InMemorySpanExporter()
    tracing = OTelTracing(SimpleSpanProcessor(exporter), ratio=1.0)
    with tracing.request("req_x", None) as span:
        with part("commit"):
            pass
        with pytest.raises(ValueError, match="canary"), part("open"):
            raise ValueError("canary-4711")
        span.answered(route="/r", method="GET", status=200)
    assert OPEN_PART.get() is None
    commit, opened, request = exporter.get_finished_spans()
    assert [commit.name, opened.name, request.name] == ["commit", "open", "GET /r"]
    assert commit.parent is not None
    assert opened.parent is not None
    assert commit.parent.span_id == opened.parent.span_id == request.context.span_id
    assert not opened.status.is_ok
    assert "canary" not in opened.to_json()
    tracing.close()


def test_without_the_packages_the_start_is_refused_and_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(InvalidConfigError, match=r"watchword\[otel\]"):
        check_packages()


def test_a_server_without_them_configured_imports_neither_traces_nor_metrics_libraries() -> None:
    code = (
        "import sys, watchword.server.app\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('opentelemetry', 'prometheus_client')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240)
    assert done.stdout == "[]\n"
