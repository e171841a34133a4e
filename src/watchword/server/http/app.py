"""The one path that every HTTP request takes, as an ASGI application.

Order, and nothing may be answered out of it: host, path and method, the further door checks (bans, limits), origin,
identity, content, room in the queue, body, its decoding, handler. Identity comes before content so that without one
a path that exists and one that does not answer the same.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from watchword.core.clock import Clock
from watchword.core.entropy import Entropy
from watchword.core.ids import RequestId
from watchword.errors import (
    ErrorCode,
    MethodNotAllowedError,
    NotFoundError,
    UnavailableError,
    WatchwordError,
)
from watchword.server.context import RequestContext
from watchword.server.http.admission import Admission
from watchword.server.http.door import (
    DoorCheck,
    check_content,
    check_origin,
    printable_user_agent,
    read_query,
)
from watchword.server.http.endpoint import Identify, Request, Route
from watchword.server.http.headers import Headers
from watchword.server.http.hosts import HostPolicy
from watchword.server.http.lifecycle import Lifespan, Ready, health_routes, no_lifespan, run_lifespan
from watchword.server.http.problem import internal_reply, problem_reply
from watchword.server.http.proxies import NO_PROXIES, Proxies
from watchword.server.http.reply import Reply
from watchword.server.http.routing import Place, RouteTable
from watchword.server.http.wire import ASGIApp, ClientGoneError, Receive, Scope, Send, read_body, send_reply
from watchword.server.logs import Log
from watchword.server.measures import RequestMeasures
from watchword.server.measures.requests import OTHER
from watchword.server.traces import Tracing

_UNUSABLE_METHODS: Final = frozenset({"TRACE", "CONNECT"})
_API: Final = "/api/"
_GONE: Final = 499
"""Stands for the status where the caller left first."""
_SERVER_FAULT: Final = 500
_PROBES: Final = frozenset({"/health/live", "/health/ready"})
"""Asked every few seconds: while they say yes, their lines are for debugging."""
_THEIR_ID: Final = re.compile(rb"[0-9a-f]{16,32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""What proxies make: 16 to 32 hexadecimal digits, or a UUID. Anything else may be anything, and is not written down."""
AccountOf = Callable[[Any], str]


def _nobody(_identity: Any) -> str:
    return ""


@dataclass(slots=True)
class Exchange:
    """What is known of one request so far; for the log line at its end."""

    context: RequestContext
    request_id: str
    method: str
    place: Place | None = None
    extra: dict[str, str] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    who: dict[str, str] = field(default_factory=dict)
    """The account, once it is known, and the caller's own id of the request."""

    @property
    def named(self) -> tuple[str, str]:
        """Route and method in words of ours: `OTHER` for what we do not have."""
        place, method = self.place, self.method
        if place is None:
            return OTHER, OTHER
        return place.template, method if place.find(method) else OTHER


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
    door: Sequence[DoorCheck] = (),
    lifespan: Lifespan | None = None,
    proxies: Proxies = NO_PROXIES,
    measures: RequestMeasures | None = None,
    account_of: AccountOf = _nobody,
    log_from: int = 0,
    tracing: Tracing | None = None,
) -> ASGIApp:
    """The application that serves `routes`, `/health/live` and `/health/ready`.

    `door` are further checks, in order, for every request, known path or not. `lifespan` is entered before the first
    request and left after the last. `measures` counts what is answered.
    `account_of` names an identity in the log. A request whose status is below `log_from` leaves its line at debug.
    Raises `ValueError` for routes that contradict each other.
    """
    table = RouteTable([*routes, *health_routes(ready)])
    return App(
        table,
        hosts,
        identify,
        clock,
        entropy,
        admission,
        log,
        tuple(door),
        lifespan or no_lifespan,
        proxies,
        measures or RequestMeasures(),
        account_of,
        log_from,
        tracing,
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
    door: tuple[DoorCheck, ...]
    lifespan: Lifespan
    proxies: Proxies
    measures: RequestMeasures
    account_of: AccountOf
    log_from: int
    tracing: Tracing | None

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
        with self.tracing.request(exchange.request_id, _traceparent(scope["headers"])) as span:
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
        context = RequestContext(
            request_id=RequestId.new(now, self.entropy),
            now=now,
            address=self.proxies.caller(scope["client"], scope["headers"]),
            user_agent=printable_user_agent(scope["headers"]),
        )
        return Exchange(context, str(context.request_id), scope["method"])

    async def _answer(self, exchange: Exchange, scope: Scope, receive: Receive) -> Reply:
        """The reply, whatever happens, unless the caller is gone."""
        request_id = exchange.context.request_id
        try:
            return await self._handle(exchange, scope, receive)
        except ClientGoneError:
            raise
        except (
            asyncio.CancelledError
        ):  # only the end of the grace at shutdown does that; what was done is not known
            self.log.warning("http.cancelled", request=exchange.request_id)
            return internal_reply(request_id)
        except WatchwordError as error:
            reply = problem_reply(error, request_id, headers=exchange.extra)
            exchange.why = _why(error)
            self.measures.error(error.code)
            if reply.status == _SERVER_FAULT:  # a fault of ours: where it came from is worth a line
                self.log.fault("http.fault", error, request=exchange.request_id)
            return reply
        except Exception as error:  # noqa: BLE001  # the last line: one bad request must not show or end anything
            self.log.fault("http.fault", error, request=exchange.request_id)
            self.measures.error(ErrorCode.INTERNAL)
            return internal_reply(request_id)

    async def _handle(self, exchange: Exchange, scope: Scope, receive: Receive) -> Reply:
        headers = Headers(scope["headers"])
        theirs = headers.raw(b"x-request-id")
        if theirs is not None and _THEIR_ID.fullmatch(theirs):
            exchange.who["caller_request"] = theirs.decode("ascii")
        self.hosts.check(headers.raw(b"host"))
        exchange.place, parameters = self.table.find(scope["raw_path"].decode("latin-1"))
        route = exchange.place.find(exchange.method) if exchange.place else None
        request = Request(
            context=exchange.context,
            headers=headers,
            authorization=headers.get("authorization"),
            path_parameters=parameters,
            query={},
        )
        for check in self.door:
            await check(request, route)
        if route is None:
            raise await self._nothing_here(exchange, request, scope)
        check_origin(exchange.method, headers, self.hosts)
        identity = await self.identify(request) if route.auth else None
        if identity is not None:
            exchange.who["account"] = self.account_of(identity)
        check_content(route, headers)
        query = read_query(route, scope["query_string"])
        return await self._run(route, request, identity, query, receive)

    async def _nothing_here(self, exchange: Exchange, request: Request, scope: Scope) -> WatchwordError:
        """The error for a path or method that leads nowhere; the same 401 for all of the API without an identity."""
        place = exchange.place
        if place is None:
            if exchange.method in _UNUSABLE_METHODS:
                exchange.extra["allow"] = ""
                return MethodNotAllowedError()
            if _is_api(scope["raw_path"]):
                await self.identify(request)
            return NotFoundError()
        if place.guarded:
            await self.identify(request)
        exchange.extra["allow"] = place.allow
        return MethodNotAllowedError()

    async def _run(
        self, route: Route, request: Request, identity: Any, query: Mapping[str, str], receive: Receive
    ) -> Reply:
        if not route.costly:
            body = route.decode(await read_body(receive, route.max_body)) if route.body else None
            return await route.handler(_complete(request, identity, query, body))
        self.admission.check()
        # The body first, the place in the queue after it: a slow sender must not hold one.
        data = await read_body(receive, route.max_body) if route.body else b""
        return await self.admission.run(_decode_and_handle(route, request, identity, query, data))

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
            address=exchange.context.address,
            **exchange.who,
            **exchange.why,
        )

    def _told_from(self, place: Place | None) -> int:
        """The least status whose line is more than a detail."""
        return _SERVER_FAULT if place is not None and place.template in _PROBES else self.log_from


async def _decode_and_handle(
    route: Route, request: Request, identity: Any, query: Mapping[str, str], data: bytes
) -> Reply:
    return await route.handler(_complete(request, identity, query, route.decode(data)))


def _complete(request: Request, identity: Any, query: Mapping[str, str], body: Any) -> Request:
    return Request(
        context=request.context,
        headers=request.headers,
        authorization=request.authorization,
        path_parameters=request.path_parameters,
        body=body,
        identity=identity,
        query=query,
    )


def _traceparent(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The caller's own, if there is exactly one."""
    found = [value for name, value in headers if name == b"traceparent"]
    return found[0] if len(found) == 1 else None


def _is_api(raw_path: bytes) -> bool:
    """Whether a path lies under the API in any spelling that some other server might fold into it."""
    return raw_path.lower().startswith(_API.encode())


def _why(error: WatchwordError) -> dict[str, str]:
    """What our log says of an error: its code, and the reason that the peer is not told. Never a decoder's text."""
    why = {"code": error.code.value}
    reason = getattr(error, "reason", "")
    if not reason and isinstance(error, UnavailableError):
        reason = error.detail
    return {**why, "reason": reason} if reason else why
