"""M5: signals at any instant. A stop is clean: exit code 0, what was answered is kept, the next start is fine."""

import contextlib
import json
import os
import random
import re
import signal
import socket
import ssl
import threading
import time
from pathlib import Path

import msgspec
import pytest
from tests.kits import observed_server
from tests.kits.commands import Finished, Shell
from tests.kits.mixed_load import Crowd, Line, check_person
from tests.kits.process import RunningServer
from tests.kits.unready import environment, serve, starting

from watchword.client.effects import Call
from watchword.client.flows import account
from watchword.client.flows.account import NewAccount
from watchword.core.entropy import SystemEntropy
from watchword.errors import WatchwordError
from watchword.protocol.chest import RecoveryKey
from watchword.protocol.passwords import prepare
from watchword.server.control.client import ControlClient
from watchword.testing import measured
from watchword.testing.counts import count, soaking

pytestmark = pytest.mark.timeout(count(300, 1800))
"""Seconds: a hundred starts and stops take their time on a busy machine."""
ORIGIN = {"origin": "https://id.example.org"}
SIGNALS = (signal.SIGTERM, signal.SIGINT)
STOP_SECONDS = 10.0 if soaking() else 30.0
"""More on a machine that does other things at the same time."""
STARTS_AFTER = 0.9
"""Seconds that imports take on a busy machine; before them a process has no way to answer a signal."""


def stop_quickly(server: RunningServer, *signals: signal.Signals) -> int:
    begun = time.monotonic()
    for number in signals[:-1]:
        server.process.send_signal(number)
        time.sleep(0.005)
    code = server.stop(signals[-1])
    assert time.monotonic() - begun <= STOP_SECONDS
    assert code != 0 or "Traceback" not in server.log_text()
    return code


def verify(data: Path) -> Finished:
    return Shell(environ=environment(data, ORIGIN)).run("audit", "verify")


def test_fault_M5_a_stop_under_load_is_clean_and_keeps_what_was_answered(tmp_path: Path) -> None:
    dice, data, crowd = random.Random(5), tmp_path / "data", None
    for number in range(count(3, 100)):
        with RunningServer.start(data, settings=ORIGIN) as server:
            if crowd is not None:
                with contextlib.closing(Line(server)) as line:
                    for person in crowd.people[-6:]:
                        check_person(line, person)
            with Crowd(server, f"s{number}x") as crowd:
                time.sleep(dice.uniform(0.05, 0.4))
                signals = [dice.choice(SIGNALS) for _ in range(1 + number % 2)]
                assert stop_quickly(server, *signals) == 0
        assert server.find_log("server.stopped") is not None
        assert not (data / "address").exists()
        assert not (data / "control.sock").exists()
        assert crowd.failures.keys() <= {"unreachable", "internal"}  # internal: cut off by a second signal
    assert verify(data).code == 0


def test_fault_M5_ctrl_c_in_the_first_moments_shows_no_traceback(tmp_path: Path) -> None:
    """While the program itself is still being loaded."""
    dice = random.Random(6)
    for _ in range(count(4, 100)):
        with starting(tmp_path / "data", ORIGIN) as server:
            time.sleep(dice.uniform(0.1, 0.4))
            code = server.stop(signal.SIGINT)
            text = server.log_text()
            assert "cli/main.py" not in text, text
            # Python itself, before it ran a line of ours: it shows where it was, or has not yet learnt how to.
            assert code in {0, 130} or "Traceback" in text or (code, text) == (-signal.SIGINT, "")
            assert "watchword/server" not in text


def state_of(data: Path) -> dict[str, int]:
    """Every file and when it was last changed."""
    return {str(path): path.stat().st_mtime_ns for path in data.rglob("*") if path.is_file()}


@pytest.mark.parametrize("number", SIGNALS)
def test_fault_M5_a_signal_during_the_start_ends_it(tmp_path: Path, number: signal.Signals) -> None:
    dice, data = random.Random(number), tmp_path / "data"
    before: dict[str, int] = {}
    for _ in range(count(1, 100)):
        with starting(data, ORIGIN) as server:
            time.sleep(dice.uniform(0.05, STARTS_AFTER))
            code = stop_quickly(server, number)
            if code != 0:  # Python itself was being loaded: nothing of ours had begun
                assert code in {-number, 130} or "Traceback" in server.log_text()  # of Python's own start
                assert "cli/main.py" not in server.log_text()
                assert "watchword/server" not in server.log_text()
                assert server.find_log("server.starting") is None
                assert state_of(data) == before
            assert "internal error" not in server.log_text()
            before = state_of(data)
    with RunningServer.start(data, settings=ORIGIN) as server:
        assert server.stop() == 0
    assert verify(data).code == 0


def test_fault_M5_a_signal_while_the_first_keys_are_made_ends_the_start_cleanly(tmp_path: Path) -> None:
    dice = random.Random(7)
    for run in range(count(2, 100)):
        data = tmp_path / f"data{run}"
        with starting(data, ORIGIN) as server:
            while server.find_log("server.starting") is None:
                time.sleep(0.001)
            time.sleep(dice.uniform(0, 0.12))
            assert stop_quickly(server, dice.choice(SIGNALS)) == 0, server.log_text()
        with RunningServer.start(data, settings=ORIGIN) as server:
            assert server.stop() == 0


ROTATION_SECONDS = 0.006
"""About what a rotation of the sealing keys takes; signals fall anywhere in it."""


def rotate_sealing(server: RunningServer, acknowledged: list[object]) -> None:
    with contextlib.suppress(WatchwordError), ControlClient.connect(server.data / "control.sock") as client:
        acknowledged.append(client.call("keys.rotate", {"use": "sealing", "at_once": True}))


def signal_a_rotation(data: Path, number: signal.Signals, delay: float | None) -> tuple[bool, bool, str]:
    """Whether the signal was sent while keys rotated, whether the rotation was acknowledged, and the key before it.

    Without a `delay` the rotation is held until the signal was sent.
    """
    server, numbers = observed_server.start(data, settings=ORIGIN)
    with server:
        with contextlib.closing(Line(server)) as line:
            before = line.recipient().kid
        acknowledged: list[object] = []
        rotating = threading.Thread(target=rotate_sealing, args=(server, acknowledged))
        numbers["held"] = delay is None
        rotating.start()
        while not numbers["rotating"] and rotating.is_alive():
            pass
        time.sleep(delay or 0)
        during = bool(numbers["rotating"])
        server.process.send_signal(number)
        numbers["held"] = 0
        assert server.process.wait(STOP_SECONDS) == 0
        assert "Traceback" not in server.log_text()
        rotating.join()
    assert server.find_log("server.stopped") is not None
    return during, bool(acknowledged), before


@pytest.mark.slow
def test_fault_M5_a_stop_while_keys_are_rotated_leaves_whole_keys(tmp_path: Path) -> None:
    """The rotation has happened or it has not; what was acknowledged has. The first signal comes as it begins."""
    dice, data = random.Random(8), tmp_path / "data"
    during = told = 0
    moments = count(4, 100)
    for moment in range(moments):
        delay = dice.uniform(0, ROTATION_SECONDS) if moment else None
        hit, acknowledged, before = signal_a_rotation(data, dice.choice(SIGNALS), delay)
        during, told = during + hit, told + acknowledged
        with RunningServer.start(data, settings=ORIGIN) as server, contextlib.closing(Line(server)) as line:
            if acknowledged:
                assert line.recipient().kid != before, "an acknowledged rotation is lost"
            status, jwks, _ = line.send("GET", "/.well-known/jwks.json")
            assert status == 200
            assert json.loads(jwks)["keys"]
            assert line.recipient().issuer == ORIGIN["origin"]
            assert server.stop() == 0
    measured.record("M5", f"{during} of {moments} signals fell into a key rotation, {told} were acknowledged")
    assert during >= 1, "no signal came while keys were rotated"
    assert verify(data).code == 0


def test_fault_M5_a_terminal_that_is_closed_does_not_end_a_server_under_nohup(tmp_path: Path) -> None:
    data = tmp_path / "data"
    done: list[Finished] = []
    ignoring = threading.Thread(
        target=lambda: done.append(serve(data, ORIGIN, program=("timeout", "-s", "TERM", "50", "nohup")))
    )
    ignoring.start()
    while not (data / "address").exists():
        time.sleep(0.01)
    pid = int((data / "lock").read_text().split()[0])
    os.kill(pid, signal.SIGHUP)
    time.sleep(0.3)
    assert (data / "address").exists()
    os.kill(pid, signal.SIGTERM)
    ignoring.join()
    assert done[0].code == 0


def reload_now_and_then(server: RunningServer, dice: random.Random, times: int, within: float) -> None:
    for _ in range(times):
        time.sleep(dice.uniform(0, within / times))
        with contextlib.suppress(ProcessLookupError):
            server.process.send_signal(signal.SIGHUP)


def wait_until_ours(server: RunningServer) -> None:
    """Until SIGHUP is ignored or taken: before it runs a line of ours, Python itself ends by any signal."""
    hangup, status = 1 << (signal.SIGHUP - 1), Path(f"/proc/{server.pid}/status")
    while server.process.poll() is None:
        masks = re.findall(r"^Sig(?:Ign|Cgt):\s*([0-9a-f]+)$", status.read_text(), re.MULTILINE)
        if any(int(mask, 16) & hangup for mask in masks):
            return
        time.sleep(0.002)


def test_fault_M5_a_reload_at_any_moment_harms_nothing(tmp_path: Path) -> None:
    """SIGHUP while it starts, under load, while keys rotate, and while it stops; what was answered is kept."""
    dice, data = random.Random(9), tmp_path / "data"
    for number in range(count(1, 100)):
        with starting(data, ORIGIN) as server:
            wait_until_ours(server)
            reload_now_and_then(server, dice, 5, 0.4)
            server._await_ready()
            with Crowd(server, f"r{number}x", workers=2) as crowd:
                reload_now_and_then(server, dice, 10, 0.3)
                acknowledged: list[object] = []
                rotating = threading.Thread(target=rotate_sealing, args=(server, acknowledged))
                rotating.start()
                reload_now_and_then(server, dice, 10, 4 * ROTATION_SECONDS)
                rotating.join()
            assert acknowledged
            with contextlib.closing(Line(server)) as line:
                for person in crowd.people[-4:]:
                    check_person(line, person)
            server.process.send_signal(signal.SIGTERM)
            reload_now_and_then(server, dice, 10, 0.1)
            assert server.stop() == 0, server.log_text()
            assert crowd.failures.keys() <= {"key_unknown"}, (
                crowd.failures
            )  # the old sealing key ended at once
            assert server.find_log("server.reloaded") is not None
            for bad in ("Traceback", "server.reload_failed", "server.reload_refused", "loop.exception"):
                assert bad not in server.log_text()
    assert verify(data).code == 0


class SlowLogin:
    """A login of which the server has the head, and all but the last byte: it is in flight, for as long as we like."""

    def __init__(self, server: RunningServer) -> None:
        entropy = SystemEntropy()
        with contextlib.closing(Line(server)) as line:
            to, password = line.recipient(), prepare("violet kangaroo plays chess")
            new = NewAccount(username="anna", password=password)
            made = line.run(account.register(new, RecoveryKey.generate(entropy), to=to, entropy=entropy))
            assert made.account.username == new.username
            flow = account.log_in("anna", password, to=to, entropy=entropy)
            effect = next(flow)
            while not isinstance(effect, Call) or effect.path != "/api/login":
                effect = flow.send(line.perform(effect))
        call = effect
        body = msgspec.json.encode(call.body)
        context = ssl.create_default_context(cadata=line.trusted.root_pem)
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        self.tls = context.wrap_socket(plain, server_hostname="127.0.0.1")
        head = (
            f"POST {call.path} HTTP/1.1\r\nHost: id.example.org\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
        )
        self.tls.sendall(head.encode())
        assert self.tls.recv(100).startswith(b"HTTP/1.1 100 ")
        self.tls.sendall(body[:-1])
        self.last = body[-1:]

    def finish(self) -> bytes:
        self.tls.sendall(self.last)
        answer = b""
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            while more := self.tls.recv(65536):
                answer += more
        self.tls.close()
        return answer


def await_shut(server: RunningServer) -> None:
    """Return once it takes nobody any more: the signal has arrived."""
    ends = time.monotonic() + 60
    with contextlib.suppress(OSError):
        while True:
            socket.create_connection(("127.0.0.1", server.port), timeout=60).close()
            assert time.monotonic() < ends, "the door stays open"
            time.sleep(0.01)


@pytest.mark.parametrize("number", SIGNALS)
def test_fault_M5_a_login_in_flight_is_answered_before_the_end(
    tmp_path: Path, number: signal.Signals
) -> None:
    with RunningServer.start(tmp_path / "data", settings=ORIGIN) as server:
        slow = SlowLogin(server)
        server.process.send_signal(number)
        await_shut(server)
        time.sleep(0.3)
        assert server.process.poll() is None, "it did not wait"
        assert slow.finish().startswith(b"HTTP/1.1 200 ")
        assert server.stop() == 0


def test_fault_M5_a_second_signal_does_not_wait_for_requests(tmp_path: Path) -> None:
    settings = {**ORIGIN, "shutdown_grace_s": "60"}
    with RunningServer.start(tmp_path / "data", settings=settings) as server:
        slow = SlowLogin(server)
        server.process.send_signal(signal.SIGINT)
        await_shut(server)
        assert server.process.poll() is None
        assert stop_quickly(server, signal.SIGINT) == 0  # the body alone has as long
        slow.tls.close()
    assert server.find_log("server.stopped") is not None


def test_fault_M5_requests_that_never_end_are_cut_off_after_the_grace(tmp_path: Path) -> None:
    with RunningServer.start(tmp_path / "data", settings={**ORIGIN, "shutdown_grace_s": "1"}) as server:
        slow = SlowLogin(server)
        begun = time.monotonic()
        assert server.stop(signal.SIGTERM) == 0
        assert 0.9 <= time.monotonic() - begun <= 9  # the body alone has ten
        slow.tls.close()
