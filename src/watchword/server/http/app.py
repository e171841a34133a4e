"""The one path that every HTTP request takes, as an ASGI application.

Order, and nothing may be answered out of it: host, path and method, the further door checks (bans, limits), origin,
identity, content, room in the queue, body, its decoding, handler. Identity comes before content so that without one
a path that exists and one that does not answer the same. For the same end, where there is nothing, a person is told so
after origin and identity, and a caller of the API after identity.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from watchword.core.clock import Clock
from watchword.core.entropy import Entropy
from watchword.core.ids import RequestId
from watchword.errors import (
    ErrorCode,
    MethodNotAllowedError,
    NotFoundError,
    WatchwordError,
)
from watchword.server.addresses import WHOLE, AddressForm
from watchword.server.context import RequestContext
from watchword.server.http.admission import Admission
from watchword.server.http.door import (
    check_content,
    check_origin,
    printable_user_agent,
    read_query,
)
from watchword.server.http.endpoint import Identify, Request, Route
from watchword.server.http.exchange import Exchange, traceparent_of, why_of
from watchword.server.http.gate import OPEN, Gate
from watchword.server.http.handling import handle
from watchword.server.http.headers import Headers
from watchword.server.http.hosts import HostPolicy
from watchword.server.http.lifecycle import Lifespan, Ready, health_routes, no_lifespan, run_lifespan
from watchword.server.http.page_edge import PageEdge, find_misplaced, is_for_people, show_to_people
from watchword.server.http.problem import internal_reply, problem_reply
from watchword.server.http.proxies import NO_PROXIES, Proxies
from watchword.server.http.reply import Reply
from watchword.server.http.routing import Place, RouteTable
from watchword.server.http.wire import ASGIApp, ClientGoneError, Receive, Scope, Send, send_reply
from watchword.server.logs import Log
from watchword.server.measures import RequestMeasures
from watchword.server.traces import Tracing

_UNUSABLE_METHODS: Final = frozenset({"TRACE", "CONNECT"})
_API: Final = "/api/"
_ERRORS: Final = 400
"""From here on a status says that something is wrong."""
_GONE: Final = 499
"""Stands for the status where the caller left first."""
_SERVER_FAULT: Final = 500
_PROBES: Final = frozenset({"/health/live", "/health/ready"})
"""Asked every few seconds: while they say yes, their lines are for debugging."""
AccountOf = Callable[[Any], str]


def _nobody(_identity: Any) -> str:
    return ""


def build_app(
    routes: Sequence[Route],
    *,
    hosts: HostPolicy,
    identify: Identify,
    clock: Clock,
    entropy: Entropy,
    admission: Admission,
    log: Log,
    ready: Ready,
    gate: Gate = OPEN,
    lifespan: Lifespan | None = None,
    proxies: Proxies = NO_PROXIES,
    measures: RequestMeasures | None = None,
    account_of: AccountOf = _nobody,
    log_from: int = 0,
    tracing: Tracing | None = None,
    pages: PageEdge | None = None,
    addresses: AddressForm = WHOLE,
) -> ASGIApp:
    """The application that serves `routes`, `/health/live` and `/health/ready`.

    `gate` sees every request, known path or not, before its body is read. `lifespan` is entered before the first
    request and left after the last. `measures` counts what is answered.
    `account_of` names an identity in the log. A request whose status is below `log_from` leaves its line at debug.
    `pages` knows callers of routes that are pages; without it there are none, and people get what programs get.
    `addresses` is how callers' addresses are written down.
    Raises `ValueError` for routes that contradict each other.
    """
    if pages is None and any(route.page for route in routes):
        raise ValueError("routes of pages without pages")
    table = RouteTable([*routes, *health_routes(ready)])
    return App(
        table,
        hosts,
        identify,
        clock,
        entropy,
        admission,
        log,
        gate,
        lifespan or no_lifespan,
        proxies,
        measures or RequestMeasures(),
        account_of,
        log_from,
        tracing,
        pages,
        addresses,
    )


@dataclass(frozen=True, slots=True)
class App:
    """See `build_app`."""

    table: RouteTable
    hosts: HostPolicy
    identify: Identify
    clock: Clock
    entropy: Entropy
    admission: Admission
    log: Log
    gate: Gate
    lifespan: Lifespan
    proxies: Proxies
    measures: RequestMeasures
    account_of: AccountOf
    log_from: int
    tracing: Tracing | None
    pages: PageEdge | None
    addresses: AddressForm

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await run_lifespan(self.lifespan, receive, send, self.log)
        else:
            raise RuntimeError(f"no {scope['type']} here")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = self._begin(scope)
        if self.tracing is None:
            await self._exchange(exchange, scope, receive, send)
            return
        with self.tracing.request(exchange.request_id, traceparent_of(scope["headers"])) as span:
            if span.trace_id:
                exchange.who["trace"] = span.trace_id
            status = await self._exchange(exchange, scope, receive, send)
            route, method = exchange.named
            span.answered(route=route, method=method, status=status)

    async def _exchange(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> int:
        """Answer; gives the status, 0 where the caller left."""
        began = self.clock.monotonic()
        try:
            reply = await self._answer(exchange, scope, receive)
        except ClientGoneError:
            self._end(exchange, 0, began)
            return 0
        await send_reply(
            scope,
            send,
            reply,
            exchange.request_id,
            transport_security=self.hosts.transport_security,
        )
        self._end(exchange, reply.status, began)
        return reply.status

    def _begin(self, scope: Scope) -> Exchange:
        self.measures.begun += 1
        now = self.clock.now()
        caller = self.proxies.caller(scope["client"], scope["headers"])
        context = RequestContext(
            request_id=RequestId.new(now, self.entropy),
            now=now,
            address=caller.address,
            shown_address=self.addresses.show(caller.address),
            caller_named=caller.named,
            user_agent=printable_user_agent(scope["headers"]),
        )
        return Exchange(context, str(context.request_id), scope["method"], scope["raw_path"])

    async def _answer(self, exchange: Exchange, scope: Scope, receive: Receive) -> Reply:
        """The reply, whatever happens, unless the caller is gone."""
        request_id = exchange.context.request_id
        try:
            return await self._handle(exchange, scope, receive)
        except ClientGoneError:
            raise
        except asyncio.CancelledError:
            # Only the end of the grace at shutdown does that; what was done is not known.
            self.log.warning("http.cancelled", request=exchange.request_id)
            return internal_reply(request_id)
        except WatchwordError as error:
            exchange.why = why_of(error)
            if exchange.request is not None:
                self.gate.failed(exchange.request, exchange.route, error)
            reply = self._show(exchange, error)
            if reply.status >= _ERRORS:  # nobody has erred who is sent to sign in
                self.measures.error(error.code)
            if reply.status == _SERVER_FAULT:  # a fault of ours: where it came from is worth a line
                self.log.fault("http.fault", error, request=exchange.request_id)
            return reply
        except Exception as error:  # noqa: BLE001  # the last line: one bad request must not show or end anything
            self.log.fault("http.fault", error, request=exchange.request_id)
            self.measures.error(ErrorCode.INTERNAL)
            return self._show(exchange, WatchwordError())

    def _show(self, exchange: Exchange, error: WatchwordError) -> Reply:
        """What the caller sees of `error`: a page or the way to sign in for people, a problem document for programs."""
        pages, request = self.pages, exchange.request
        if pages and request and is_for_people(exchange.place, exchange.raw_path, request.headers):
            try:
                return show_to_people(pages, exchange, request, error)
            except Exception as fault:  # noqa: BLE001  # a page that cannot be made must not hide the answer
                self.log.fault("http.fault", fault, request=exchange.request_id)
        return problem_reply(error, exchange.context.request_id, headers=exchange.extra)

    async def _handle(self, exchange: Exchange, scope: Scope, receive: Receive) -> Reply:
        headers = Headers(scope["headers"])
        exchange.note_their_id(headers)
        request = exchange.request = (
            Request(  # before the host, so that people at a wrong one are told on a page
                context=exchange.context,
                headers=headers,
                authorization=headers.get("authorization"),
                path_parameters={},
                query={},
            )
        )
        self.hosts.check(headers.raw(b"host"))
        exchange.place, parameters = self.table.find(exchange.raw_path.decode("latin-1"))
        if parameters:
            request = exchange.request = replace(request, path_parameters=parameters)
        route = exchange.place.find(exchange.method) if exchange.place else None
        exchange.route = route
        await self.gate.check(request, route)
        if route is None:
            raise await self._nothing_here(exchange, request)
        check_origin(exchange.method, headers, self.hosts)
        if route.page:
            self.measures.misplace(find_misplaced(route, request, scope["query_string"]))
        identity = None
        if route.auth:
            identity = await self._identifier(page=route.page)(request)
            exchange.who["account"] = self.account_of(identity)
        lease = await self.gate.reserve(request, route, exchange.who.get("account", ""))
        try:
            check_content(route, headers)
            query = read_query(route, scope["query_string"])
            return await handle(
                route, request, identity=identity, query=query, receive=receive, admission=self.admission
            )
        finally:
            self.gate.leave(lease)

    def _identifier(self, *, page: bool) -> Identify:
        """Who calls is told by the cookie on pages, and by `Authorization` everywhere else."""
        return self.pages.identify if page and self.pages is not None else self.identify

    async def _check_identity(self, exchange: Exchange, request: Request, *, page: bool) -> None:
        """Raise `UnauthenticatedError` unless somebody is signed in, whom the log then names."""
        identity = await self._identifier(page=page)(request)
        exchange.who["account"] = self.account_of(identity)

    async def _nothing_here(self, exchange: Exchange, request: Request) -> WatchwordError:
        """The error for a path or method that leads nowhere; without an identity, the same as for one that does not.

        That is 401 for all of the API, and the way to sign in for people.
        """
        place = exchange.place
        if is_for_people(place, exchange.raw_path, request.headers):
            check_origin(exchange.method, request.headers, self.hosts)  # as where a form's path is
        if place is None:
            if _is_api(exchange.raw_path):
                await self._check_identity(exchange, request, page=False)
            elif self.pages is not None and is_for_people(None, exchange.raw_path, request.headers):
                await self._check_identity(exchange, request, page=True)
            if exchange.method in _UNUSABLE_METHODS:
                exchange.extra["allow"] = ""
                return MethodNotAllowedError()
            return NotFoundError()
        if place.guarded:
            await self._check_identity(exchange, request, page=place.page)
        exchange.extra["allow"] = place.allow
        return MethodNotAllowedError()

    def _end(self, exchange: Exchange, status: int, began: float) -> None:
        """Count it, by words of our own routes, and write its line."""
        taken, place = self.clock.monotonic() - began, exchange.place
        route, method = exchange.named
        self.measures.observe(route, method, status, taken)
        tell = self.log.info if (status or _GONE) >= self._told_from(place) else self.log.debug
        tell(
            "http.request",
            method=exchange.method,
            route=place.template if place else None,
            status=status or None,
            ms=taken * 1000,
            request=exchange.request_id,
            address=exchange.context.shown_address,
            **exchange.who,
            **exchange.why,
        )

    def _told_from(self, place: Place | None) -> int:
        """The least status whose line is more than a detail."""
        return _SERVER_FAULT if place is not None and place.template in _PROBES else self.log_from


def _is_api(raw_path: bytes) -> bool:
    """Whether a path lies under the API in any spelling that some other server might fold into it."""
    return raw_path.lower().startswith(_API.encode())
