"""What the edge needs of traces, and how they are opened."""

from contextlib import AbstractContextManager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, Protocol

from watchword.errors import InvalidConfigError

_MODULE: Final = "watchword.server.traces.otel"
_PACKAGES: Final = ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class RequestSpan(Protocol):
    """One request while it is answered."""

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits; "" where this request is not traced."""
        ...

    def answered(self, *, route: str, method: str, status: int) -> None:
        """`route` and `method` are words of ours; status 0: the caller left."""
        ...


class Tracing(Protocol):
    def request(self, request_id: str, traceparent: bytes | None) -> AbstractContextManager[RequestSpan]:
        """The span of a request, while the block runs. `traceparent` is the caller's header, as it came."""
        ...

    def close(self) -> None:
        """Send what is left; waits for it, some seconds at most."""
        ...


def check_packages() -> None:
    """Raise `InvalidConfigError` where OpenTelemetry's packages are missing."""
    if not all(map(_is_there, _PACKAGES)):
        raise InvalidConfigError(
            "traces.endpoint needs OpenTelemetry, which is not installed: pip install “watchword[otel]”"
        )


def open_tracing(endpoint: str, ratio: float) -> Tracing:
    """Traces that go to `endpoint` (OTLP over HTTP), `ratio` of all requests. Raises `InvalidConfigError`."""
    check_packages()
    loaded: Any = import_module(_MODULE)
    tracing: Tracing = loaded.open_otlp(endpoint, ratio)
    return tracing


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # of its parent
        return False
