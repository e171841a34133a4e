"""N2 on a real server: a log that nobody reads, or whose reader has gone, stops nobody."""

import fcntl
import json
import os
import signal
import ssl
import subprocess
import time
from pathlib import Path

from tests.edges.harness import Connection
from tests.kits.process import PROGRAM, clean_environment

REQUESTS = 200
READ_SECONDS = 20


def start(data: Path, stderr: int) -> subprocess.Popen[bytes]:
    settings = {"WATCHWORD_DATA": str(data), "WATCHWORD_LISTEN": "127.0.0.1:0"}
    return subprocess.Popen(
        [str(PROGRAM), "serve"], env=clean_environment(settings), stdout=subprocess.DEVNULL, stderr=stderr
    )


def port_of(data: Path, process: subprocess.Popen[bytes]) -> int:
    for _ in range(6000):
        if (data / "address").exists() and (text := (data / "address").read_text()):
            return int(text.rpartition(":")[2])
        assert process.poll() is None
        time.sleep(0.01)
    raise AssertionError("the server did not start")


def ask(line: Connection, port: int) -> None:
    line.send(f"GET /api/told HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
    assert line.read().status == 401


def test_fault_N2_a_log_pipe_that_is_stuck_and_then_gone_stops_nobody(tmp_path: Path) -> None:
    data = tmp_path / "data"
    reader, number = os.pipe()
    fcntl.fcntl(number, fcntl.F_SETPIPE_SZ, 4096)
    process = start(data, number)
    os.close(number)
    try:
        port = port_of(data, process)
        tls = ssl.create_default_context(cadata=(data / "ca.pem").read_text())
        line = Connection(port, tls)
        for _ in range(REQUESTS):
            ask(line, port)
        told = read_until(reader, REQUESTS)
        assert [entry["event"] for entry in told].count("http.request") == REQUESTS
        os.close(reader)
        reader = -1
        for _ in range(REQUESTS):
            ask(line, port)
        line.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(READ_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        if reader >= 0:
            os.close(reader)


def read_until(reader: int, requests: int) -> list[dict[str, object]]:
    """Every line up to that many requests, whole; what waited is there once somebody reads."""
    text = b""
    while text.count(b'"http.request"') < requests or not text.endswith(b"\n"):
        piece = os.read(reader, 65_536)
        assert piece
        text += piece
    return [json.loads(line) for line in text.splitlines()]
