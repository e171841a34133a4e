"""ASGI messages: the body of a request, and a whole reply in one start and one body."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from watchword.errors import TooLargeError
from watchword.server.http.reply import JSON_HEADERS, Reply

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

DEFAULT_HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""On every answer, unless the reply has its own of the same name."""
TRANSPORT_SECURITY: Final = ("strict-transport-security", "max-age=31536000")
"""Beside them where the origin is a name of its own. On loopback names it would force https on every other port of
this machine, where the apps under development listen."""
_TRANSPORT_SECURITY_LINE: Final = "{}: {}\r\n".format(*TRANSPORT_SECURITY)
RESPOND: Final = "watchword.respond"
"""Our own connection's ASGI extension: takes (status, header lines, body) at once, which saves two messages."""


CLOSE_LINE: Final = b"connection: close\r\n"
"""As the last of an answer's lines: the connection ends with it."""


def header_lines(headers: Mapping[str, str]) -> bytes:
    """Headers as they go over the wire."""
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()]).encode("ascii")


_JSON_LINES: Final = header_lines({**DEFAULT_HEADERS, **JSON_HEADERS})
_BODILESS: Final = frozenset({204, 304})  # RFC 9110, 8.6: these never state a length


class ClientGoneError(Exception):
    """The caller closed the connection before its request was whole: there is nobody to answer."""


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole body. The connection bounds its time. Raises `TooLargeError` as soon as it is longer than `limit`."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        piece: bytes = message.get("body", b"")
        body += piece
        if len(body) > limit:
            raise TooLargeError
        if not message.get("more_body"):
            return body


async def send_reply(
    scope: Scope, send: Send, reply: Reply, request_id: str, *, transport_security: bool
) -> None:
    """The whole reply at once where the connection takes it so, else as one start and one body."""
    respond = scope["extensions"].get(RESPOND) if "extensions" in scope else None
    if respond is not None:
        own = "" if reply.status in _BODILESS else f"content-length: {len(reply.body)}\r\n"
        if transport_security:
            own += _TRANSPORT_SECURITY_LINE
        lines = (
            _JSON_LINES
            if reply.headers is JSON_HEADERS
            else header_lines({**DEFAULT_HEADERS, **reply.headers})
        )
        lines += f"{own}x-request-id: {request_id}\r\n".encode("ascii")
        respond(reply.status, lines + CLOSE_LINE if reply.parting else lines, reply.body)
        return
    headers = {**DEFAULT_HEADERS, **reply.headers, "x-request-id": request_id}
    if transport_security:
        headers.update((TRANSPORT_SECURITY,))
    if reply.status not in _BODILESS:
        headers["content-length"] = str(len(reply.body))
    if reply.parting:
        headers["connection"] = "close"
    raw = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    await send({"type": "http.response.body", "body": reply.body})
