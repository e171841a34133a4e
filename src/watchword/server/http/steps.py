"""The way of one request to its handler: every step in its order, and nothing may be answered out of it.

Ban list, host, path and method, origin, identity, limits, content, room in the queue, body, its decoding, handler.
Identity comes before content so that without one a path that exists and one that does not answer the same. Whatever is
refused before it was counted is counted then.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from watchword.errors import (
    MalformedError,
    MethodNotAllowedError,
    NotFoundError,
    TooManyError,
    WatchwordError,
)
from watchword.server.http.admission import Admission
from watchword.server.http.door import check_content, check_origin, read_query
from watchword.server.http.endpoint import Identify, Request, Route
from watchword.server.http.exchange import Exchange
from watchword.server.http.gate import Gate
from watchword.server.http.handling import handle
from watchword.server.http.headers import Headers
from watchword.server.http.hosts import HostPolicy
from watchword.server.http.page_edge import PageEdge, find_misplaced, is_for_people
from watchword.server.http.reply import Reply
from watchword.server.http.routing import RouteTable
from watchword.server.http.wire import Receive, Scope
from watchword.server.limits.model import Lease
from watchword.server.measures import RequestMeasures

_UNUSABLE_METHODS: Final = frozenset({"TRACE", "CONNECT"})
_API: Final = b"/api/"
AccountOf = Callable[[Any], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What the steps need."""

    table: RouteTable
    gate: Gate
    hosts: HostPolicy
    identify: Identify
    account_of: AccountOf
    admission: Admission
    measures: RequestMeasures
    pages: PageEdge | None

    async def take(self, exchange: Exchange, scope: Scope, receive: Receive) -> Reply:
        """The handler's reply. Raises what any step raises."""
        try:
            request = self._find(exchange, scope)
        except MalformedError:
            await self._count_unreadable(exchange)
            raise
        route = exchange.route
        device = await self.gate.check(request, route)
        if device is not None:
            request = exchange.proves(request, device)
        try:
            identity = await self._identity(exchange, request, route, scope)
        except WatchwordError:
            self.gate.leave(await self.gate.reserve(request, route, ""))
            raise
        request, lease = await self._reserve(exchange, request, route)
        try:
            if route is None:
                raise self._nothing_here(exchange)
            check_content(route, request.headers)
            query = read_query(route, scope["query_string"])
            return await handle(
                route,
                request,
                identity=identity,
                query=query,
                receive=receive,
                admission=self.admission,
            )
        finally:
            self.gate.leave(lease)

    async def _reserve(
        self, exchange: Exchange, request: Request, route: Route | None
    ) -> tuple[Request, Lease | None]:
        """A place for the request, and whose it is.

        Neighbours who use up what one source has keep no device out that proves itself.
        """
        try:
            return request, await self.gate.reserve(request, route, exchange.who.get("account", ""))
        except TooManyError:
            device = await self.gate.prove(request, route)
            if device is None:
                raise
        request = exchange.proves(request, device)
        return request, await self.gate.reserve(request, route, "")

    async def _count_unreadable(self, exchange: Exchange) -> None:
        """Of headers that contradict each other nothing is believed: whoever sent them is an address, and no more."""
        exchange.unreadable = True
        request = exchange.request = Request(
            context=exchange.context,
            method=exchange.method,
            raw_path=exchange.raw_path,
            headers=Headers(()),
            path_parameters={},
            query={},
        )
        await self.gate.check(request, None)
        self.gate.leave(await self.gate.reserve(request, None, ""))

    def _find(self, exchange: Exchange, scope: Scope) -> Request:
        """The request as its head tells it, and where it leads. Raises `MalformedError`: a header stands twice."""
        headers = Headers(scope["headers"])
        exchange.note_their_id(headers)
        exchange.place, parameters = self.table.find(exchange.raw_path.decode("latin-1"))
        exchange.route = exchange.place.find(exchange.method) if exchange.place else None
        exchange.request = Request(
            context=exchange.context,
            method=exchange.method,
            raw_path=exchange.raw_path,
            headers=headers,
            authorization=headers.get("authorization"),
            path_parameters=parameters,
            query={},
        )
        return exchange.request

    async def _identity(self, exchange: Exchange, request: Request, route: Route | None, scope: Scope) -> Any:
        """Who asks, where that has to be known; None elsewhere. Looks at host and origin before."""
        self.hosts.check(request.headers.raw(b"host"))
        if route is None:
            await self._check_elsewhere(exchange, request)
            return None
        check_origin(exchange.method, request.headers, self.hosts)
        if route.page:
            self.measures.misplace(find_misplaced(route, request, scope["query_string"]))
        return await self._identify(exchange, request, page=route.page) if route.auth else None

    async def _identify(self, exchange: Exchange, request: Request, *, page: bool) -> Any:
        """Who it is, whom the log then names: by the cookie on pages, and by `Authorization` everywhere else."""
        by_cookie = page and self.pages is not None
        identify = self.pages.identify if by_cookie and self.pages is not None else self.identify
        identity = await identify(request)
        exchange.who["account"] = self.account_of(identity)
        return identity

    async def _check_elsewhere(self, exchange: Exchange, request: Request) -> None:
        """Where nothing lies, or not for this method: raise what would be raised without an identity where it does.

        That is 401 for all of the API, and the way to sign in for people.
        """
        place = exchange.place
        for_people = is_for_people(place, exchange.raw_path, request.headers)
        if for_people:
            check_origin(exchange.method, request.headers, self.hosts)  # as where a form's path is
        if place is not None:
            if place.guarded:
                await self._identify(exchange, request, page=place.page)
        elif _is_api(exchange.raw_path):
            await self._identify(exchange, request, page=False)
        elif self.pages is not None and for_people:
            await self._identify(exchange, request, page=True)

    def _nothing_here(self, exchange: Exchange) -> WatchwordError:
        """The error for whoever may know that nothing is here."""
        if exchange.place is not None:
            exchange.extra["allow"] = exchange.place.allow
            return MethodNotAllowedError()
        if exchange.method in _UNUSABLE_METHODS:
            exchange.extra["allow"] = ""
            return MethodNotAllowedError()
        return NotFoundError()


def _is_api(raw_path: bytes) -> bool:
    """Whether a path lies under the API in any spelling that some other server might fold into it."""
    return raw_path.lower().startswith(_API)
