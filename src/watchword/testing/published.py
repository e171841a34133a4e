"""Published test vectors that are read where they lie and never copied: sets of files beside the checkout.

A test that asks for a set which is not there is skipped with a loud reason, and the set is remembered, so
that the closing lines of a run can say what was not checked.
"""

import os
from pathlib import Path
from typing import Final

VECTORS_VARIABLE: Final = "WATCHWORD_VECTORS"
_CHECKOUT: Final = Path(__file__).resolve().parents[3]
absent: Final[set[str]] = set()
"""Sets that a test of this process asked for in vain."""


def vectors_folder() -> Path:
    """Where published vectors are looked for: the variable, else `../shared/vectors` beside the checkout."""
    named = os.environ.get(VECTORS_VARIABLE)
    return Path(named) if named else _CHECKOUT.parent / "shared" / "vectors"


def published(name: str) -> Path:
    """Give the path of a file such as "wycheproof/x25519_test.json", or skip the test that asks, loudly."""
    path = vectors_folder() / name
    if not path.is_file():
        absent.add(name)
        import pytest  # noqa: PLC0415  # only a test gets here; applications that use our fakes may lack pytest

        pytest.skip(f"PUBLISHED VECTORS ABSENT: {name}; set {VECTORS_VARIABLE} to the folder that holds them")
    return path
