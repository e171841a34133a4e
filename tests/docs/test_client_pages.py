"""The pages on the Python client and on testing an app, done as their readers do them."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.test_protect import followed
from tests.kits.documented import follow

from watchword.testing.server import PASSWORD, RunningServer, running_server

PAGES = Path(__file__).parents[2] / "docs/howto"


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running_server() as made:
        yield made


@pytest.mark.slow
def test_an_app_is_tested_as_its_guide_says(tmp_path: Path) -> None:
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = follow(PAGES / "test-your-app.md", tmp_path, {**environ, "PYTHONDONTWRITEBYTECODE": "1"})
    assert done.files == ["app.py", "conftest.py", "test_app.py", "test_time.py"]
    assert len(done.commands) == 2


def test_a_script_calls_an_app_as_its_guide_says(server: RunningServer, tmp_path: Path) -> None:
    room = tmp_path / "notes"
    room.mkdir()
    (room / "password").write_text(f"{PASSWORD}\n")
    done = followed(PAGES / "python-client.md", server, tmp_path, {})
    assert done.files == ["app.py", "robot.py", "robots.py"]
    assert "Traceback" not in done.background[0].partition("^C")[0]
