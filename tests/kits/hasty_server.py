"""The real server, which parts from slow callers after two seconds where it would after ten, or so: for quick runs.

`start(data)` starts it as a process; `HASTE_S` is every bound that `watchword.server.http.protocol` sets to callers.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.kits.process import RunningServer

HASTE_S: Final = 2.0
BOUNDS: Final = ("HEAD_S", "BODY_S", "WRITE_S", "IDLE_S")


def start(data: Path, *, settings: Mapping[str, str] | None = None) -> RunningServer:
    """The process, ready. It has no fronts, which have their own bounds."""
    return RunningServer.start(
        data,
        settings={**(settings or {}), "processes": "1"},
        program=(sys.executable, "-m", "tests.kits.hasty_server"),
    )


def main() -> None:
    from watchword.cli.main import main as run  # noqa: PLC0415  # only the server's process needs them
    from watchword.server.http import protocol  # noqa: PLC0415

    for bound in BOUNDS:
        assert hasattr(protocol, bound)
        vars(protocol)[bound] = HASTE_S
    sys.argv[0] = "watchword"
    run()


if __name__ == "__main__":
    main()
