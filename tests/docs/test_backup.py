"""The guide to backups, followed as it stands: key, backup, check, restore, what a restored server refuses."""

import os
import socket
import sys
from pathlib import Path

from tests.kits.documented import follow

PAGE = Path(__file__).parents[2] / "docs/howto/backup-and-restore.md"


def test_the_guide_to_backups_does_what_it_says(tmp_path: Path) -> None:
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
    assert (room / "restored" / "watchword.db").exists()
