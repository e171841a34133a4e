"""What a request takes of which buckets, and how a refusal is told."""

from collections.abc import Mapping
from typing import Final

from watchword.errors import Quota, TooManyError
from watchword.server.addresses import network_48, source_of
from watchword.server.door.classes import WIDER, class_of
from watchword.server.http.endpoint import Request, Route
from watchword.server.limits.model import (
    ASSET,
    ASSETS_FOR_EACH_READ,
    CONCURRENT,
    Bucket,
    Demand,
    Exceeded,
    Rate,
    Slots,
)

_MS: Final = 1000
_NOTHING: Final = Demand(())


class Demands:
    """`rates` by class of request; `concurrent` requests at once, of one account, of a device or of a source."""

    def __init__(self, rates: Mapping[str, Rate], concurrent: int) -> None:
        self._rates: Final = {ASSET: rates["read"].times(ASSETS_FOR_EACH_READ), **rates}
        self._wider: Final = {name: self._rates[name].times(factor) for name, factor in WIDER.items()}
        self._concurrent: Final = concurrent

    def of(self, request: Request, route: Route | None, account: str, *, exempt: bool) -> Demand:
        """Everything that `request` takes. `exempt` takes nothing for its source, only for its account."""
        name = class_of(route, known=bool(account))
        if name == "free":
            return _NOTHING
        if name == "account":
            own = Bucket(f"{name}|{account}", self._rates[name], name)
            if exempt:
                return Demand((own,))
        elif exempt:
            return _NOTHING
        else:
            own = self._of_source(name, request)
        return Demand(
            (own, *self._of_network(name, request)),
            Slots(f"{CONCURRENT}|{account or _whose(request)}", self._concurrent),
        )

    def closable(self, request: Request, route: Route | None) -> Bucket | None:
        """The bucket of the source that alone may refuse `request`, whoever sends it; None where it has none."""
        if route is not None and route.auth:
            return None
        name = class_of(route, known=False)
        return None if name == "free" else self._of_source(name, request)

    def _of_source(self, name: str, request: Request) -> Bucket:
        return Bucket(f"{name}|{_whose(request)}", self._rates[name], name)

    def _of_network(self, name: str, request: Request) -> tuple[Bucket, ...]:
        """What all sources of one IPv6 /48 share."""
        wider = network_48(request.context.address)
        if not wider or name not in self._wider or request.context.proven_device is not None:
            return ()
        return (Bucket(f"{name}|{wider}", self._wider[name], name),)


def _whose(request: Request) -> str:
    """The source; the device, where one has proven itself: its neighbours cannot keep it out."""
    device = request.context.proven_device
    return source_of(request.context.address) if device is None else str(device)


def too_many(exceeded: Exceeded) -> TooManyError:
    """How a refusal is told."""
    rate, seconds = exceeded.rate, -(-exceeded.retry_after_ms // _MS)
    if rate is None:
        return TooManyError(seconds, reason=exceeded.name)
    quota = Quota(exceeded.name, rate.burst, max(1, rate.window_ms // _MS))
    return TooManyError(seconds, reason=f"rate_{exceeded.name}", quota=quota)
