"""Which limit a request falls under."""

from typing import Final

from watchword.server.http.endpoint import Limit, Route

WIDER: Final = {"read": 8, "asset": 8, "account": 8, "sign_in": 4, "register": 4, "other": 4}
"""By class: so many times the rate of one source is what all sources of one IPv6 /48 have together."""


def class_of(route: Route | None, *, known: bool) -> Limit:
    """The class of a request for `route`; `known`: it is certain whose account asks.

    A route may say its class itself. Else whatever a known account asks for counts for that account, what anybody may
    read is `read`, and all that is left is `other`: unknown paths, bad identities.
    """
    if route is not None and route.limit is not None:
        return route.limit
    if known:
        return "account"
    if route is None or route.auth or route.method != "GET":
        return "other"
    return "read"
