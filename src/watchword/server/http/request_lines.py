"""The end of each request: it is counted, by words of our own routes, and has one line in the log."""

from dataclasses import dataclass
from typing import Final

from watchword.core.clock import Clock
from watchword.server.http.exchange import Exchange
from watchword.server.http.routing import Place
from watchword.server.logs import Log
from watchword.server.measures import RequestMeasures

_GONE: Final = 499
"""Stands for the status where the caller left first."""
_SERVER_FAULT: Final = 500
_PROBES: Final = frozenset({"/health/live", "/health/ready"})
"""Asked every few seconds: while they say yes, their lines are for debugging."""

_UNNAMED: Final = {"unnamed": True}
"""The address is that of a proxy of ours, which did not tell whom it speaks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLines:
    """A request whose status is below `log_from` leaves its line at debug."""

    clock: Clock
    measures: RequestMeasures
    log: Log
    log_from: int

    def end(self, exchange: Exchange, status: int, began: float) -> None:
        """`status` is 0 where the caller left; `began` is of the monotonic clock."""
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
            **({} if exchange.context.caller_named else _UNNAMED),
            **exchange.who,
            **exchange.why,
        )

    def _told_from(self, place: Place | None) -> int:
        """The least status whose line is more than a detail."""
        return _SERVER_FAULT if place is not None and place.template in _PROBES else self.log_from
