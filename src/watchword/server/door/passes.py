"""Who passes a ban: a ban is not the end for the innocent behind the same address.

A live session passes, by its token or its cookie, except where credentials are taken: an account of one's own must not
open the way to guess at others'. There a device passes that proves itself in a header, and may then do nothing but sign
in as that device.
"""

from typing import Final

from watchword.core.ids import DeviceId
from watchword.protocol.device_header import DEVICE_HEADER
from watchword.server.devices.header_pass import DevicePass
from watchword.server.door.offences import GUESSED_AT
from watchword.server.http.endpoint import Identify, Request, Route

_COOKIE: Final = "__Host-watchword="


class Passes:
    """`by_token` and `by_cookie` are the ways to know a live session."""

    def __init__(self, *, by_token: Identify, by_cookie: Identify, devices: DevicePass) -> None:
        self._by_token = by_token
        self._by_cookie = by_cookie
        self._devices = devices

    def offers(self, request: Request, route: Route | None) -> bool:
        """Whether there is anything to look at, which costs a read or a signature."""
        if route is not None and route.for_devices and request.headers.get(DEVICE_HEADER) is not None:
            return True
        return self._session_way(request, route) is not None

    async def has_session(self, request: Request, route: Route | None) -> bool:
        """Whether `request` is of a live session. Raises `WatchwordError` for a proof that is not good."""
        identify = self._session_way(request, route)
        if identify is None:
            return False
        await identify(request)
        return True

    def _session_way(self, request: Request, route: Route | None) -> Identify | None:
        """How a session would be known; None where there is none, or it opens nothing."""
        guessed_at = route is not None and route.limit in GUESSED_AT
        return None if guessed_at else self._way(request, route)

    def _way(self, request: Request, route: Route | None) -> Identify | None:
        """Pages are opened by the cookie alone, and everything else by a token."""
        is_page = route is not None and route.page
        if request.authorization is not None and not is_page:
            return self._by_token
        if (is_page or route is None) and _COOKIE in (request.headers.get("cookie") or ""):
            return self._by_cookie
        return None

    async def device(self, request: Request, route: Route | None) -> DeviceId | None:
        """The device that has proven itself; None without a header. Raises `WatchwordError` for a bad proof."""
        if route is None or not route.for_devices:
            return None
        header = request.headers.get(DEVICE_HEADER)
        if header is None:
            return None
        return await self._devices.check(request.method, request.raw_path, header, request.context.now)
