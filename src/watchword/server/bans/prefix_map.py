"""Networks with what belongs to each, found by an address in a microsecond or two, however many they are.

For each length of prefix that any network has, one dictionary from leading bits: 33 lengths at most for IPv4, 129 for
IPv6, and commonly one to three.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

from watchword.server.bans.networks import Place, Prefix

Value = TypeVar("Value")


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
