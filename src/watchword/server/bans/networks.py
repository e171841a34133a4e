"""Networks as bans name them, and as numbers: leading bits and how many there are."""

import ipaddress
import socket
from functools import lru_cache
from typing import Final, NamedTuple

from watchword.server.addresses import network_text

V4_BITS: Final = 32
V6_BITS: Final = 128
_MAPPED: Final = bytes(10) + b"\xff\xff"
_V4_SIZE: Final = 4
_WIDE: Final = {4: 8, 6: 32}
"""Shorter prefixes than these are a good part of the internet."""


class Place(NamedTuple):
    """An address as a number. `bits` is 32 or 128."""

    bits: int
    value: int


class Prefix(NamedTuple):
    """The `length` leading bits that the addresses of a network share."""

    bits: int
    length: int
    value: int

    @property
    def shift(self) -> int:
        return self.bits - self.length

    def holds(self, place: Place) -> bool:
        return place.bits == self.bits and place.value >> self.shift == self.value

    def to(self, length: int) -> "Prefix":
        """The network of `length` leading bits (at most as many as these) that this one is in."""
        return Prefix(self.bits, length, self.value >> (self.length - length))


def place_of(address: str) -> Place | None:
    """None for what is no address. Done for each request: no objects but this one."""
    try:
        packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    except (OSError, ValueError):
        return None
    packed = packed.removeprefix(_MAPPED)
    return Place(len(packed) * 8, int.from_bytes(packed, "big"))


@lru_cache(maxsize=4096)
def prefix_of(network: str) -> Prefix:
    """Of a canonical network."""
    parsed = ipaddress.ip_network(network)
    bits = parsed.max_prefixlen
    return Prefix(bits, parsed.prefixlen, int(parsed.network_address) >> (bits - parsed.prefixlen))


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
