"""The middleware: every connection has a verified caller, or is refused before the application sees it."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, Unpack

from watchword.errors import WatchwordError
from watchword.middleware.current import Admission, enter, leave
from watchword.middleware.denial import Denial
from watchword.middleware.guard import Guard
from watchword.middleware.refusals import ROUTE_ERRORS
from watchword.middleware.requirement import IDENTITY_KEY, NOW_KEY, STATE_KEY
from watchword.middleware.settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_POLICY_VIOLATION: Final = 1008  # RFC 6455, section 7.4.1
_RESPONSE_EXTENSION: Final = "websocket.http.response"
_STARTS: Final = frozenset(
    {"http.response.start", "websocket.accept", "websocket.close", f"{_RESPONSE_EXTENSION}.start"}
)


class WatchwordMiddleware:
    """Puts the caller's `Identity` in `scope["watchword.identity"]` and `request.state.identity`.

    Every path needs a caller, except those in `public`; routes ask for more by `require`. The options are
    `Settings`; raise `InvalidConfigError` for a mistake in them.
    """

    def __init__(self, app: App, **settings: Unpack[Settings]) -> None:
        self._app = app
        self._guard = Guard(**settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._other(scope, receive, send)
            return
        try:
            admission = await self._guard.admit(scope["path"], _values(scope, b"authorization"))
        except WatchwordError as error:
            await self._deny(error, scope, receive, send)
        else:
            entered = enter(admission)
            try:
                await self._serve(_with_admission(scope, admission), receive, send)
            finally:
                leave(entered)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            raise RuntimeError(f"no rule for connections of type {scope['type']!r}")
        await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; what its routes require and the caller lacks becomes a refusal like ours."""
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] in _STARTS
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except ROUTE_ERRORS as error:
            if started:
                raise
            await self._deny(error, scope, None, send)

    async def _deny(self, error: WatchwordError, scope: Scope, receive: Receive | None, send: Send) -> None:
        given = _values(scope, b"x-request-id")
        denial = self._guard.refuse(error, kind=scope["type"], request_id=given[0] if given else None)
        if scope["type"] == "http":
            await _respond(denial, send, "http.response")
            return
        if receive is not None:  # else the application has taken the first message already
            await receive()
        if _RESPONSE_EXTENSION in scope.get("extensions", {}):
            await _respond(denial, send, _RESPONSE_EXTENSION)
        else:
            await send(
                {"type": "websocket.close", "code": _POLICY_VIOLATION}
            )  # before accept: answered with 403


async def _respond(denial: Denial, send: Send, kind: str) -> None:
    await send({"type": f"{kind}.start", "status": denial.status, "headers": denial.headers})
    await send({"type": f"{kind}.body", "body": denial.body})


def _values(scope: Scope, name: bytes) -> list[str]:
    """The values of a header, whose name ASGI has in lower case; latin-1, as headers are."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _with_admission(scope: Scope, admission: Admission) -> Scope:
    """A copy of the scope with this caller, or with none: what another layer put there proves nothing here.

    The state is copied too, since a server may share it between connections.
    """
    state = dict(scope.get("state") or {})
    inner = dict(scope)
    inner[NOW_KEY] = admission.now
    if admission.identity is None:
        inner.pop(IDENTITY_KEY, None)
        state.pop(STATE_KEY, None)
    else:
        inner[IDENTITY_KEY] = state[STATE_KEY] = admission.identity
    inner["state"] = state
    return inner
