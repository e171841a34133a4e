"""Whose request it is: the peer's, or, where the peer is a proxy that the operator named, that of the caller before it.

One named header is read, as a list to which each proxy appended the address that called it (`X-Forwarded-For`). From
its right end back, each hop is believed only if the one that told of it is trusted; the first that is not trusted is
the caller. What stands further left was sent by the caller itself and means nothing.

Other forms (`Forwarded` of RFC 7239, the PROXY protocol) would replace `_hops` and nothing else.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

from watchword.server.addresses import canonical_address

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNIX: Final = "unix"
"""Whoever connects to our Unix socket: its mode and group say who may."""
DEFAULT_HEADER: Final = "X-Forwarded-For"
MAX_HOPS: Final = 32
"""Addresses looked at, from the right: longer chains of trusted proxies do not exist."""
_MAX_HOP: Final = 64
_WITH_PORT: Final = re.compile(
    r"(?:\[([0-9a-fA-F:.]{2,45})\]|([0-9]{1,3}(?:\.[0-9]{1,3}){3}))(?::[0-9]{1,5})?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """`header` in lower case. `unix`: the peers of our Unix socket are proxies."""

    networks: tuple[Network, ...] = ()
    unix: bool = False
    header: bytes = DEFAULT_HEADER.lower().encode()

    @classmethod
    def of(cls, places: Iterable[str], header: str = DEFAULT_HEADER) -> Self:
        """For addresses, networks and "unix", as `server/config` has checked them. Raises `ValueError` for others."""
        given = tuple(places)
        networks = tuple(ipaddress.ip_network(place) for place in given if place != UNIX)
        return cls(networks=networks, unix=UNIX in given, header=header.lower().encode("ascii"))

    def trust(self, address: str) -> bool:
        """Whether `address` (canonical; empty for a peer of the Unix socket) is a proxy of ours."""
        if not address:
            return self.unix
        return bool(self.networks) and _within(self.networks, address)

    def caller(self, peer: tuple[str, int] | None, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """The caller's canonical address; the nearest one that is certain where the header does not name it.

        `peer` is the connection's other end, None on a Unix socket; names in `headers` are in lower case.
        """
        at = canonical_address(peer[0]) if peer else ""
        if not self.trust(at):
            return at
        for hop in self._hops(headers):
            address = _address_of(hop)
            if not address:
                return at
            at = address
            if not self.trust(at):
                return at
        return at

    def _hops(self, headers: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
        """The last ones, nearest first. A header that stands twice is one list (RFC 9110, 5.3)."""
        values = [value for name, value in headers if name == self.header]
        if not values:
            return []
        return list(reversed(b",".join(values).rsplit(b",", MAX_HOPS)[-MAX_HOPS:]))


NO_PROXIES: Final = Proxies()


@lru_cache(maxsize=4096)
def _within(networks: tuple[Network, ...], address: str) -> bool:
    found = ipaddress.ip_address(address)
    return any(found in network for network in networks)


def _address_of(hop: bytes) -> str:
    """Canonical; empty for what is no address. Some proxies append the port that the caller came from."""
    if len(hop) > _MAX_HOP:
        return ""
    text = hop.decode("latin-1").strip(" \t")
    if "%" in text:
        return ""  # an interface of another machine
    with_port = _WITH_PORT.fullmatch(text)
    return canonical_address(with_port[1] or with_port[2] if with_port else text)
