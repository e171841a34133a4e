"""Addresses and networks as numbers; what belongs to networks is found in microseconds, however many they are.

For each length of prefix that any network has, one dictionary from leading bits: 33 lengths at most for IPv4, 129 for
IPv6, and commonly one to three.
"""

import ipaddress
import socket
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Generic, NamedTuple, TypeVar

V4_BITS: Final = 32
V6_BITS: Final = 128
_MAPPED: Final = bytes(10) + b"\xff\xff"
Value = TypeVar("Value")


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


class PrefixMap(Generic[Value]):
    def __init__(self) -> None:
        self._levels: dict[int, dict[int, dict[int, Value]]] = {}
        self._shifts: dict[int, tuple[tuple[int, dict[int, Value]], ...]] = {}

    def put(self, prefix: Prefix, value: Value) -> None:
        lengths = self._levels.setdefault(prefix.bits, {})
        if prefix.length not in lengths:
            lengths[prefix.length] = {}
            self._index(prefix.bits)
        lengths[prefix.length][prefix.value] = value

    def remove(self, prefix: Prefix) -> None:
        """Raises `KeyError` where it is not."""
        lengths = self._levels[prefix.bits]
        del lengths[prefix.length][prefix.value]
        if not lengths[prefix.length]:
            del lengths[prefix.length]
            self._index(prefix.bits)

    def around(self, place: Place) -> list[Value]:
        """Those of all networks that hold `place`."""
        found = []
        for shift, level in self._shifts.get(place.bits, ()):
            value = level.get(place.value >> shift)
            if value is not None:
                found.append(value)
        return found

    def holds(self, place: Place) -> bool:
        """Whether any network holds `place`."""
        return any(place.value >> shift in level for shift, level in self._shifts.get(place.bits, ()))

    def covers(self, prefix: Prefix) -> bool:
        """Whether one network holds all of `prefix`."""
        return any(
            length <= prefix.length and prefix.to(length).value in level
            for length, level in self._levels.get(prefix.bits, {}).items()
        )

    def within(self, outer: Prefix) -> list[Value]:
        """Those of `outer` and of all networks in it."""
        lengths = self._levels.get(outer.bits, {}).items()
        return [
            value
            for length, level in lengths
            if length >= outer.length
            for value in _within(level, outer.value, length - outer.length)
        ]

    def _index(self, bits: int) -> None:
        self._shifts[bits] = tuple((bits - length, level) for length, level in self._levels[bits].items())


def _within(level: dict[int, Value], outer: int, more: int) -> Iterator[Value]:
    """Those whose leading bits begin with `outer`, and have `more` bits more: by whatever is fewer steps."""
    if more < len(level).bit_length():
        first = outer << more
        return (level[value] for value in range(first, first + (1 << more)) if value in level)
    return (value for bits, value in level.items() if bits >> more == outer)
