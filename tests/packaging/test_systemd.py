"""The systemd unit: systemd reads it without complaint, calls it safe, and the server lives within it.

No test machine runs systemd itself. What the unit denies is denied here by other means: system calls by a tracer that
makes them fail, memory that is both written and run by the kernel's own switch.
"""

import ctypes
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults.test_process_syscalls import require_tracing
from tests.kits.commands import Shell
from tests.kits.process import PROGRAM, RunningServer

from watchword.server.config import load
from watchword.testing import components

SYSTEMD = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
UNIT = SYSTEMD / "watchword.service"
EXPOSURE = "15"
"""Tenths, of 100 at worst; systemd calls up to 20 "safe" to "ok"."""
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1


def settings(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = components.require("systemd-analyze")
    return subprocess.run([str(program), *arguments], capture_output=True, text=True, timeout=240)


def test_systemd_reads_the_unit_without_complaint(tmp_path: Path) -> None:
    text = UNIT.read_text().replace("/opt/watchword/bin/watchword", str(PROGRAM))
    unit = tmp_path / UNIT.name
    unit.write_text(
        re.sub(r"^Documentation=.*$", "", text, flags=re.MULTILINE)
    )  # the pages are not installed here
    done = analyze("verify", "--recursive-errors=no", str(unit))
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_calls_the_unit_well_confined() -> None:
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", str(UNIT))
    assert done.returncode == 0, done.stdout[-2000:]


def denied() -> str:
    """Every system call that the unit refuses, for the tracer."""
    allowed = set(expand("@system-service"))
    for line in settings("SystemCallFilter"):
        if line.startswith("~"):
            for group in line.removeprefix("~").split():
                allowed -= set(expand(group))
    return ",".join(f"?{name}" for name in expand("@known") if name not in allowed)


def expand(group: str) -> Iterator[str]:
    for line in analyze("syscall-filter", group).stdout.splitlines()[1:]:
        name = line.strip()
        if name.startswith("@"):
            yield from expand(name)
        elif name and not name.startswith("#"):
            yield name


@pytest.mark.timeout(400)
def test_the_server_works_without_the_system_calls_that_the_unit_denies(tmp_path: Path) -> None:
    """Started, registered at, logged in to and stopped, while each such call fails as the unit makes it fail."""
    strace, calls = require_tracing(tmp_path), denied()
    assert "?setrlimit" in calls
    assert "?mount" in calls
    inject = f"inject={calls}:error={settings('SystemCallErrorNumber')[0]}"
    trace = tmp_path / "trace"
    program = (str(strace), "-f", "--seccomp-bpf", "-e", inject, "-e", "signal=none", "-o", str(trace))
    with RunningServer.start(tmp_path / "data", program=(*program, str(PROGRAM))) as server:
        ada = Shell.at(server, tmp_path / "home")
        assert ada.ask("register", "ada").code == 0
        assert ada.ask("login", "ada").code == 0
        assert ada.run("accounts", "list").code == 0
        os.kill(int((server.data / "lock").read_text().split()[0]), signal.SIGTERM)
        assert server.process.wait(60) == 0
    refused = set(re.findall(r"^\d+ +(\w+)\(.*INJECTED", trace.read_text(), re.MULTILINE))
    # Raising the limit of open files, which the unit sets itself; and SQLite's, which it makes as root alone.
    assert refused <= {"setrlimit", "prlimit64", "fchown"}


def test_the_server_works_where_no_written_memory_can_be_run(tmp_path: Path) -> None:
    assert settings("MemoryDenyWriteExecute") == ["yes"]
    if ctypes.CDLL(None).prctl(66, 0, 0, 0, 0) < 0:  # PR_GET_MDWE: since Linux 6.3
        pytest.skip("this kernel cannot deny it without systemd")
    deny = f"import ctypes, os; ctypes.CDLL(None).prctl({PR_SET_MDWE}, {PR_MDWE_REFUSE_EXEC_GAIN}, 0, 0, 0); "
    check = "assert ctypes.CDLL(None).prctl(66, 0, 0, 0, 0) == 1; "
    start = f"{deny}{check}os.execv({str(PROGRAM)!r}, ['watchword', 'serve'])"
    python = str(PROGRAM.with_name("python"))
    with RunningServer.start(tmp_path / "data", program=(python, "-c", start)) as server:
        status = Path(f"/proc/{server.pid}/status").read_text()
        assert "watchword" in status
        assert Shell.at(server, tmp_path / "home").ask("register", "ada").code == 0


def test_the_settings_to_begin_with_permit_a_start(tmp_path: Path) -> None:
    found = load(file=SYSTEMD / "watchword.toml", environ={"WATCHWORD_DATA": str(tmp_path / "data")})
    assert found.config.origin == "https://id.example.org"


def test_the_unit_starts_the_command_that_there_is() -> None:
    (command,) = settings("ExecStart")
    program, *arguments = shlex.split(command)
    assert (Path(program).name, arguments[:2]) == ("watchword", ["serve", "--config"])
    assert settings("RestartPreventExitStatus") == ["2"]
