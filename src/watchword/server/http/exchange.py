"""What is known of one request so far, for the answer that an error gets and for the log line at the end."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from watchword.core.ids import DeviceId
from watchword.errors import UnavailableError, WatchwordError
from watchword.server.context import RequestContext
from watchword.server.http.endpoint import Request, Route
from watchword.server.http.headers import Headers
from watchword.server.http.routing import Place
from watchword.server.measures.requests import OTHER

_THEIR_ID: Final = re.compile(rb"[0-9a-f]{16,32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""What proxies make: 16 to 32 hexadecimal digits, or a UUID. Anything else may be anything, and is not written down."""


@dataclass(slots=True)
class Exchange:
    """One request. `request` is there once its headers are looked at."""

    context: RequestContext
    request_id: str
    method: str
    raw_path: bytes
    place: Place | None = None
    route: Route | None = None
    request: Request | None = None
    unreadable: bool = False
    """Its headers contradict each other: `request` has none of them."""
    extra: dict[str, str] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    who: dict[str, str] = field(default_factory=dict)
    """The account, once it is known, and the caller's own id of the request."""

    def proves(self, request: Request, device: DeviceId) -> Request:
        """`request` from now on as that of `device`."""
        context = replace(request.context, proven_device=device)
        found = self.request = replace(request, context=context)
        return found

    @property
    def named(self) -> tuple[str, str]:
        """Route and method in words of ours: `OTHER` for what we do not have."""
        place, method = self.place, self.method
        if place is None:
            return OTHER, OTHER
        return place.template, method if place.find(method) else OTHER

    def note_their_id(self, headers: Headers) -> None:
        theirs = headers.raw(b"x-request-id")
        if theirs is not None and _THEIR_ID.fullmatch(theirs):
            self.who["caller_request"] = theirs.decode("ascii")


def traceparent_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The caller's own, if there is exactly one."""
    found = [value for name, value in headers if name == b"traceparent"]
    return found[0] if len(found) == 1 else None


def why_of(error: WatchwordError) -> dict[str, str]:
    """What our log says of an error: its code, and the reason that the peer is not told. Never a decoder's text."""
    why = {"code": error.code.value}
    reason = getattr(error, "reason", "")
    if not reason and isinstance(error, UnavailableError):
        reason = error.detail
    return {**why, "reason": reason} if reason else why
