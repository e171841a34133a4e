"""Programs that some tests need beside Python: asked for here, so that an absent one is never passed over in silence.

Where one is absent, the test is skipped and named in the closing lines of the run; under WATCHWORD_STRICT=1, as on the
machine that judges a change, it fails.
"""

import os
import shutil
from pathlib import Path
from typing import Final, NoReturn

STRICT_VARIABLE: Final = "WATCHWORD_STRICT"
absent: Final[dict[str, set[str]]] = {}
"""By component: the tests of this process that asked for it in vain."""


def strict() -> bool:
    return os.environ.get(STRICT_VARIABLE) == "1"


def require(name: str) -> Path:
    """Where the program `name` is; skips or fails the test that asks when it is on no PATH."""
    found = shutil.which(name)
    if found is None:
        _give_up(name, f"COMPONENT ABSENT: {name} is not on the PATH", fails=strict())
    return Path(found)


def require_path(path: Path) -> Path:
    """`path`, such as a file of /proc that not every system has."""
    if not path.exists():
        _give_up(str(path), f"COMPONENT ABSENT: this system has no {path}", fails=strict())
    return path


def require_root(why: str) -> None:
    """Skip the test that asks unless it runs as root. No package mends that, so it never fails."""
    if os.geteuid() != 0:
        _give_up("root", f"NEEDS ROOT: {why}", fails=False)


def lacking(name: str, why: str, *, packaged: bool = True) -> NoReturn:
    """For what a program that is there could not get or do: packages from a registry, a version that is too old.

    `packaged` says that `.ci/packages` can bring it; what no package of the system brings is recorded and never fails.
    """
    _give_up(name, f"COMPONENT ABSENT: {name}: {why}", fails=strict() and packaged)


def _give_up(component: str, reason: str, *, fails: bool) -> NoReturn:
    import pytest  # noqa: PLC0415  # only a test gets here; applications that use our fakes may lack pytest

    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    absent.setdefault(component, set()).add(test or "a fixture")
    if fails:
        pytest.fail(f"{reason}, and {STRICT_VARIABLE}=1 asks for it", pytrace=False)
    pytest.skip(reason)
