"""Make `src/watchword/protocol/data/name_tables.txt`: scripts and confusables, small enough to keep loaded.

Sources: `tools/data/unicode/`, with their licences. `confusables.json` keeps each line of confusables.txt
in both directions; the prototype is the end that comes second in its key order, or the end that several
others point to.

Run `python tools/make_name_tables.py`; the same sources give the same bytes, and a test compares them.
"""

import json
import lzma
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
TARGET: Final = HERE.parent / "src/watchword/protocol/data/name_tables.txt"
LEFT_TO_RIGHT_MARK: Final = "\u200e"  # confusables.txt wraps right-to-left examples in it
_LINE: Final = re.compile(r"([0-9A-F]+)(?:\.\.([0-9A-F]+))?\s*;\s*([A-Za-z_ ]+?)\s*#")


def read_file(name: str) -> str:
    return lzma.decompress((HERE / "data/unicode" / f"{name}.xz").read_bytes()).decode()


def short_script_names() -> dict[str, str]:
    """`Latin` to `Latn`: Scripts.txt uses the long names and ScriptExtensions.txt the short ones."""
    rows = [
        line.split(";")
        for line in read_file("PropertyValueAliases.txt").splitlines()
        if line.startswith("sc ;")
    ]
    return {row[2].split("#")[0].strip(): row[1].strip() for row in rows}


def read_property(name: str) -> Iterator[tuple[int, int, str]]:
    """First code point, last code point, value, of one file of the Unicode Character Database."""
    for line in read_file(f"{name}.txt").splitlines():
        if found := _LINE.match(line):
            first, last, value = found.groups()
            yield int(first, 16), int(last or first, 16), value


def script_ranges() -> list[tuple[int, int, str]]:
    """Sorted, disjoint, merged ranges; the value is the Script_Extensions set, in short names."""
    by_point: dict[int, str] = {}
    short = short_script_names()
    for name in ("Scripts", "ScriptExtensions"):
        for first, last, value in read_property(name):
            by_point.update(dict.fromkeys(range(first, last + 1), short.get(value, value)))
    ranges: list[tuple[int, int, str]] = []
    for point in sorted(by_point):
        if ranges and ranges[-1][1] == point - 1 and ranges[-1][2] == by_point[point]:
            ranges[-1] = (ranges[-1][0], point, by_point[point])
        else:
            ranges.append((point, point, by_point[point]))
    return ranges


def prototypes() -> dict[str, str]:
    """Character to prototype, for characters that no compatibility mapping removes before."""
    raw = json.loads(read_file("confusables.json"))
    order = {key: place for place, key in enumerate(raw)}
    made: dict[str, str] = {}
    for key, neighbours in raw.items():
        target = neighbours[0]["c"]
        is_source = len(neighbours) == 1 and (len(raw[target]) > 1 or order[key] < order[target])
        source = key.replace(LEFT_TO_RIGHT_MARK, "")
        if is_source and len(source) == 1 and _is_spellable(source):
            made[source] = target.replace(LEFT_TO_RIGHT_MARK, "")
    return made


def _is_spellable(character: str) -> bool:
    return unicodedata.normalize("NFKC", character) == unicodedata.normalize("NFC", character)


def make() -> str:
    ranges = script_ranges()
    sets = sorted({value for _, _, value in ranges})
    lines = ["# Made by tools/make_name_tables.py from Unicode data (unicode.org/license.txt). Do not edit."]
    lines += [f"set {value}" for value in sets]
    lines += [f"range {first:X} {last:X} {sets.index(value)}" for first, last, value in ranges]
    for source, target in sorted(prototypes().items()):
        lines.append(f"like {ord(source):X} {' '.join(f'{ord(c):X}' for c in target)}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(make(), encoding="ascii")
    print(TARGET, TARGET.stat().st_size)
