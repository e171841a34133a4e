"""A person's commands at a terminal: what is asked, what is shown, and what is not."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.kits.commands import PASSWORD, Shell
from tests.kits.process import PROGRAM, RunningServer, clean_environment
from tests.kits.terminal import Terminal

from watchword.cli.person_context import with_spinner
from watchword.core.secret import Secret
from watchword.testing import components


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    components.require("setsid")
    with RunningServer.start(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture
def shell(server: RunningServer, tmp_path: Path) -> Shell:
    return Shell.at(server, tmp_path / "home")


def at_terminal(shell: Shell, *arguments: str, **environ: str) -> Terminal:
    return Terminal([str(PROGRAM), *arguments], clean_environment({**shell.environ, **environ}))


def test_registering_asks_for_everything_and_shows_no_password(shell: Shell) -> None:
    with at_terminal(shell, "register") as terminal:
        terminal.answer("Username: ", "typist")
        terminal.answer("Password: ", PASSWORD)
        terminal.answer("again: ", PASSWORD)
        terminal.expect("recovery key   ")
        recovery = terminal.expect("\r\n").strip()
        terminal.answer("last four characters: ", "----")
        terminal.answer("last four characters: ", recovery[-4:])
        assert terminal.finish() == 0
    assert PASSWORD not in terminal.shown
    with at_terminal(shell, "whoami") as terminal:
        terminal.answer(": ", PASSWORD)
        terminal.expect("typist, level 0")
        assert terminal.finish() == 0
    assert PASSWORD not in terminal.shown


def test_two_different_passwords_are_refused_before_anything_is_sent(shell: Shell) -> None:
    with at_terminal(shell, "register", "twofold") as terminal:
        terminal.answer("Password: ", PASSWORD)
        terminal.answer("again: ", f"{PASSWORD}!")
        terminal.expect("the two passwords differ; nothing was sent")
        assert terminal.finish() == 1
    assert shell.ask("register", "twofold").code == 0


def test_while_a_password_is_stretched_something_moves_and_leaves_no_trace(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr: Any = sys.stderr
    monkeypatch.setattr(stderr, "isatty", lambda: True)

    def drawn() -> int:
        shown: str = stderr.getvalue()
        return shown.count("stretching the password")

    def slow() -> Secret:
        ends = time.monotonic() + 60
        while drawn() < 2 and time.monotonic() < ends:
            time.sleep(0.02)
        return Secret(b"stretched")

    assert with_spinner(slow) == Secret(b"stretched")
    shown = capsys.readouterr().err
    assert shown.count("stretching the password") >= 2
    assert shown.split("\r")[-2].strip() == ""


def test_the_first_contact_asks_whether_to_trust_and_a_no_sends_nothing(shell: Shell) -> None:
    bare = Shell(environ={key: value for key, value in shell.environ.items() if key != "WATCHWORD_CA"})
    with at_terminal(bare, "login", "typist") as terminal:
        terminal.expect("SHA256:")
        terminal.answer("operator shows? [y/N]: ", "n")
        assert terminal.finish() == 1
    assert "nothing was sent" in terminal.shown
    assert not Path(shell.environ["WATCHWORD_HOME"]).exists()


@pytest.mark.parametrize("arguments", [("register",), ("register", "thoughtful"), ("login", "thoughtful")])
def test_ctrl_c_at_a_prompt_ends_with_130_and_without_a_traceback(
    shell: Shell, arguments: tuple[str, ...]
) -> None:
    with at_terminal(shell, *arguments) as terminal:
        terminal.expect(": ")
        assert terminal.interrupt() == 130
    assert "Traceback" not in terminal.shown


def test_ctrl_c_stops_the_server_cleanly(tmp_path: Path) -> None:
    environ = {"WATCHWORD_DATA": str(tmp_path / "data"), "WATCHWORD_LISTEN": "127.0.0.1:0"}
    with Terminal([str(PROGRAM), "serve"], clean_environment(environ)) as terminal:
        terminal.expect("Watchword is ready at https://localhost:")
        terminal.expect("Stop the server with Ctrl-C")
        terminal.send("\x03")
        assert terminal.finish() == 0
    assert "Traceback" not in terminal.shown
