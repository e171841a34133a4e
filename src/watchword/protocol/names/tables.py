"""The Unicode tables of names: scripts and confusables, read once, at first use.

`data/name_tables.txt` is made by `tools/make_name_tables.py`. A line is `set SCRIPT…`, `range FIRST LAST SET`
(code points in hexadecimal, the number of a set) or `like SOURCE TARGET…`.
"""

import functools
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_SOURCE: Final = Path(__file__).parent.parent / "data/name_tables.txt"
_ANY: Final = frozenset({"Zyyy", "Zinh"})
"""Common and Inherited: at home in every script."""
_AUGMENTED: Final = {
    "Hani": frozenset({"Hanb", "Jpan", "Kore"}),
    "Hira": frozenset({"Jpan"}),
    "Kana": frozenset({"Jpan"}),
    "Hang": frozenset({"Kore"}),
    "Bopo": frozenset({"Hanb"}),
}
"""UTS 39, section 5.1: the writing systems that use several scripts at once."""


def _lines(kind: str) -> Iterator[list[str]]:
    with _SOURCE.open(encoding="ascii") as table:
        for line in table:
            fields = line.split()
            if fields[0] == kind:
                yield fields[1:]


def _augment(scripts: list[str]) -> frozenset[str]:
    return frozenset(scripts).union(*(_AUGMENTED.get(script, ()) for script in scripts))


class ScriptTable:
    """Code point to its augmented set of scripts; some 25 KiB."""

    __slots__ = ("_firsts", "_lasts", "_numbers", "_sets")

    def __init__(self) -> None:
        self._sets = [_augment(fields) for fields in _lines("set")]
        self._firsts, self._lasts, self._numbers = array("I"), array("I"), array("H")
        for first, last, number in _lines("range"):
            self._firsts.append(int(first, 16))
            self._lasts.append(int(last, 16))
            self._numbers.append(int(number))

    def scripts_of(self, character: str) -> frozenset[str]:
        """Empty for a code point that the table does not know."""
        point = ord(character)
        place = bisect_right(self._firsts, point) - 1
        if place < 0 or point > self._lasts[place]:
            return frozenset()
        return self._sets[self._numbers[place]]


@functools.cache
def _script_table() -> ScriptTable:
    return ScriptTable()


def is_single_script(text: str) -> bool:
    """UTS 39, section 5.1: the intersection of the augmented script sets is not empty."""
    common: frozenset[str] | None = None
    table = _script_table()
    for character in set(text):
        scripts = table.scripts_of(character)
        if scripts & _ANY:
            continue
        common = scripts if common is None else common & scripts
    return common is None or bool(common)


@functools.cache
def prototypes() -> dict[int, str]:
    """Code point to the string it looks like, for `str.translate`; some 3,600 entries."""
    return {int(source, 16): "".join(chr(int(t, 16)) for t in target) for source, *target in _lines("like")}
