"""The middleware: every connection has a verified caller, or is refused before the application sees it."""

import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

from watchword.core.clock import Clock, SystemClock
from watchword.errors import UnauthenticatedError, WatchwordError
from watchword.middleware.denial import Denial, NoCredentialsError, RepeatedCredentialsError, denial_of
from watchword.middleware.identity import Identity, Presentation, Proof
from watchword.middleware.public import PublicPaths
from watchword.middleware.requirement import (
    IDENTITY_KEY,
    STATE_KEY,
    InsufficientError,
    NoIdentityError,
    require,
)
from watchword.middleware.verifier import Check, Verifier

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
_log: Final = logging.getLogger("watchword.middleware")


class WatchwordMiddleware:
    """Puts the caller's `Identity` in `scope["watchword.identity"]` and `request.state.identity`.

    `issuer` is the server's origin, `audience` this application's own: `watchword token --for AUDIENCE` makes
    its tokens. Every path needs a caller of `least_level` with all of `scopes`, except those in `public` (see
    `PublicPaths`); routes ask for more by `require`. The other parameters are those of `Verifier`.
    """

    def __init__(
        self,
        app: App,
        *,
        issuer: str,
        audience: str,
        ca_file: str | None = None,
        pin: str | None = None,
        bearer_ok: bool = False,
        least_level: int = 0,
        scopes: Iterable[str] = (),
        public: Iterable[str] = (),
        checks: Iterable[Check] = (),
        clock: Clock | None = None,
    ) -> None:
        self._app = app
        self._clock = clock or SystemClock()
        self._verifier = Verifier(
            issuer=issuer, audience=audience, ca_file=ca_file, pin=pin, bearer_ok=bearer_ok,
            checks=checks, clock=self._clock,
        )  # fmt: skip
        self._realm = audience
        self._requirement = require(level=least_level, scope=scopes)
        self._public = PublicPaths(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] not in ("http", "websocket"):
            raise RuntimeError(f"no rule for connections of type {scope['type']!r}")
        elif scope["path"] in self._public:
            await self._serve(_with_identity(scope, None), receive, send)
        else:
            await self._admit(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            caller = await self._identify(scope)
            self._requirement.check(caller)
        except WatchwordError as error:
            await self._deny(error, scope, receive, send)
        else:
            await self._serve(_with_identity(scope, caller), receive, send)

    async def _identify(self, scope: Scope) -> Identity:
        found = [value for name, value in scope["headers"] if name == b"authorization"]  # ASGI: lower case
        if len(found) > 1:
            raise RepeatedCredentialsError
        scheme, _, token = found[0].partition(b" ") if found else (b"", b"", b"")
        if scheme.lower() != b"bearer":
            raise NoCredentialsError
        # latin-1 as headers are; what is not ASCII is no base64url
        ctx = Presentation(now=self._clock.now(), proof=Proof.BEARER)
        return await self._verifier.verify(token.decode("latin-1"), ctx)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; what its routes require and the caller lacks becomes a refusal like ours."""
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] in _STARTS
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except (InsufficientError, NoIdentityError) as error:
            if started:
                raise
            await self._deny(error, scope, None, send)

    async def _deny(self, error: WatchwordError, scope: Scope, receive: Receive | None, send: Send) -> None:
        reason = error.reason if isinstance(error, UnauthenticatedError) else str(error.code)
        _log.info("refused %s: %s", scope["type"], reason)
        denial = denial_of(error, realm=self._realm)
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


def _with_identity(scope: Scope, caller: Identity | None) -> Scope:
    """A copy of the scope with this caller, or with none: what another layer put there proves nothing here.

    The state is copied too, since a server may share it between connections.
    """
    state = dict(scope.get("state") or {})
    inner = dict(scope)
    if caller is None:
        inner.pop(IDENTITY_KEY, None)
        state.pop(STATE_KEY, None)
    else:
        inner[IDENTITY_KEY] = state[STATE_KEY] = caller
    inner["state"] = state
    return inner
