"""ASGI messages: the body of a request, and a whole reply in one start and one body."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from watchword.errors import TooLargeError
from watchword.server.http.reply import JSON_HEADERS, JSON_TYPE, Reply

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

DEFAULT_HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
}
"""On every answer, unless the reply has its own of the same name."""
_DEFAULT_BLOCK: Final = [(name.encode(), value.encode()) for name, value in DEFAULT_HEADERS.items()]

_JSON_BLOCK: Final = [(b"content-type", JSON_TYPE.encode()), *_DEFAULT_BLOCK]
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


async def send_reply(send: Send, reply: Reply, request_id: str) -> None:
    """One start and one body, which the connection writes at once."""
    headers = _base_headers(reply)
    if reply.status not in _BODILESS:
        headers.append((b"content-length", b"%d" % len(reply.body)))
    headers.append((b"x-request-id", request_id.encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


def _base_headers(reply: Reply) -> list[tuple[bytes, bytes]]:
    if reply.headers is JSON_HEADERS:
        return _JSON_BLOCK.copy()
    own = [(name.encode("ascii"), value.encode("latin-1")) for name, value in reply.headers.items()]
    if reply.headers.keys().isdisjoint(DEFAULT_HEADERS):
        return own + _DEFAULT_BLOCK
    return own + [pair for pair in _DEFAULT_BLOCK if pair[0].decode() not in reply.headers]
