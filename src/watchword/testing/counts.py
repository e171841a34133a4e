"""How often a repeated test repeats: a quick count in `make test`, the full one in `make soak`.

Both are recorded, so that the closing lines of a run can say how far the quick run is from the full one.
"""

import inspect
import os
from typing import Final

SOAK_VARIABLE: Final = "WATCHWORD_SOAK"
used: Final[dict[str, tuple[int, int]]] = {}
"""By test, or by place in the source where a decorator asked: the quick and the full count."""


def soaking() -> bool:
    return os.environ.get(SOAK_VARIABLE) == "1"


def count(quick: int, full: int) -> int:
    """`full` under soak, else `quick`. A stride (every n-th position) has the larger number first."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    used[f"{test} {_place()}"] = (quick, full)
    return full if soaking() else quick


def _place() -> str:
    """Who asked, and who asked them: some ask through a helper."""
    frame = inspect.currentframe()
    places = []
    for _ in range(4):
        if frame is None:
            break
        places.append(f"{frame.f_code.co_filename}:{frame.f_lineno}")
        frame = frame.f_back
    return " ".join(places[2:])
