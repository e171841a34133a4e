"""What is known of a request before anybody looks at its body: made once, in the edge, and handed down."""

from dataclasses import dataclass

from watchword.core.clock import Instant
from watchword.core.ids import DeviceId, RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """`now` is read once per request and is every layer's idea of the present."""

    request_id: RequestId
    now: Instant
    address: str
    """The caller's IP address in canonical text form, IPv4-mapped IPv6 folded to IPv4: to decide by, not to keep."""
    shown_address: str
    """The same as it may be written down (`privacy.addresses`): what log, audit trail, sessions and traces get."""
    caller_named: bool = True
    """False where `address` is that of a proxy of ours, which did not tell whom it speaks for."""
    user_agent: str
    """At most 200 printable characters."""
    proven_device: DeviceId | None = None
    """The device that had to prove itself to be let in: nothing may be tried here but to sign in as that device."""
