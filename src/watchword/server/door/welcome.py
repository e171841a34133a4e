"""What may be asked for in spite of a ban: the page to sign in by, and what it is made of.

A device proves itself in a header, which a script makes; so the script has to arrive before. It is the same for
everybody, and takes no credential. There is little of it for each source that is banned: a sign-in takes about eight.
"""

from typing import Final

from watchword.errors import UnavailableError
from watchword.server.addresses import network_48, source_of
from watchword.server.http.endpoint import Request, Route
from watchword.server.limits.limiter import Limiter
from watchword.server.limits.model import Bucket, Demand, Lease, Rate

EACH: Final = Rate(60, 60_000)
"""Of one source."""
_TOGETHER: Final = EACH.times(4)
"""Of all sources of one IPv6 /48."""
_NAME: Final = "welcome"


class Welcome:
    """Counted also where nothing else is limited."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    async def lets_in(self, request: Request, route: Route | None) -> bool:
        """Whether `request`, of somebody who is banned, is for a page to sign in by and not one too many."""
        if route is None or not route.past_bans:
            return False
        address = request.context.address
        buckets = [Bucket(f"{_NAME}|{source_of(address)}", EACH, _NAME)]
        if wider := network_48(address):
            buckets.append(Bucket(f"{_NAME}|{wider}", _TOGETHER, _NAME))
        try:
            return isinstance(await self._limiter.reserve(Demand(tuple(buckets))), Lease)
        except UnavailableError:
            return False
