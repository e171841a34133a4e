"""What a route demands of its caller, and the caller as a route sees it. Works with every face and framework."""

import functools
from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast, overload

from watchword.core.clock import SECOND, Instant
from watchword.errors import InvalidConfigError
from watchword.middleware.current import Admission, current_admission
from watchword.middleware.identity import Identity, Proof
from watchword.middleware.refusals import InsufficientError, NoIdentityError, StaleLoginError, UnboundError
from watchword.protocol.tokens import is_scope

if TYPE_CHECKING:
    from inspect import Signature

IDENTITY_KEY: Final = "watchword.identity"
"""Where the middleware puts the `Identity` in the ASGI scope and in the WSGI environment."""
STATE_KEY: Final = "identity"
"""The same in the scope's `state`, so that frameworks show it as `request.state.identity`."""
NOW_KEY: Final = "watchword.now"
"""Beside the identity: when the request came, in milliseconds."""
_MAX_LEVEL: Final = 9

Route = TypeVar("Route", bound=Callable[..., Any])


class Connection(Protocol):
    """A request or websocket of Starlette, FastAPI and others: something with an ASGI scope."""

    @property
    def scope(self) -> MutableMapping[str, Any]: ...


def identity(connection: Connection) -> Identity:
    """The verified caller. Raise `NoIdentityError` on a public route: the middleware answers 401."""
    return _admission_of(connection).caller()


def _admission_of(connection: Connection) -> Admission:
    found, now = connection.scope.get(IDENTITY_KEY), connection.scope.get(NOW_KEY)
    if not isinstance(found, Identity) or type(now) is not int:
        raise NoIdentityError
    return Admission(found, Instant(now))


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a caller must be beyond having a good token; everything that is stated is needed. See `require`."""

    level: int = 0
    scopes: frozenset[str] = frozenset()
    max_age: int | None = None
    bearer_ok: bool = True
    device: bool = False

    def check(self, caller: Identity, now: Instant) -> None:
        """Compare in this order: binding, level, scopes and device, age of the login.

        Raises:
            UnboundError: the token is good in anybody's hands.
            InsufficientError: level, scopes or device are not enough.
            StaleLoginError: the person logged in too long ago.
        """
        if not self.bearer_ok and caller.proof is Proof.BEARER:
            raise UnboundError
        if (
            caller.level < self.level
            or not self.scopes <= caller.scopes
            or (self.device and not caller.device)
        ):
            raise InsufficientError(self)
        if self.max_age is not None and now >= caller.authenticated_at + self.max_age * SECOND:
            raise StaleLoginError(self.max_age)

    def admit(self, admission: Admission) -> Identity:
        """The caller, if it is enough; raise as `check` does, or `NoIdentityError`."""
        caller = admission.caller()
        self.check(caller, admission.now)
        return caller

    @overload
    def __call__(self, target: Connection) -> Identity: ...
    @overload
    def __call__(self, target: Route) -> Route: ...
    def __call__(self, target: Any) -> Any:
        """Check a connection and give its caller; or guard a route function, as a decorator."""
        if hasattr(target, "scope"):
            return self.admit(_admission_of(target))
        return self._guard(target)

    @property
    def __signature__(self) -> "Signature":
        """What FastAPI's `Depends` reads: one parameter, the connection."""
        from inspect import Parameter, Signature  # noqa: PLC0415  # asked for by FastAPI alone, which has it

        from starlette.requests import HTTPConnection  # noqa: PLC0415  # as above

        parameter = Parameter("target", Parameter.POSITIONAL_OR_KEYWORD, annotation=HTTPConnection)
        return Signature([parameter], return_annotation=Identity)

    def _guard(self, route: Route) -> Route:
        from contextlib import aclosing  # noqa: PLC0415  # when an application is put together only, as below
        from inspect import isasyncgenfunction, isclass, iscoroutinefunction  # noqa: PLC0415

        if isclass(route) or not callable(route):
            raise InvalidConfigError("require: a decorator for functions; in a class, decorate its methods")

        @functools.wraps(route)
        async def waiting(*args: Any, **kwargs: Any) -> Any:
            self.admit(current_admission())
            return await route(*args, **kwargs)

        @functools.wraps(route)
        async def streaming(*args: Any, **kwargs: Any) -> Any:
            self.admit(current_admission())
            async with aclosing(route(*args, **kwargs)) as pieces:
                async for piece in pieces:
                    yield piece

        @functools.wraps(route)
        def direct(*args: Any, **kwargs: Any) -> Any:
            self.admit(current_admission())
            return route(*args, **kwargs)

        if iscoroutinefunction(route):
            return cast("Route", waiting)
        return cast("Route", streaming if isasyncgenfunction(route) else direct)


def require(
    *,
    level: int = 0,
    scope: str | Iterable[str] = (),
    scopes: str | Iterable[str] = (),
    max_age: int | None = None,
    bearer_ok: bool = True,
    device: bool = False,
) -> Requirement:
    """What a route demands beyond a good token; the same in every framework.

    `level`: the least, 0 to 9. `scopes`: all of them (`scope` is the same, and reads better for one). `max_age`:
    seconds since the person proved who they are, at least 1. `bearer_ok=False`: only tokens that are bound to a
    key. `device`: only callers on an enrolled device.

    As a decorator: `@require(level=2)` on a function that handles a request. FastAPI:
    `who: Annotated[Identity, Depends(require(level=2))]`. Starlette, inside a route: `require(level=2)(request)`.
    """
    wanted = frozenset((*_scopes(scope), *_scopes(scopes)))
    if type(level) is not int or not 0 <= level <= _MAX_LEVEL:
        raise InvalidConfigError(f"require: a level is a whole number from 0 to {_MAX_LEVEL}")
    if not all(is_scope(one) for one in wanted):
        raise InvalidConfigError(
            "require: a scope has no spaces, quotes or backslashes (RFC 6749, section 3.3)"
        )
    if max_age is not None and (type(max_age) is not int or max_age < 1):
        raise InvalidConfigError("require: max_age is a whole number of seconds, at least 1")
    return Requirement(level=level, scopes=wanted, max_age=max_age, bearer_ok=bearer_ok, device=device)


def _scopes(given: str | Iterable[str]) -> Iterable[str]:
    return given.split(" ") if isinstance(given, str) and given else given
