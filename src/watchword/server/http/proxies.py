"""Whose request it is: the peer's, or, where the peer is a proxy that the operator named, that of the caller before it.

One named header is read, as a list to which each proxy appended the address that called it: `Forwarded` (RFC 7239), or
any other in the form of `X-Forwarded-For`. From its right end back, each hop is believed only if the one that told of
it is trusted; the first that is not trusted is the caller. What stands further left was sent by the caller itself and
means nothing.

Where the proxies speak the PROXY protocol (`proxy_v2`), the connection's own address is the caller's already, and no
header means anything.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Self

from watchword.server.addresses import canonical_address
from watchword.server.http.forwarded import nodes_from_right
from watchword.server.prefixes import PrefixMap, place_of, prefix_of

UNIX: Final = "unix"
"""Whoever connects to our Unix socket: its mode and group say who may."""
DEFAULT_HEADER: Final = "X-Forwarded-For"
FORWARDED: Final = b"forwarded"
MAX_HOPS: Final = 32
"""Addresses looked at, from the right: longer chains of trusted proxies do not exist."""
_MAX_HOP: Final = 64
_WITH_PORT: Final = re.compile(
    r"(?:\[([0-9a-fA-F:.]{2,45})\]|([0-9]{1,3}(?:\.[0-9]{1,3}){3}))(?::[0-9]{1,5})?"
)


@dataclass(frozen=True, slots=True)
class Caller:
    """`address` is canonical; empty for a peer of our Unix socket.

    `named` is False where it is a proxy's own, which did not tell whom it speaks for: many callers, perhaps.
    """

    address: str
    named: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """`header` in lower case; None where connections begin with the PROXY protocol. `unix`: our socket's peers are."""

    networks: PrefixMap[bool] = field(default_factory=PrefixMap)
    unix: bool = False
    header: bytes | None = DEFAULT_HEADER.lower().encode()

    @classmethod
    def of(cls, places: Iterable[str], header: str | None = DEFAULT_HEADER) -> Self:
        """For addresses, networks and "unix", as `server/config` has checked them. Raises `ValueError` for others."""
        given = tuple(places)
        networks = PrefixMap[bool]()
        for place in given:
            if place != UNIX:
                networks.put(prefix_of(place), True)
        name = header.lower().encode("ascii") if header is not None else None
        return cls(networks=networks, unix=UNIX in given, header=name)

    def trust(self, address: str) -> bool:
        """Whether `address` (canonical; empty for a peer of the Unix socket) is a proxy of ours."""
        if not address:
            return self.unix
        place = place_of(address)
        return place is not None and self.networks.holds(place)

    def introduces(self, address: str) -> bool:
        """Whether a connection from `address` must begin with the PROXY protocol."""
        return self.header is None and self.trust(address)

    def caller(self, peer: tuple[str, int] | None, headers: Iterable[tuple[bytes, bytes]]) -> Caller:
        """The caller; the nearest hop that is certain where the header does not name it.

        `peer` is the connection's other end, None on a Unix socket; names in `headers` are in lower case.
        """
        at = canonical_address(peer[0]) if peer else ""
        if not self.trust(at):
            return Caller(at, named=True)
        for hop in self._hops(headers):
            address = canonical_address(hop)
            if not address:
                break
            at = address
            if not self.trust(at):
                return Caller(at, named=True)
        return Caller(at, named=False)

    def _hops(self, headers: Iterable[tuple[bytes, bytes]]) -> Iterator[str]:
        """The last ones, nearest first. A header that stands twice is one list (RFC 9110, 5.3)."""
        values = [value for name, value in headers if name == self.header]
        if not values:
            return iter(())
        listed = b",".join(values)
        nodes = nodes_from_right(listed) if self.header == FORWARDED else _from_right(listed)
        return itertools.islice(nodes, MAX_HOPS)


NO_PROXIES: Final = Proxies()


def _from_right(listed: bytes) -> Iterator[str]:
    """Each hop of a list of addresses; empty for what is none."""
    return map(_address_of, reversed(listed.rsplit(b",", MAX_HOPS)[-MAX_HOPS:]))


def _address_of(hop: bytes) -> str:
    """Not yet canonical; empty for what cannot be an address. Some proxies append the caller's port."""
    if len(hop) > _MAX_HOP:
        return ""
    text = hop.decode("latin-1").strip(" \t")
    if "%" in text:
        return ""  # an interface of another machine
    with_port = _WITH_PORT.fullmatch(text)
    return with_port[1] or with_port[2] if with_port else text
