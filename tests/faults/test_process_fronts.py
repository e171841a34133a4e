"""The real server with a front: it serves through it, and leaves nothing of it behind, however it ends."""

import signal
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from tests.edges.harness import Connection, throw_away_certificate
from tests.kits.process import RunningServer


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def sockets_of(pid: int) -> int:
    count = 0
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            count += str(handle.readlink()).startswith("socket:")
    return count


def eventually(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


def is_served_by(front: int, server: RunningServer, root: bytes | None = None) -> bool:
    """Whether a new connection gets its answer, and is the front's meanwhile."""
    before = sockets_of(front)
    trusted = (root or server.ca.read_bytes()).decode()
    connection = Connection(server.port, ssl.create_default_context(cadata=trusted))
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


def test_a_front_serves_plain_http_on_the_unix_socket_of_a_proxy(tmp_path: Path):
    path = tmp_path / "http.sock"
    settings = {
        "processes": "2",
        "listen": f"unix:{path}",
        "tls.mode": "off",
        "origin": "https://id.example.org",
    }
    with RunningServer.start(tmp_path / "data", settings=settings) as server:
        eventually(lambda: len(children_of(server.pid)) == 1)
        [front] = children_of(server.pid)
        before = sockets_of(front)

        def is_served() -> bool:
            with ExitStack() as stack:
                for _ in range(8):  # the server may keep some of them for itself
                    connection = stack.enter_context(socket.socket(socket.AF_UNIX))
                    connection.settimeout(60)
                    connection.connect(str(path))
                    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: id.example.org\r\n\r\n")
                    assert connection.recv(15) == b"HTTP/1.1 200 OK"
                return sockets_of(front) > before

        eventually(is_served)
    assert not path.exists()


def test_a_reload_gives_fronts_the_new_certificate_and_level(tmp_path: Path):
    certificates = [throw_away_certificate() for _ in range(2)]
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"

    def put(at: int) -> None:
        chain.write_bytes(certificates[at][0])
        key.write_bytes(certificates[at][1].reveal())
        key.chmod(0o600)

    put(0)
    files = {"tls.mode": "files", "tls.certificate": str(chain), "tls.key": str(key)}
    settings = {"processes": "2", "origin": "https://localhost", **files}
    with RunningServer.start(tmp_path / "data", settings=settings) as server:
        eventually(lambda: len(children_of(server.pid)) == 1)
        [front] = children_of(server.pid)
        eventually(lambda: is_served_by(front, server, certificates[0][0]))
        put(1)
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: server.find_log("server.reloaded") is not None)

        def serves_the_new_one() -> bool:
            with suppress(ssl.SSLError):
                return is_served_by(front, server, certificates[1][0])
            return False

        eventually(serves_the_new_one)
        assert children_of(server.pid) == [front]
