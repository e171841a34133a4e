"""The real server with a front: it serves through it, and leaves nothing of it behind, however it ends."""

import signal
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.edges.harness import Connection
from tests.kits.process import RunningServer


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def sockets_of(pid: int) -> int:
    return sum(str(handle.readlink()).startswith("socket:") for handle in Path(f"/proc/{pid}/fd").iterdir())


def eventually(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


def is_served_by(front: int, server: RunningServer) -> bool:
    """Whether a new connection gets its answer, and is the front's meanwhile."""
    before = sockets_of(front)
    connection = Connection(server.port, ssl.create_default_context(cafile=str(server.ca)))
    connection.send(b"GET /health/live HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % server.port)
    assert connection.read().status == 200
    while_open = sockets_of(front)
    connection.close()
    return while_open > before


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_fault_M5_a_server_takes_its_front_along_however_it_ends(tmp_path: Path, end: signal.Signals):
    with RunningServer.start(tmp_path / "data", settings={"processes": "2"}) as server:
        eventually(lambda: len(children_of(server.pid)) == 1)
        [front] = children_of(server.pid)
        eventually(lambda: is_served_by(front, server))
        assert server.stop(end) == (0 if end is signal.SIGTERM else -end)
        eventually(lambda: not Path(f"/proc/{front}").exists())
    assert server.find_log("http.front_lost") is None
