"""Networks as bans and operators name them."""

import ipaddress
from typing import Final

from watchword.server.addresses import network_text
from watchword.server.prefixes import V4_BITS, Prefix, place_of, prefix_of

_V4_SIZE: Final = 4
_WIDE: Final = {4: 8, 6: 32}
"""Shorter prefixes than these are a good part of the internet."""


def text_of(prefix: Prefix) -> str:
    """The canonical network."""
    value = prefix.value << prefix.shift
    if prefix.bits == V4_BITS:
        return network_text(ipaddress.IPv4Network((value, prefix.length)))
    return network_text(ipaddress.IPv6Network((value, prefix.length)))


def first_address(network: str) -> str:
    """The address that a canonical network begins with."""
    return network.partition("/")[0]


def dangers(network: str, own: str = "") -> list[str]:
    """Why banning this canonical network may be a mistake. `own`: the address that its operator came from, or ""."""
    parsed, prefix = ipaddress.ip_network(network), prefix_of(network)
    if not prefix.length:
        return [f"{network} is everybody"]
    found: list[str] = []
    if prefix.length < _WIDE[parsed.version]:
        found.append(f"{network} is a good part of the internet")
    loopback = ipaddress.ip_network("127.0.0.0/8" if parsed.version == _V4_SIZE else "::1/128")
    if parsed.overlaps(loopback):
        found.append(f"{network} holds this machine itself")
    place = place_of(own)
    if place is not None and prefix.holds(place):
        found.append(f"{network} holds your own address {own}")
    return found
