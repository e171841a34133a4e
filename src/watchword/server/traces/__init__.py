"""Traces of requests by OpenTelemetry, when they are configured and its packages are there.

Invariants: a span holds route, method, status and request id, and nothing of who called or what was sent. A caller's
own `traceparent` becomes a link: it neither decides what is traced nor which trace that belongs to. Without
configuration nothing of OpenTelemetry is imported.
"""

from watchword.server.traces.tracing import RequestSpan, Tracing

__all__ = ["RequestSpan", "Tracing"]
