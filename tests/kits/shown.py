"""Whether what stood on a screen is what a page shows, where `...` stands for what varies."""

import re
from collections.abc import Sequence
from typing import Final

_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x1b\][^\x07]*\x07")


def matches(wanted: Sequence[str], shown: str, *, begins: bool = False) -> bool:
    """Whether `shown` reads as the lines of `wanted`; with `begins`, whether it begins so."""
    pattern = "".join(_line(line) for line in wanted)
    given = "\n".join(line.rstrip() for line in shown.split("\n")).strip("\n") + "\n"
    return re.fullmatch(pattern + (r"(?s:.*)" if begins else ""), given) is not None


def _line(wanted: str) -> str:
    if wanted.strip() == "...":
        return r"(?:.*\n)*?"
    return ".*?".join(re.escape(part) for part in wanted.rstrip().split("...")) + r"\n"


def on_screen(raw: bytes) -> str:
    """What a person sees of what a program wrote to a terminal: a carriage return writes over its line."""
    text = _ESCAPES.sub("", raw.decode(errors="replace")).replace("\r\n", "\n")
    return "\n".join(_overwritten(line) for line in text.split("\n"))


def _overwritten(line: str) -> str:
    seen = ""
    for part in line.split("\r"):
        seen = part + seen[len(part) :]
    return seen
