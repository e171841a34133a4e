"""Display names: free text for people, with nothing in it that a terminal, a log or a page would obey.

The pages judge by the same rule (`web/src/protocol/display_name.ts`). Characters that are newer than our Unicode pass,
so that the rule is the same for both, whichever Unicode they have.
"""

import re
import unicodedata
from typing import Final

from watchword.protocol.names.reasons import InvalidNameError, NameReason

MAX_DISPLAY_NAME: Final = 100
"""Code points."""
_REFUSED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Controls, formats (overrides of direction among them), surrogates, private use, ends of lines and paragraphs."""
_JOINERS: Final = "\u200c\u200d"
"""Formats that Persian, Indic scripts and emoji are written with: taken between two characters."""
_JOINS_NOTHING: Final = re.compile(f"(?:\\A| )[{_JOINERS}]|[{_JOINERS}](?:[{_JOINERS} ]|\\Z)")
_NEVER: Final = re.compile("[\u2065\ufdd0-\ufdef\ufff0-\ufff8\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]")
"""No characters, and what Unicode keeps for formats to come."""
_LAST_TWO: Final = 0xFFFE
"""Bits of the last two code points of each plane, which are no characters either."""


def parse_display_name(text: str) -> str:
    """`text` as it is kept: every space a plain one, and none at its ends; "" where nothing is left.

    Raises `InvalidNameError`.
    """
    name = "".join(" " if unicodedata.category(sign) == "Zs" else sign for sign in text).strip(" ")
    if len(name) > MAX_DISPLAY_NAME:
        raise InvalidNameError(NameReason.DISPLAY_LONG)
    if any(map(_is_refused, name)) or _NEVER.search(name) or _JOINS_NOTHING.search(name):
        raise InvalidNameError(NameReason.DISPLAY_CHARACTER)
    return name


def _is_refused(sign: str) -> bool:
    if sign in _JOINERS:
        return False
    return unicodedata.category(sign) in _REFUSED or ord(sign) & _LAST_TWO == _LAST_TWO
