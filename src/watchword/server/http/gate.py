"""What the edge asks of the door: may this request come in, and what became of it.

The door itself (limits, bans, who passes them) is a capability of its own; the edge knows this interface alone.
"""

from typing import Final, Protocol

from watchword.core.ids import DeviceId
from watchword.errors import WatchwordError
from watchword.server.http.endpoint import Request, Route
from watchword.server.limits.model import Lease


class Gate(Protocol):
    """Asked in this order: `check`, `reserve`, and at the end `leave`; `failed` for whatever became an error.

    Whom `reserve` refuses may `prove` a device, and is then asked for again as that.
    """

    async def check(self, request: Request, route: Route | None) -> DeviceId | None:
        """Before the identity is known. `route` is None where nothing lies. Raises `TooManyError`.

        The device that the caller had to prove to be let in; None for all who are let in without.
        """
        ...

    async def reserve(self, request: Request, route: Route | None, account: str) -> Lease | None:
        """Count the request; `account` is "" where nobody is known. Raises `TooManyError`, `UnavailableError`."""
        ...

    async def prove(self, request: Request, route: Route | None) -> DeviceId | None:
        """The device that a caller is who was let in without having to prove it; None where it proves none."""
        ...

    def leave(self, lease: Lease | None) -> None:
        """The request that holds `lease` is over. Never waits."""
        ...

    def failed(self, request: Request, route: Route | None, error: WatchwordError, account: str) -> None:
        """`request` ended with `error`, be it of `check` or `reserve`; told once. Never raises or waits.

        `account` is "" where nobody is known.
        """
        ...


class _Open:
    """Lets everybody in: for applications without a door, such as those of tests."""

    async def check(self, request: Request, route: Route | None) -> DeviceId | None:
        del request, route
        return None

    async def reserve(self, request: Request, route: Route | None, account: str) -> Lease | None:
        del request, route, account
        return None

    async def prove(self, request: Request, route: Route | None) -> DeviceId | None:
        del request, route
        return None

    def leave(self, lease: Lease | None) -> None:
        del lease

    def failed(self, request: Request, route: Route | None, error: WatchwordError, account: str) -> None:
        del request, route, error, account


OPEN: Final[Gate] = _Open()
