"""The one application that answers every HTTP request, as ASGI: it begins and ends them, and shows what went wrong.

The way in between is `steps.Steps`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from watchword.core.clock import Clock
from watchword.core.entropy import Entropy
from watchword.core.ids import RequestId
from watchword.errors import BANNED, ErrorCode, TooManyError, WatchwordError
from watchword.server.addresses import WHOLE, AddressForm, canonical_address
from watchword.server.context import RequestContext
from watchword.server.http.admission import Admission
from watchword.server.http.door import printable_user_agent
from watchword.server.http.endpoint import Identify, Route
from watchword.server.http.exchange import Exchange, traceparent_of, why_of
from watchword.server.http.gate import OPEN, Gate
from watchword.server.http.hosts import HostPolicy
from watchword.server.http.lifecycle import Lifespan, Ready, health_routes, no_lifespan, run_lifespan
from watchword.server.http.page_edge import PageEdge, is_for_people, show_to_people
from watchword.server.http.problem import internal_reply, problem_reply
from watchword.server.http.proxies import NO_PROXIES, Proxies
from watchword.server.http.reply import Reply
from watchword.server.http.request_lines import RequestLines
from watchword.server.http.routing import RouteTable
from watchword.server.http.steps import AccountOf, Steps
from watchword.server.http.wire import ASGIApp, ClientGoneError, Receive, Scope, Send, send_reply
from watchword.server.logs import Log
from watchword.server.measures import RequestMeasures
from watchword.server.traces import Tracing

_ERRORS: Final = 400
"""From here on a status says that something is wrong."""
_SERVER_FAULT: Final = 500


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
    counts = measures or RequestMeasures()
    steps = Steps(
        table=RouteTable([*routes, *health_routes(ready)]),
        gate=gate,
        hosts=hosts,
        identify=identify,
        account_of=account_of,
        admission=admission,
        measures=counts,
        pages=pages,
    )
    return App(
        steps=steps,
        lines=RequestLines(clock=clock, measures=counts, log=log, log_from=log_from),
        clock=clock,
        entropy=entropy,
        log=log,
        lifespan=lifespan or no_lifespan,
        proxies=proxies,
        tracing=tracing,
        addresses=addresses,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """See `build_app`."""

    steps: Steps
    lines: RequestLines
    clock: Clock
    entropy: Entropy
    log: Log
    lifespan: Lifespan
    proxies: Proxies
    tracing: Tracing | None
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
            self.lines.end(exchange, 0, began)
            return 0
        secure = self.steps.hosts.transport_security
        await send_reply(scope, send, reply, exchange.request_id, transport_security=secure)
        self.lines.end(exchange, reply.status, began)
        return reply.status

    def _begin(self, scope: Scope) -> Exchange:
        self.lines.measures.begun += 1
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
            reply = await self.steps.take(exchange, scope, receive)
        except ClientGoneError:
            raise
        except asyncio.CancelledError:
            # Only the end of the grace at shutdown does that; what was done is not known.
            self.log.warning("http.cancelled", request=exchange.request_id)
            return internal_reply(request_id)
        except WatchwordError as error:
            self._note(exchange, error)
            reply = await self._show(exchange, error)
            if reply.status >= _ERRORS:  # nobody has erred who is sent to sign in
                self.lines.measures.error(error.code)
            if reply.status == _SERVER_FAULT:  # a fault of ours: where it came from is worth a line
                self.log.fault("http.fault", error, request=exchange.request_id)
            return replace(reply, parting=True) if _parts_with(exchange, error, scope) else reply
        except Exception as error:  # noqa: BLE001  # the last line: one bad request must not show or end anything
            self.log.fault("http.fault", error, request=exchange.request_id)
            self.lines.measures.error(ErrorCode.INTERNAL)
            return await self._show(exchange, WatchwordError())
        if reply.error is not None:
            self._note(exchange, reply.error)
        return reply

    def _note(self, exchange: Exchange, error: WatchwordError) -> None:
        """For the log line, and for the gate."""
        exchange.why = why_of(error)
        if exchange.request is not None:
            account = exchange.who.get("account", "")
            self.steps.gate.failed(exchange.request, exchange.route, error, account)

    async def _show(self, exchange: Exchange, error: WatchwordError) -> Reply:
        """What the caller sees of `error`: a page or the way to sign in for people, a problem document for programs."""
        pages, request = self.steps.pages, exchange.request
        if pages and request and is_for_people(exchange.place, exchange.raw_path, request.headers):
            try:
                return await show_to_people(pages, exchange, request, error)
            except Exception as fault:  # noqa: BLE001  # a page that cannot be made must not hide the answer
                self.log.fault("http.fault", fault, request=exchange.request_id)
        return problem_reply(error, exchange.context.request_id, headers=exchange.extra)


def _parts_with(exchange: Exchange, error: WatchwordError, scope: Scope) -> bool:
    """Whether the connection ends with the answer to `error`: its caller is banned, or its headers are none.

    Never one that a proxy brings others' requests by, except after headers that two readers might read as two requests.
    """
    if exchange.unreadable:
        return True
    peer = scope["client"]
    direct = peer is not None and canonical_address(peer[0]) == exchange.context.address
    return direct and isinstance(error, TooManyError) and error.reason == BANNED
