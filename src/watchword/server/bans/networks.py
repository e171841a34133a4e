"""Networks as bans name them, and as numbers: leading bits and how many there are."""

import ipaddress
import socket
from functools import lru_cache
from typing import Final, NamedTuple

from watchword.errors import MalformedError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

V4_BITS: Final = 32
V6_BITS: Final = 128
_MAPPED: Final = bytes(10) + b"\xff\xff"
_MAPPED_NETWORK: Final = ipaddress.IPv6Network("::ffff:0:0/96")
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


def parse_network(text: str) -> str:
    """The canonical form of an address or a network, IPv4-mapped IPv6 folded. Raises `MalformedError`."""
    if "%" in text:
        raise MalformedError(f"“{text}” is no address or network: leave out the interface")
    try:
        network: Network = ipaddress.ip_network(text.strip())
    except ValueError as error:
        hint = (
            "it has bits set behind its prefix"
            if "host bits" in str(error)
            else "say 192.0.2.7 or 2001:db8::/48"
        )
        raise MalformedError(f"“{text}” is no address or network: {hint}") from None
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED_NETWORK):
        value = int(network.network_address) & 0xFFFF_FFFF
        network = ipaddress.IPv4Network((value, network.prefixlen - 96))
    return _text(network)


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
        return _text(ipaddress.IPv4Network((value, prefix.length)))
    return _text(ipaddress.IPv6Network((value, prefix.length)))


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


def _text(network: Network) -> str:
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)
