"""What belongs to the server as a whole: starting, stopping, and saying how it is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Literal

import msgspec

from watchword.errors import UnavailableError
from watchword.server.http.about import About, Answer
from watchword.server.http.endpoint import Request, Route
from watchword.server.http.reply import Reply
from watchword.server.http.wire import Receive, Send
from watchword.server.logs import Log

Ready = Callable[[], Awaitable[bool]]
"""Whether the server can do its work now."""
Lifespan = Callable[[], AbstractAsyncContextManager[None]]


class Live(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    status: Literal["live"]


class IsReady(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    status: Literal["ready"]


_LIVE: Final = About(
    operation="isLive",
    group="health",
    summary="Whether the process runs",
    answers=(Answer(text="It does.", body=Live),),
    needs_storage=False,
)
_READY: Final = About(
    operation="isReady",
    group="health",
    summary="Whether the server can do its work now",
    text="503 while the database or the audit trail does not work.",
    answers=(Answer(text="It can.", body=IsReady),),
)


def health_routes(ready: Ready) -> list[Route]:
    async def live(_request: Request) -> Reply:
        return Reply.json(Live(status="live"))

    async def is_ready(_request: Request) -> Reply:
        if not await ready():
            raise UnavailableError
        return Reply.json(IsReady(status="ready"))

    return [
        Route("GET", "/health/live", live, about=_LIVE, limit="free"),
        Route("GET", "/health/ready", is_ready, about=_READY, limit="free"),
    ]


@asynccontextmanager
async def no_lifespan() -> AsyncIterator[None]:
    yield


async def run_lifespan(lifespan: Lifespan, receive: Receive, send: Send, log: Log) -> None:
    """The ASGI lifespan protocol around `lifespan`."""
    await receive()
    begun = False
    try:
        async with lifespan():
            begun = True
            await send({"type": "lifespan.startup.complete"})
            await receive()
    except asyncio.CancelledError:
        log.warning("server.forced")  # `lifespan` was left all the same; nobody listens any more
    except Exception as error:  # noqa: BLE001  # the protocol wants a message in place of an exception
        log.fault("server.lifespan", error)
        step = "shutdown" if begun else "startup"
        await send({"type": f"lifespan.{step}.failed", "message": ""})
    else:
        await send({"type": "lifespan.shutdown.complete"})
