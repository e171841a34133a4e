"""How often a repeated test repeats: a quick count in `make test`, the full one in `make soak`.

Both are recorded, so that the closing lines of a run can say how far the quick run is from the full one.
"""

import os
from typing import Final

SOAK_VARIABLE: Final = "WATCHWORD_SOAK"
used: Final[dict[str, tuple[int, int]]] = {}
"""By test: the quick and the full count it asked for."""


def soaking() -> bool:
    return os.environ.get(SOAK_VARIABLE) == "1"


def count(quick: int, full: int) -> int:
    """`full` under soak, else `quick`."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    if test:
        used[test] = (quick, full)
    return full if soaking() else quick
