"""M5: signals at any instant. A stop is clean: exit code 0, what was answered is kept, the next start is fine."""

import contextlib
import json
import os
import random
import signal
import socket
import ssl
import threading
import time
from pathlib import Path

import msgspec
import pytest
from tests.kits.commands import Finished, Shell
from tests.kits.mixed_load import Crowd, Line, check_person
from tests.kits.process import RunningServer
from tests.kits.unready import environment, serve, starting

from watchword.client.effects import Call
from watchword.client.flows import account
from watchword.client.flows.account import NewAccount
from watchword.core.entropy import SystemEntropy
from watchword.protocol.chest import RecoveryKey
from watchword.protocol.passwords import prepare
from watchword.testing.counts import count

ORIGIN = {"origin": "https://id.example.org"}
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
STOP_SECONDS = 10.0
STARTS_AFTER = 0.9
"""Seconds that imports take on a busy machine; before them a process has no way to answer a signal."""


def stop_quickly(server: RunningServer, *signals: signal.Signals) -> int:
    begun = time.monotonic()
    for number in signals[:-1]:
        server.process.send_signal(number)
        time.sleep(0.005)
    code = server.stop(signals[-1])
    assert time.monotonic() - begun <= STOP_SECONDS
    assert "Traceback" not in server.log_text()
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
            assert code in {0, 130} or "Traceback" in text  # of Python itself, before it ran a line of ours
            assert "watchword/server" not in text


@pytest.mark.parametrize("number", SIGNALS)
def test_fault_M5_a_signal_during_the_start_ends_it(tmp_path: Path, number: signal.Signals) -> None:
    dice, data = random.Random(number), tmp_path / "data"
    for _ in range(count(1, 40)):
        with starting(data, ORIGIN) as server:
            time.sleep(dice.uniform(0.05, STARTS_AFTER))
            code = stop_quickly(server, number)
            assert code in {0, -number, 130}, server.log_text()
            assert "internal error" not in server.log_text()
    with RunningServer.start(data, settings=ORIGIN) as server:
        assert server.stop() == 0
    assert verify(data).code == 0


def test_fault_M5_a_signal_while_the_first_keys_are_made_ends_the_start_cleanly(tmp_path: Path) -> None:
    dice = random.Random(7)
    for run in range(count(2, 40)):
        data = tmp_path / f"data{run}"
        with starting(data, ORIGIN) as server:
            while server.find_log("server.starting") is None:
                time.sleep(0.001)
            time.sleep(dice.uniform(0, 0.12))
            assert stop_quickly(server, dice.choice(SIGNALS)) == 0, server.log_text()
        with RunningServer.start(data, settings=ORIGIN) as server:
            assert server.stop() == 0


def test_fault_M5_a_stop_while_keys_are_rotated_leaves_whole_keys(tmp_path: Path) -> None:
    dice, data = random.Random(8), tmp_path / "data"
    for use in ("signing", "sealing", "signing")[: count(2, 3)]:
        with RunningServer.start(data, settings=ORIGIN) as server:
            shell = Shell.at(server, tmp_path / "home")
            rotating = threading.Thread(target=lambda shell=shell, use=use: shell.run("keys", "rotate", use))
            rotating.start()
            time.sleep(dice.uniform(0.2, 0.8))
            assert stop_quickly(server, dice.choice(SIGNALS)) == 0
            rotating.join()
    with RunningServer.start(data, settings=ORIGIN) as server, contextlib.closing(Line(server)) as line:
        status, jwks, _ = line.send("GET", "/.well-known/jwks.json")
        assert status == 200
        assert json.loads(jwks)["keys"]
        assert line.recipient().issuer == ORIGIN["origin"]


def test_fault_M5_a_terminal_that_is_closed_does_not_end_a_server_under_nohup(tmp_path: Path) -> None:
    data = tmp_path / "data"
    done: list[Finished] = []
    ignoring = threading.Thread(
        target=lambda: done.append(serve(data, ORIGIN, program=("timeout", "-s", "TERM", "20", "nohup")))
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


class SlowLogin:
    """A login of which all but the last byte is with the server: it is in flight, for as long as we like."""

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
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        self.tls = context.wrap_socket(plain, server_hostname="127.0.0.1")
        head = (
            f"POST {call.path} HTTP/1.1\r\nHost: id.example.org\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.tls.sendall(head.encode() + body[:-1])
        self.last = body[-1:]

    def finish(self) -> bytes:
        self.tls.sendall(self.last)
        answer = b""
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            while more := self.tls.recv(65536):
                answer += more
        self.tls.close()
        return answer


@pytest.mark.parametrize("number", SIGNALS)
def test_fault_M5_a_login_in_flight_is_answered_before_the_end(
    tmp_path: Path, number: signal.Signals
) -> None:
    with RunningServer.start(tmp_path / "data", settings=ORIGIN) as server:
        slow = SlowLogin(server)
        time.sleep(0.2)
        server.process.send_signal(number)
        time.sleep(0.5)
        assert server.process.poll() is None, "it did not wait"
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", server.port), timeout=5)
        assert slow.finish().startswith(b"HTTP/1.1 200 ")
        assert server.stop() == 0


def test_fault_M5_a_second_signal_does_not_wait_for_requests(tmp_path: Path) -> None:
    settings = {**ORIGIN, "shutdown_grace_s": "60"}
    with RunningServer.start(tmp_path / "data", settings=settings) as server:
        slow = SlowLogin(server)
        time.sleep(0.2)
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert server.process.poll() is None
        begun = time.monotonic()
        assert server.stop(signal.SIGINT) == 0
        assert time.monotonic() - begun < 5
        slow.tls.close()
    assert server.find_log("server.stopped") is not None


def test_fault_M5_requests_that_never_end_are_cut_off_after_the_grace(tmp_path: Path) -> None:
    with RunningServer.start(tmp_path / "data", settings={**ORIGIN, "shutdown_grace_s": "1"}) as server:
        slow = SlowLogin(server)
        begun = time.monotonic()
        assert server.stop(signal.SIGTERM) == 0
        assert 0.9 <= time.monotonic() - begun <= 6
        slow.tls.close()
