"""The tutorial, done as its reader does it: from an empty folder to a protected app."""

import os
import socket
import sys
from pathlib import Path

from tests.kits.documented import follow

from watchword.testing import components

PAGE = Path(__file__).parents[2] / "docs/tutorial/README.md"
PASSWORD = "violet kangaroo plays chess"


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def test_the_tutorial_leads_from_nothing_to_a_protected_app(tmp_path: Path) -> None:
    components.require("curl")
    room, home, server = tmp_path / "first-app", tmp_path / "home", free_port()
    room.mkdir()
    home.mkdir()
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
        replace={"8443": server, "8000": free_port()},
        # What stands on the screen cannot be typed back from here: after three wrong tries it goes on.
        answers={"Password": PASSWORD, "again": PASSWORD, "last four characters": "none"},
    )
    assert done.files == ["app.py"]
    assert len(done.background) == 2
    assert "Traceback" not in "".join(done.background)
