"""The server as a process: it says where it is, stops cleanly, and comes back on the same data."""

import signal
from pathlib import Path

import pytest
from tests.kits.process import RunningServer


def test_it_names_its_address_in_the_log_and_in_a_file_and_stops_with_zero(tmp_path: Path) -> None:
    with RunningServer.start(tmp_path / "data") as server:
        assert server.logs()[0]["address"] == server.address
        assert (server.data / "address").read_text() == f"{server.address}\n"
        assert server.origin in server.output()
        assert server.stop() == 0
    assert server.find_log("server.stopped") is not None


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
