"""FAULTS M2, seen by the kernel: what a login changes is synced to the disk before its answer is written."""

import contextlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.kits.mixed_load import Line, Person, enrol, log_in
from tests.kits.process import PROGRAM, RunningServer

from watchword.client.flows import account
from watchword.client.flows.account import NewAccount
from watchword.core.entropy import SystemEntropy
from watchword.protocol.chest import RecoveryKey
from watchword.protocol.passwords import prepare
from watchword.testing import components

CALLS = "trace=openat,fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg,send"
LOG_NAME = "watchword.db-wal"
_CALL = re.compile(r"^\d+ +(\w+)\((\d+)<([^>]*)>")


def require_tracing(tmp_path: Path) -> Path:
    """strace, with the permission to use it; else the test is skipped and named in the closing lines."""
    strace = components.require("strace")
    tried = subprocess.run(
        [str(strace), "-f", "-o", str(tmp_path / "tried"), "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode != 0:
        test = os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0]
        components.absent.setdefault("permission to trace processes", set()).add(test)
        pytest.skip(f"MAY NOT TRACE: {tried.stderr.strip()[-200:]}")
    return strace


def traced(trace: Path) -> list[tuple[str, str]]:
    """Each call in the order in which it returned, and what its handle stood for."""
    begun: dict[str, tuple[str, str]] = {}
    found = []
    for line in trace.read_text(errors="replace").splitlines():
        pid = line.split(" ", 1)[0]
        if match := _CALL.match(line):
            call = (match[1], match[3])
            if "<unfinished ...>" in line:
                begun[pid] = call
            else:
                found.append(call)
        elif " resumed>" in line and pid in begun:
            found.append(begun.pop(pid))
    return found


def is_answer(call: tuple[str, str]) -> bool:
    """Written to the network: uvloop's own pipes are no sockets of TCP."""
    return call[0] in {"write", "writev", "sendto", "sendmsg", "send"} and call[1].startswith("TCP:")


def until_answered(trace: Path, before: int, *, answers: int) -> list[tuple[str, str]]:
    """The calls after the first `before`; the tracer may write them down a moment after the client has its answer."""
    for _ in range(500):
        calls = traced(trace)[before:]
        if sum(is_answer(call) for call in calls) >= answers:
            return calls
        time.sleep(0.01)
    raise AssertionError("the tracer saw too few answers")


@pytest.mark.timeout(400)
def test_fault_M2_a_login_is_synced_before_it_is_answered(tmp_path: Path) -> None:
    strace, trace = require_tracing(tmp_path), tmp_path / "trace"
    data, entropy, person = tmp_path / "data", SystemEntropy(), Person(username="anna")
    program = (str(strace), "-f", "-yy", "-s", "16", "-e", CALLS, "-e", "signal=none", "-o", str(trace))
    with RunningServer.start(data, program=(*program, str(PROGRAM))) as server:
        with contextlib.closing(Line(server)) as line:
            to = line.recipient()
            new = NewAccount(username="anna", password=prepare("violet kangaroo plays chess"))
            made = line.run(account.register(new, RecoveryKey.generate(entropy), to=to, entropy=entropy))
            person.temporary = made.temporary_token
            person.enrolled = line.run(enrol(person, to))
            before = len(traced(trace))
            assert line.run(log_in(person, 0, to)).answer.grant is not None
            calls = until_answered(trace, before, answers=2)  # to the beginning, and to the login
        os.kill(int((data / "lock").read_text().split()[0]), signal.SIGTERM)
        server.process.wait(60)
    answers = [place for place, call in enumerate(calls) if is_answer(call)]
    writes = [place for place, (name, file) in enumerate(calls) if name == "pwrite64" and LOG_NAME in file]
    syncs = [
        place
        for place, (name, file) in enumerate(calls)
        if name in {"fdatasync", "fsync"} and LOG_NAME in file
    ]
    assert writes, "no commit was seen"
    assert syncs, "nothing was synced"
    assert max(writes) < max(syncs) < max(answers), "answered before the commit was on the disk"
    assert not [place for place in answers if min(writes) < place < max(syncs)], "an answer overtook the sync"
