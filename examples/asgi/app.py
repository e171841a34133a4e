"""An ASGI application without a framework that knows who is calling. See the README beside it."""

import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from watchword.middleware import WatchwordMiddleware, current_identity, require

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def hello() -> dict[str, str | int]:
    """For every account."""
    caller = current_identity()
    return {"hello": caller.username, "account": caller.account, "level": caller.level}


@require(level=2)
async def moderation() -> dict[str, str]:
    """For accounts of level 2 and above."""
    return {"moderator": current_identity().username}


async def health() -> dict[str, bool]:
    """For everybody: the one path that was declared public."""
    return {"ok": True}


ROUTES: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
    "/": hello,
    "/moderation": moderation,
    "/health": health,
}


async def notes(scope: Message, receive: Receive, send: Send) -> None:  # noqa: ARG001  # as ASGI has it
    route = ROUTES.get(scope["path"])
    status, body = (200, await route()) if route else (404, {"detail": "no such path"})
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


app = WatchwordMiddleware(
    notes,
    issuer=os.environ.get("WATCHWORD_ORIGIN", "https://localhost:8443"),
    audience=os.environ.get("APP_ORIGIN", "http://localhost:8000"),
    bearer_ok=True,  # tokens that are bound to no key: whoever copies one has it until it ends
    public=["/health"],
)
