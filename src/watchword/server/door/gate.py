"""The gate: every request asks it to come in, and is told the same whatever refuses it.

check ──(banned, or its source is over a limit)──▶ proof of a session or device? ──no──▶ 429
  │                                                          │ yes
  ▼                                                          ▼
identity ──▶ reserve: all buckets and a place among the concurrent ones ──no──▶ 429
"""

from typing import Final

from watchword.core.clock import Clock
from watchword.core.ids import DeviceId
from watchword.errors import BANNED, RefusedError, TooManyError, WatchwordError
from watchword.server.bans.model import Offence, OffenceKind
from watchword.server.bans.service import Bans
from watchword.server.door.demands import Demands, too_many
from watchword.server.door.offences import offence_by, offence_of
from watchword.server.door.passes import Passes
from watchword.server.door.welcome import Welcome
from watchword.server.http.endpoint import Request, Route
from watchword.server.http.trickle import Knocks
from watchword.server.limits.limiter import Limiter
from watchword.server.limits.model import Exceeded, Lease
from watchword.server.logs import get_log
from watchword.server.measures.door import DoorMeasures

_SAY_EVERY_S: Final = 60.0
_OF_PROXIES: Final = (b"x-forwarded-for", b"forwarded", b"x-real-ip")
"""Headers in which proxies name their callers."""
_log: Final = get_log("door")


class TheGate:
    """See `http/gate.Gate`. Without `demands` nothing is limited. `has_proxies`: the operator has named some."""

    def __init__(
        self,
        *,
        bans: Bans,
        limiter: Limiter,
        demands: Demands | None,
        passes: Passes,
        clock: Clock,
        measures: DoorMeasures,
        has_proxies: bool,
    ) -> None:
        self._bans = bans
        self._limiter = limiter
        self._demands = demands
        self._passes = passes
        self._clock = clock
        self._measures = measures
        self._welcome = Welcome(limiter)
        self._has_proxies = has_proxies
        self._knocks = Knocks()
        self._said_at = float("-inf")

    async def check(self, request: Request, route: Route | None) -> DeviceId | None:
        if not request.context.caller_named:
            self._tell_of_proxy("proxy.caller_missing", request)
        elif self._is_unconfigured(request):
            self._tell_of_proxy("proxy.not_configured", request)
        refusal = self._refusal(request, route)
        if refusal is None:
            return None
        if refusal.reason == BANNED and await self._welcome.lets_in(request, route):
            return None
        if not self._may_knock(request, route):
            raise refusal
        try:
            device = await self._passes.device(request, route)
            if device is not None:
                return device
            if refusal.reason == BANNED and await self._passes.has_session(request, route):
                return None
        except WatchwordError as error:
            self._count_bad_proof(request, error)
        raise refusal

    async def prove(self, request: Request, route: Route | None) -> DeviceId | None:
        if request.context.proven_device is not None or not self._may_knock(request, route):
            return None
        try:
            return await self._passes.device(request, route)
        except WatchwordError as error:
            self._count_bad_proof(request, error)
            return None

    def _may_knock(self, request: Request, route: Route | None) -> bool:
        """Whether a proof is looked at: a few in a second of each source, for each costs a read or a signature."""
        offers = self._passes.offers(request, route)
        return offers and self._knocks.take(request.context.address, self._clock.monotonic())

    def _refusal(self, request: Request, route: Route | None) -> TooManyError | None:
        """What refuses `request` unless it proves something; looked up in memory alone."""
        ban = self._bans.find(request.context.address)
        if ban is not None:
            return TooManyError(ban.ends_in_s(), reason=BANNED, lasting=ban.ban.is_for_ever)
        if self._demands is None or self._is_exempt(request):
            return None
        bucket = self._demands.closable(request, route)
        closed_ms = self._limiter.closed_ms(bucket.key) if bucket is not None else 0
        return too_many(Exceeded(bucket.name, bucket.rate, closed_ms)) if bucket and closed_ms else None

    async def reserve(self, request: Request, route: Route | None, account: str) -> Lease | None:
        if self._demands is None:
            return None
        demand = self._demands.of(request, route, account, exempt=self._is_exempt(request))
        if not demand.buckets:
            return None
        found = await self._limiter.reserve(demand)
        if isinstance(found, Exceeded):
            raise too_many(found)
        return found

    def leave(self, lease: Lease | None) -> None:
        if lease is not None:
            self._limiter.release(lease)

    def failed(self, request: Request, route: Route | None, error: WatchwordError, account: str) -> None:
        try:
            if isinstance(error, TooManyError):
                self._measures.refuse(error.reason)
            kind = offence_of(request, route, error, account)
            if kind is not None:
                name = error.tried if isinstance(error, RefusedError) else ""
                self._bans.offend(_offence(kind, request, name))
        except Exception as fault:  # noqa: BLE001  # what it is told of is being answered
            _log.fault("door.not_counted", fault, request=str(request.context.request_id))

    def _count_bad_proof(self, request: Request, error: WatchwordError) -> None:
        """A proof that is forged prolongs the ban; one that has only ended does not."""
        kind = offence_by(getattr(error, "reason", ""))
        if kind is not None:
            self._bans.offend(_offence(kind, request))

    def _is_exempt(self, request: Request) -> bool:
        """From limits. A proxy's own address stands for callers that it did not name: it is exempt from nothing."""
        if not request.context.caller_named or self._is_unconfigured(request):
            return False
        return self._bans.is_exempt(request.context.address)

    def _is_unconfigured(self, request: Request) -> bool:
        """Whether a proxy that the operator did not name brings it: else strangers would be what this machine may."""
        if self._has_proxies or not any(request.headers.raw(name) is not None for name in _OF_PROXIES):
            return False
        return self._bans.is_exempt(request.context.address)

    def _tell_of_proxy(self, event: str, request: Request) -> None:
        now = self._clock.monotonic()
        if now - self._said_at >= _SAY_EVERY_S:
            self._said_at = now
            _log.warning(event, address=request.context.shown_address)


def _offence(kind: OffenceKind, request: Request, name: str = "") -> Offence:
    return Offence(kind, request.context.address, name, str(request.context.request_id))
