"""A WSGI application without a framework that knows who is calling. See the README beside it."""

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from watchword.middleware import current_identity, require
from watchword.middleware.wsgi import WatchwordMiddleware

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


def hello() -> dict[str, str | int]:
    """For every account."""
    caller = current_identity()
    return {"hello": caller.username, "account": caller.account, "level": caller.level}


@require(level=2)
def moderation() -> dict[str, str]:
    """For accounts of level 2 and above."""
    return {"moderator": current_identity().username}


def health() -> dict[str, bool]:
    """For everybody: the one path that was declared public."""
    return {"ok": True}


ROUTES: dict[str, Callable[[], dict[str, Any]]] = {"/": hello, "/moderation": moderation, "/health": health}


def notes(environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
    route = ROUTES.get(environ["PATH_INFO"])
    status, body = ("200 OK", route()) if route else ("404 Not Found", {"detail": "no such path"})
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(body).encode()]


app = WatchwordMiddleware(
    notes,
    issuer=os.environ.get("WATCHWORD_ORIGIN", "https://localhost:8443"),
    audience=os.environ.get("APP_ORIGIN", "http://localhost:8000"),
    bearer_ok=True,  # tokens that are bound to no key: whoever copies one has it until it ends
    public=["/health"],
)
