"""The server as a process: it says where it is, stops cleanly, and comes back on the same data."""

import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from tests.kits.process import PROGRAM, RunningServer, clean_environment


def test_it_names_its_address_in_the_log_and_in_a_file_and_stops_with_zero(tmp_path: Path) -> None:
    with RunningServer.start(tmp_path / "data") as server:
        assert server.logs()[0]["address"] == server.address
        assert (server.data / "address").read_text() == f"{server.address}\n"
        assert server.origin in server.output()
        assert server.stop() == 0
    assert server.find_log("server.stopped") is not None


def test_fault_N1_it_leaves_no_core_dump_with_keys_in_it(tmp_path: Path) -> None:
    with RunningServer.start(tmp_path / "data") as server:
        limits = Path(f"/proc/{server.pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_either_signal_ends_it_without_a_traceback(tmp_path: Path, how: signal.Signals) -> None:
    with RunningServer.start(tmp_path / "data") as server:
        assert server.stop(how) == 0
    assert "Traceback" not in server.log_text()


def test_after_a_kill_it_starts_again_with_the_same_root(tmp_path: Path) -> None:
    with RunningServer.start(tmp_path / "data") as server:
        root = server.ca.read_bytes()
        server.kill()
    with RunningServer.start(tmp_path / "data") as again:
        assert again.ca.read_bytes() == root


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="origin"):
        RunningServer.start(tmp_path / "data", settings={"listen": "192.0.2.1:0"})


def test_an_address_that_somebody_else_listens_on_meanwhile_is_a_usage_error(tmp_path: Path) -> None:
    """Two may bind one address before either listens; the one that comes second says so."""
    with socket.socket() as other, (tmp_path / "log").open("wb") as log:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{other.getsockname()[1]}"
        environ = clean_environment({"WATCHWORD_DATA": str(tmp_path / "data"), "WATCHWORD_LISTEN": address})
        server = subprocess.Popen([str(PROGRAM), "serve"], env=environ, stdout=subprocess.DEVNULL, stderr=log)
        while "server.starting" not in (tmp_path / "log").read_text() and server.poll() is None:
            time.sleep(0.002)
        other.listen()
        assert server.wait(60) == 2
    said = (tmp_path / "log").read_text()
    assert "cannot listen: Address already in use" in said
    assert "internal error" not in said
