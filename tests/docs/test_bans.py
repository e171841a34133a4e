"""The guide to bans, followed as it stands."""

import os
import socket
import sys
from pathlib import Path

from tests.kits.documented import follow

PAGE = Path(__file__).parents[2] / "docs/howto/bans.md"


def test_the_guide_to_bans_does_what_it_says(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    room = tmp_path / "room"
    room.mkdir()
    environ = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "WATCHWORD_LISTEN": f"127.0.0.1:{port}",
    }
    done = follow(PAGE, room, environ, replace={"8443": port})
    assert len(done.commands) == 8
