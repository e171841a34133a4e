"""The tutorial, done as its reader does it: from an empty folder to a protected app."""

import os
import sys
from pathlib import Path

from tests.kits.documented import follow
from tests.kits.ports import kept_port

from watchword.testing import components

PAGE = Path(__file__).parents[2] / "docs/tutorial/README.md"
PASSWORD = "violet kangaroo plays chess"


def test_the_tutorial_leads_from_nothing_to_a_protected_app(tmp_path: Path) -> None:
    components.require("curl")
    room, home = tmp_path / "first-app", tmp_path / "home"
    room.mkdir()
    home.mkdir()
    with kept_port() as server, kept_port() as app:
        environ = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(home),
            "NO_PROXY": "*",
            "WATCHWORD_LISTEN": f"127.0.0.1:{server}",
        }
        done = follow(
            PAGE,
            room,
            environ,
            replace={"8443": str(server), "8000": str(app)},
            # What stands on the screen cannot be typed back from here: after three wrong tries it goes on.
            answers={"Password": PASSWORD, "again": PASSWORD, "last four characters": "none"},
        )
    assert done.files == ["app.py"]
    assert len(done.background) == 2
    assert "Traceback" not in "".join(done.background)
