"""What is known of a request before anybody looks at its body: made once, in the edge, and handed down."""

from dataclasses import dataclass

from watchword.core.clock import Instant
from watchword.core.ids import RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """`now` is read once per request and is every layer's idea of the present."""

    request_id: RequestId
    now: Instant
    address: str
    """The caller's IP address in canonical text form, IPv4-mapped IPv6 folded to IPv4."""
    user_agent: str
    """At most 200 printable characters."""
