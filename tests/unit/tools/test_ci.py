"""What judges a change says what it lacks, installs it when it may, and stops at the first failure."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
NEEDED = ("bash", "cat", "dirname", "env", "grep")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose `make` writes down what it was asked, on a machine with `NEEDED` programs only."""
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    (tmp_path / "bin").mkdir()
    for name in NEEDED:
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    for name in (
        "chromium",
        "curl",
        "git",
        "groff",
        "haproxy",
        "hydra",
        "nginx",
        "node",
        "npm",
        "openssl",
        "python3",
        "redis-server",
        "slowhttptest",
        "strace",
        "systemd-analyze",
    ):
        program(tmp_path, name, "exit 0")
    program(tmp_path, "make", 'echo "$1 strict=$WATCHWORD_STRICT" >>asked; [ "$1" != "${FAILING-}" ]')
    program(tmp_path, "id", "echo 1000")
    program(tmp_path, "dpkg-query", '[ "${!#}" != fonts-liberation ] || echo installed')  # it has no command
    return tmp_path


def program(checkout: Path, name: str, body: str) -> None:
    path = checkout / "bin" / name
    path.write_text(f"#!{shutil.which('bash')}\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def run(checkout: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(checkout / ".ci/run")],
        env={"PATH": str(checkout / "bin"), **environ},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_it_makes_the_environment_checks_and_tests_in_the_strict_mode(checkout: Path) -> None:
    done = run(checkout)
    assert done.returncode == 0, done.stderr
    assert (checkout / "asked").read_text().split("\n")[:-1] == [
        "env strict=1",
        "check strict=1",
        "test strict=1",
    ]
    assert "all passed in" in done.stdout


@pytest.mark.parametrize("failing", ["env", "check", "test"])
def test_the_first_failure_ends_it(checkout: Path, failing: str) -> None:
    done = run(checkout, FAILING=failing)
    assert done.returncode == 1
    assert (checkout / "asked").read_text().split("\n")[-2].startswith(failing)
    assert f"make {failing} failed" in done.stderr


def test_without_root_it_names_what_is_missing(checkout: Path) -> None:
    (checkout / "bin/curl").unlink()
    (checkout / "bin/openssl").unlink()
    done = run(checkout)
    assert done.returncode == 1
    assert "curl openssl" in done.stderr
    assert not (checkout / "asked").exists()


def test_as_root_it_installs_just_what_is_missing(checkout: Path) -> None:
    (checkout / "bin/curl").unlink()
    program(checkout, "id", "echo 0")
    program(checkout, "apt-get", 'echo "$DEBIAN_FRONTEND $*" >>installed')
    done = run(checkout)
    assert done.returncode == 0, done.stderr
    assert (checkout / "installed").read_text().split("\n")[:-1] == [
        "noninteractive update --quiet",
        "noninteractive install --quiet --yes --no-install-recommends curl",
    ]


def test_node_is_looked_for_by_the_name_of_its_command(checkout: Path) -> None:
    (checkout / "bin/node").unlink()
    program(checkout, "nodejs", "exit 0")
    done = run(checkout)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("nodejs")


def test_every_program_that_a_test_requires_is_in_the_list_of_packages() -> None:
    packages = set((ROOT / ".ci/packages").read_text().split())
    brought = {
        "setsid": "util-linux",
        "sh": "dash",
        "python3": "python3-venv",
        "nginx": "nginx-light",
        "node": "nodejs",
        "groff": "groff-base",
        "systemd-analyze": "systemd",
    }
    essential = {"bash", "util-linux", "dash"}
    for path in (ROOT / "tests").rglob("*.py"):
        for name in re.findall(r'components\.require\("([\w.-]+)"\)', path.read_text()):
            if name != "no-such-program":  # a planted one
                assert brought.get(name, name) in packages | essential, f"{path.name}: {name}"


def test_it_is_a_program_of_bash_that_stops_at_errors() -> None:
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in script.read_text()
