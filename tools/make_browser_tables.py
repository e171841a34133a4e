"""Write the Unicode tables of the pages: `python -m tools.make_browser_tables`, into `web/src/protocol/tables/`.

A browser has a Unicode of its own, newer or older than ours. What is allowed in a password or a name is therefore not
asked of it: the answers of the PRECIS library, under the Unicode of the oldest Python that we run on, are written down.
What no code point that is allowed can change ("don't care") is left to whatever makes the table shorter.
"""

import unicodedata
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

from precis_i18n.derived import derived_property
from precis_i18n.unicode import UnicodeData

from watchword.protocol.names.reserved import RESERVED_NAMES
from watchword.protocol.names.skeleton import make_skeleton
from watchword.protocol.names.tables import _ANY, _script_table

UNICODE: Final = "14.0.0"
"""Of Python 3.11. A later interpreter writes other tables, which would allow what an earlier one refuses."""
TARGET: Final = Path(__file__).parents[1] / "web/src/protocol/tables"
_LAST: Final = 0x110000
_NEVER_ALLOWED: Final = frozenset({"Cn", "Co", "Cs"})
"""Unassigned, private, surrogates: most of all code points, which are not looked at one by one."""
_UCD: Final = UnicodeData()
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_WIDTH: Final = 108
_VIRAMA: Final = 9
_DOT_ABOVE: Final = "\u0307"
"""Cannot be seen above an i or j, so that what looks like one matters too."""


def points_with(*properties: str) -> list[int]:
    return [point for point, found in PROPERTIES.items() if found in properties]


PROPERTIES: Final = {
    point: str(derived_property(point, _UCD)[0])
    for point in range(_LAST)
    if unicodedata.category(chr(point)) not in _NEVER_ALLOWED
}
IDENTIFIER: Final = frozenset(points_with("PVALID"))
FREEFORM: Final = frozenset(points_with("PVALID", "FREE_PVAL"))
IN_NAMES: Final = points_with("PVALID", "CONTEXTJ", "CONTEXTO")
IN_PASSWORDS: Final = points_with("PVALID", "FREE_PVAL", "CONTEXTJ", "CONTEXTO")


def base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if not number:
            return digits


def lengths(members: Callable[[int], bool]) -> str:
    """Lengths of the runs that are out, in, out, … of what passwords may hold.

    What they may not hold lengthens the run that it stands in.
    """
    edges = [0]
    for point in IN_PASSWORDS:
        if members(point) is (len(edges) % 2 == 1):
            edges.append(point)
    return " ".join(base36(end - start) for start, end in pairwise(edges))


def exact_lengths(points: frozenset[int]) -> str:
    """Likewise, of a set and of all there is besides."""
    edges = [
        0,
        *(point for point in sorted(points | {each + 1 for each in points}) if is_edge(point, points)),
    ]
    return " ".join(base36(end - start) for start, end in pairwise(edges))


def is_edge(point: int, points: frozenset[int]) -> bool:
    return (point in points) is not (point - 1 in points)


def classes(class_of: Callable[[int], str]) -> tuple[list[str], str]:
    """The classes of what names may hold, and where each begins: `distance:number` from the one before."""
    names, begins = list[str](), list[tuple[int, int]]()
    for point in IN_NAMES:
        name = class_of(point)
        if name not in names:
            names.append(name)
        if not begins or begins[-1][1] != names.index(name):
            begins.append((point, names.index(name)))
    distances = [point - before for before, point in pairwise([0, *(point for point, _ in begins)])]
    numbers = [number for _, number in begins]
    return names, " ".join(f"{base36(d)}:{base36(n)}" for d, n in zip(distances, numbers, strict=True))


def joins(kind: str) -> Callable[[int], bool]:
    """Members of a joining type, as the library's own rule of context reads it."""
    return lambda point: getattr(_UCD, "_join_type")(point) == kind  # noqa: B009  # hidden from the types


def opaque_tables() -> Iterator[str]:
    """What a password may hold (RFC 8264, FreeformClass), and what the rules of context look at."""
    yield constant("FREEFORM", exact_lengths(FREEFORM))
    yield constant("VIRAMA", lengths(lambda p: unicodedata.combining(chr(p)) == _VIRAMA))
    for name, kind in (("LEFT", "L"), ("RIGHT", "R"), ("DUAL", "D"), ("TRANSPARENT", "T")):
        yield constant(f"JOINS_{name}", lengths(joins(kind)))
    yield constant("GREEK", lengths(_UCD.greek_script))
    yield constant("HEBREW", lengths(_UCD.hebrew_script))
    yield constant("KANA_OR_HAN", lengths(_UCD.hiragana_katakana_han_script))


def folding_tables() -> Iterator[str]:
    """Where the full case folding is not the small letter: `first:count:difference`, or `point=points`."""
    singles, others = {}, []
    for point in IN_PASSWORDS:
        folded = chr(point).casefold()
        if folded == chr(point).lower():
            continue
        if len(folded) == 1:
            singles[point] = ord(folded) - point
        else:
            others.append(f"{base36(point)}={'_'.join(base36(ord(each)) for each in folded)}")
    yield constant("SHIFTED", " ".join(shifts(singles)))
    yield constant("EXPANDED", " ".join(others))


def shifts(singles: dict[int, int]) -> Iterator[str]:
    points = sorted(singles)
    while points:
        first = points[0]
        count = next(
            n
            for n in range(1, len(points) + 1)
            if singles.get(first + n) != singles[first] or points[n : n + 1] != [first + n]
        )
        sign, size = ("-" if singles[first] < 0 else ""), abs(singles[first])
        yield f"{base36(first)}:{base36(count)}:{sign}{base36(size)}"
        points = points[count:]


def scripts_of(point: int) -> str:
    found = _script_table().scripts_of(chr(point))
    return "" if found & _ANY else " ".join(sorted(found))


def name_tables() -> Iterator[str]:
    """What a user name may hold (IdentifierClass), how it is written, and what looks like a reserved name."""
    yield constant("IDENTIFIER", exact_lengths(IDENTIFIER))
    for name, class_of in (("BIDI", lambda p: unicodedata.bidirectional(chr(p))), ("SCRIPT", scripts_of)):
        names, runs = classes(class_of)
        yield constant(f"{name}_NAMES", ",".join(names))
        yield constant(f"{name}_RUNS", runs)
    zeros = sorted({p - unicodedata.decimal(chr(p)) for p in IDENTIFIER if chr(p).isdecimal()})
    yield constant("ZEROS", " ".join(map(base36, zeros)))
    yield constant("RESERVED", " ".join(sorted(RESERVED_NAMES)))
    skeletons = {make_skeleton(each) for name in RESERVED_NAMES for each in (name, name.upper())}
    yield constant("RESERVED_SKELETONS", " ".join(sorted(skeletons)))
    letters = frozenset("".join(skeletons)) | {_DOT_ABOVE}
    yield constant("LOOKS_LIKE", " ".join(looks(letters)))


def looks(letters: frozenset[str]) -> Iterator[str]:
    """`point=text` for what looks like letters of reserved names; no other code point looks like any."""
    for point in IN_NAMES:
        skeleton = make_skeleton(chr(point))
        if skeleton != chr(point) and letters.issuperset(skeleton):
            yield f"{base36(point)}={skeleton}"


def constant(name: str, value: str) -> str:
    if len(value) <= _WIDTH:
        return f"export const {name} = {value!r};".replace("'", '"')
    return f"export const {name} = `\n{wrapped(value)}`;"


def wrapped(value: str) -> str:
    lines = [""]
    for word in value.split(" "):
        if len(lines[-1]) + len(word) >= _WIDTH:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return "\n".join(lines)


TABLES: Final = {
    "opaque.ts": opaque_tables,
    "folding.ts": folding_tables,
    "names.ts": name_tables,
}


def table(name: str) -> str:
    """The whole text of one file."""
    about = (TABLES[name].__doc__ or "").strip()
    head = f"// Made by tools/make_browser_tables.py from Unicode {UNICODE} (unicode.org/license.txt). Do not edit.\n"
    return f"{head}\n/** {about} */\n\n" + "\n".join(TABLES[name]()) + "\n"


def main() -> None:
    if unicodedata.unidata_version != UNICODE:
        raise SystemExit(f"this Python has Unicode {unicodedata.unidata_version}, and {UNICODE} is needed")
    TARGET.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        (TARGET / name).write_text(table(name), encoding="utf-8")


if __name__ == "__main__":
    main()
