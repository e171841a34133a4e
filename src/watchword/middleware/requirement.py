"""What a route demands of its caller, and the caller as a route sees it. Works with any framework on ASGI."""

import functools
from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, overload

from watchword.errors import ForbiddenError, InvalidConfigError, UnauthenticatedError
from watchword.middleware.identity import Identity

if TYPE_CHECKING:
    from inspect import Signature

IDENTITY_KEY: Final = "watchword.identity"
"""Where the middleware puts the `Identity` in the ASGI scope; in `scope["state"]` it is `STATE_KEY`."""
STATE_KEY: Final = "identity"
_MAX_LEVEL: Final = 9
_CONNECTION_NAMES: Final = ("request", "websocket", "connection")

Route = TypeVar("Route", bound=Callable[..., Any])


class Connection(Protocol):
    """A request or websocket of Starlette, FastAPI and others: something with an ASGI scope."""

    @property
    def scope(self) -> MutableMapping[str, Any]: ...


class NoIdentityError(UnauthenticatedError):
    """A public route asked who is calling: nobody has proven anything."""

    def __init__(self) -> None:
        super().__init__("no_identity")


class InsufficientError(ForbiddenError):
    """The caller is known, and below what is required."""

    def __init__(self, requirement: "Requirement") -> None:
        super().__init__("a higher level or another scope is needed")
        self.requirement = requirement


def identity(connection: Connection) -> Identity:
    """The verified caller. Raise `NoIdentityError` on a public route: the middleware answers 401."""
    found = connection.scope.get(IDENTITY_KEY)
    if not isinstance(found, Identity):
        raise NoIdentityError
    return found


@dataclass(frozen=True, slots=True)
class Requirement:
    """A least level and a set of scopes, all of which are needed. See `require`."""

    level: int = 0
    scopes: frozenset[str] = frozenset()

    def check(self, caller: Identity) -> None:
        """Raise `InsufficientError` unless `caller` has the level and every scope."""
        if caller.level < self.level or not self.scopes <= caller.scopes:
            raise InsufficientError(self)

    @overload
    def __call__(self, target: Connection) -> Identity: ...
    @overload
    def __call__(self, target: Route) -> Route: ...
    def __call__(self, target: Any) -> Any:
        """Check a connection and give its caller; or guard a route function, as a decorator."""
        if hasattr(target, "scope"):
            caller = identity(target)
            self.check(caller)
            return caller
        return self._guard(target)

    @property
    def __signature__(self) -> "Signature":
        """What FastAPI's `Depends` reads: one parameter, the connection."""
        from inspect import Parameter, Signature  # noqa: PLC0415  # asked for by FastAPI alone, which has it

        from starlette.requests import HTTPConnection  # noqa: PLC0415  # as above

        parameter = Parameter("target", Parameter.POSITIONAL_OR_KEYWORD, annotation=HTTPConnection)
        return Signature([parameter], return_annotation=Identity)

    def _guard(self, route: Route) -> Route:
        from inspect import iscoroutinefunction  # noqa: PLC0415  # when an application is put together only

        name, index = _connection_parameter(route)

        def check(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self(kwargs[name] if name in kwargs else args[index])

        @functools.wraps(route)
        async def waiting(*args: Any, **kwargs: Any) -> Any:
            check(args, kwargs)
            return await route(*args, **kwargs)

        @functools.wraps(route)
        def direct(*args: Any, **kwargs: Any) -> Any:
            check(args, kwargs)
            return route(*args, **kwargs)

        return waiting if iscoroutinefunction(route) else direct  # type: ignore[return-value]  # same signature


def require(*, level: int = 0, scope: str | Iterable[str] = ()) -> Requirement:
    """What a route demands beyond a good token: a least level (0 to 9), and scopes, all of them.

    FastAPI: `who: Annotated[Identity, Depends(require(level=2))]`. Elsewhere: `@require(scope="notes")` on a
    function whose parameter `request` or `websocket` is the connection; or `require(level=2)(request)` in it.
    """
    scopes = frozenset(scope.split() if isinstance(scope, str) else scope)
    if not 0 <= level <= _MAX_LEVEL or any(not one or " " in one for one in scopes):
        raise InvalidConfigError("require: a level is 0 to 9, a scope has no spaces")
    return Requirement(level, scopes)


def _connection_parameter(route: Callable[..., Any]) -> tuple[str, int]:
    from inspect import signature  # noqa: PLC0415  # when an application is put together only

    for index, name in enumerate(signature(route).parameters):
        if name in _CONNECTION_NAMES:
            return name, index
    raise InvalidConfigError(
        f"require: the route needs a parameter named one of {', '.join(_CONNECTION_NAMES)}"
    )
