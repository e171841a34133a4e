"""Completion in the shells that people use: the script that `--show-completion` prints, run by the shell itself."""

import subprocess
from pathlib import Path

import pytest
from tests.kits.commands import Shell
from tests.kits.process import PROGRAM, clean_environment

from watchword.testing import components


def complete(tmp_path: Path, line: str) -> list[str]:
    """What a real bash offers at the end of `line`."""
    bash = components.require("bash")
    script = Shell(environ={}).run(_WATCHWORD_COMPLETE="source_bash").out
    assert "_WATCHWORD_COMPLETE" in script
    words = line.split(" ")
    (tmp_path / "complete.bash").write_text(
        f"{script}\nCOMP_WORDS=({' '.join(repr(word) for word in words)})\nCOMP_CWORD={len(words) - 1}\n"
        "_watchword_completion watchword\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n"
    )
    done = subprocess.run(
        [str(bash), "--norc", str(tmp_path / "complete.bash")],
        env=clean_environment({"PATH": f"{PROGRAM.parent}:/usr/bin:/bin"}),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("watchword acc", {"accounts"}),
        ("watchword accounts s", {"set-level", "show", "suspend"}),
        ("watchword token --f", {"--for"}),
        ("watchword keys rotate --at", {"--at-once"}),
        ("watchword nosuchcommand", set()),
    ],
)
def test_bash_offers_commands_and_options(tmp_path: Path, line: str, offered: set[str]) -> None:
    assert set(complete(tmp_path, line)) == offered


@pytest.mark.parametrize(
    ("shell", "mark"),
    [
        ("bash", "complete -o default -F _watchword_completion watchword"),
        ("zsh", "#compdef watchword"),
        ("fish", "complete --command watchword"),
    ],
)
def test_a_packager_gets_the_script_of_any_shell(shell: str, mark: str) -> None:
    assert mark in Shell(environ={}).run(_WATCHWORD_COMPLETE=f"source_{shell}").out
