"""What a name looks like (UTS 39, section 4), without regard to case."""

import unicodedata
from typing import Final

from watchword.protocol.names.tables import prototypes

_DOT_ABOVE: Final = "\u0307"
_MAX_ROUNDS: Final = 8
"""Two are enough for every name known; the bound is there so that a change of tables cannot make a loop."""


def make_skeleton(text: str) -> str:
    """Two texts that look alike have equal skeletons. Compare it, never show it.

    UTS 39 keeps `O` and `o` apart, so that `0` would look like the first only: case is folded and the mapping
    repeated until nothing changes. A dot above `i` or `j` cannot be seen and is dropped.
    """
    current = text
    for _ in range(_MAX_ROUNDS):
        following = _round(current)
        if following == current:
            break
        current = following
    return current


def _round(text: str) -> str:
    mapped = unicodedata.normalize("NFD", text).translate(prototypes())
    folded = unicodedata.normalize("NFD", mapped).casefold()
    for soft in "ij":
        folded = folded.replace(soft + _DOT_ABOVE, soft)
    return unicodedata.normalize("NFD", folded)
