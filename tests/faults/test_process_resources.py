"""M16, M17, and the rule that stands above all rows: what is refused costs no memory, no handles and no tasks."""

import contextlib
import multiprocessing
import os
import resource
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kits import mixed_load
from tests.kits.commands import Shell
from tests.kits.mixed_load import Crowd, Line, check_person
from tests.kits.process import PROGRAM, RunningServer
from tests.kits.unready import environment, open_folder, serve

from watchword.core.entropy import SystemEntropy
from watchword.testing import components
from watchword.testing.counts import count

ORIGIN = {"origin": "https://id.example.org"}
RSS_MB = 64
RECOVERY_SECONDS = 60.0
"""Handshakes that never came are closed after ten, and a busy machine has its own time."""


def rss_mb(server: RunningServer) -> float:
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def handles(server: RunningServer) -> int:
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))


def settle(server: RunningServer, most: int) -> int:
    """The number of open handles once it is at most `most`, or after a while."""
    ends = time.monotonic() + RECOVERY_SECONDS
    while (found := handles(server)) > most and time.monotonic() < ends:
        time.sleep(0.1)
    return found


REFUSED = (
    ("GET", "/api/me", None, 401),
    ("GET", "/nowhere", None, 404),
    ("POST", "/api/login", b'{"envelope": "' + b"A" * 60_000 + b'"}', 403),
    ("POST", "/api/login", b"[" * 50_000, 400),
    ("POST", "/api/login/begin", b'{"envelope":"' + b"x" * 1000 + b"." + b"y" * 1000 + b'"}', 403),
    ("POST", "/api/register", b"x" * 70_000, 413),
    ("DELETE", "/api/login", None, 405),
)


def refuse(line: Line, times: int) -> None:
    for number in range(times):
        method, path, body, expected = REFUSED[number % len(REFUSED)]
        assert line.send(method, path, body)[0] == expected, (method, path)


def test_refused_requests_leave_no_memory_and_no_handles(tmp_path: Path) -> None:
    with RunningServer.start(tmp_path / "data") as server:
        with contextlib.closing(Line(server)) as line:
            refuse(line, 200)
            before, open_before = rss_mb(server), handles(server)
            refuse(line, count(1500, 5000))
            assert rss_mb(server) - before <= RSS_MB
            assert handles(server) <= open_before + 1
            assert line.send("GET", "/health/ready")[0] == 200
        for _ in range(count(60, 1000)):
            hang_up(server)
        assert settle(server, open_before) <= open_before
        assert rss_mb(server) - before <= RSS_MB
        threads = len(list(Path(f"/proc/{server.pid}/task").iterdir()))
        assert threads <= 24
        assert server.stop() == 0
    assert "loop.exception" not in server.log_text()
    assert "Traceback" not in server.log_text()


def hang_up(server: RunningServer) -> None:
    """Ask for something and leave in the middle of it."""
    context = ssl.create_default_context(cadata=server.ca.read_text())
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    with context.wrap_socket(plain, server_hostname="localhost") as connection:
        host = server.origin.removeprefix("https://").encode()
        connection.sendall(b"POST /api/login HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: 5000\r\n")
        connection.sendall(b"Content-Type: application/json\r\n\r\n{")


def test_fault_M16_more_connections_than_handles_are_refused_and_it_recovers(tmp_path: Path) -> None:
    with RunningServer.start(tmp_path / "data", settings=ORIGIN) as server:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (256, 256))
        with contextlib.closing(Line(server)) as line:
            line.recipient()
            waiting = [socket.create_connection(("127.0.0.1", server.port), timeout=60) for _ in range(400)]
            time.sleep(0.5)
            assert handles(server) <= 256
            assert server.process.poll() is None
            assert line.send("GET", "/health/live")[0] == 200, "who is connected is served"
            for each in waiting:
                each.close()
        assert settle(server, 40) <= 40
        with Crowd(server, "after", workers=2) as crowd:
            assert goes_on(crowd)
        assert not crowd.failures
        assert server.stop() == 0
    assert "Traceback" not in server.log_text()
    assert len(server.logs()) < 2000, "it fills the log while it is short of handles"


def goes_on(crowd: Crowd) -> bool:
    """Whether more is acknowledged than until now, within a while."""
    before, ends = crowd.acknowledged, time.monotonic() + RECOVERY_SECONDS
    while not crowd.goes_on_after(before) and time.monotonic() < ends:
        time.sleep(0.01)
    return crowd.goes_on_after(before)


def fails_soon(crowd: Crowd) -> None:
    """Wait until somebody was refused, or a while."""
    ends = time.monotonic() + RECOVERY_SECONDS
    while not crowd.failures.total() and time.monotonic() < ends:
        time.sleep(0.01)


def test_fault_M16_no_memory_refuses_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address space is bounded to what the server has: nothing new begins, and it lives on; then all is well."""
    monkeypatch.setattr(mixed_load, "TIMEOUT_SECONDS", 4)
    with RunningServer.start(tmp_path / "data", settings=ORIGIN) as server:
        with contextlib.closing(Line(server)) as line:
            refuse(line, 70)  # what everybody needs is there by now
        open_before = handles(server)
        with Crowd(server, "short", workers=4) as crowd:
            assert goes_on(crowd), "nobody was served before memory was short"
            has = int(Path(f"/proc/{server.pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            resource.prlimit(server.pid, resource.RLIMIT_AS, (has, resource.RLIM_INFINITY))
            time.sleep(count(3, 30))
            fails_soon(crowd)
            assert server.process.poll() is None
            resource.prlimit(server.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            assert crowd.failures.total() > 0, "nothing was short"
            assert goes_on(crowd), "it does not recover"
        assert crowd.failures.keys() <= {"overloaded", "unreachable"}, crowd.failures
        with contextlib.closing(Line(server)) as line:
            assert line.send("GET", "/health/ready")[0] == 200
            for person in crowd.people[-8:]:
                check_person(line, person)
        assert settle(server, open_before) <= open_before
        assert server.stop() == 0
    assert "Traceback" not in server.log_text()
    assert Shell(environ=environment(server.data, ORIGIN)).run("audit", "verify").code == 0


def test_fault_M16_the_server_starts_in_512_megabytes_of_address_space(tmp_path: Path) -> None:
    megabytes = 512
    command = f"ulimit -v {megabytes * 1024}; exec {PROGRAM} serve"
    data = tmp_path / "data"
    with subprocess.Popen(
        ["sh", "-c", command],
        env=environment(data, ORIGIN),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        ends = time.monotonic() + RECOVERY_SECONDS
        while not (data / "address").exists() and process.poll() is None and time.monotonic() < ends:
            time.sleep(0.02)
        started = (data / "address").exists()
        process.terminate()
        _, errors = process.communicate(timeout=240)
    assert started, errors.decode()
    assert process.returncode == 0


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as found:
        yield found


def limit_threads(server: RunningServer, user: int, soft: str) -> None:
    """As that user: a container's root may not touch the limits of others' processes."""
    becoming = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    command = [*becoming, "prlimit", f"--nproc={soft}", "--pid", str(server.pid)]
    subprocess.run(command, check=True, timeout=240)


def test_fault_M16_without_threads_slow_hashes_are_refused_and_come_back(folder: Path) -> None:
    """The limit of threads holds for users other than root: so for one who has nothing else."""
    components.require_root("only root can run a server as somebody else, whose threads are counted apart")
    user = 40_000 + os.getpid() % 20_000
    data = folder / "data"
    data.mkdir(mode=0o700)
    os.chown(data, user, user)
    program = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", str(PROGRAM))
    settings = {**ORIGIN, "passwords.server_hash": "argon2id"}
    with RunningServer.start(data, settings=settings, program=program) as server:
        limit_threads(server, user, "1:")
        with Crowd(server, "threads", workers=2) as crowd:
            ends = time.monotonic() + RECOVERY_SECONDS
            while crowd.failures.total() < 2 and time.monotonic() < ends:  # one for each worker
                time.sleep(0.01)
            assert crowd.failures.keys() == {"overloaded"}, crowd.failures
            assert server.process.poll() is None
            limit_threads(server, user, "10000:")
            assert goes_on(crowd), "it does not recover"
        assert crowd.failures.keys() == {"overloaded"}, crowd.failures
        assert server.stop() == 0
    assert "Traceback" not in server.log_text()


def test_fault_M16_a_start_without_threads_is_refused_with_a_sentence(folder: Path) -> None:
    components.require_root("only root can run a server as somebody else, whose threads are counted apart")
    user = 20_000 + os.getpid() % 20_000
    data = folder / "data"
    data.mkdir(mode=0o700)
    os.chown(data, user, user)
    program = ("prlimit", "--nproc=1", "setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups")
    done = serve(data, ORIGIN, program=program)
    assert done.code == 3, done
    assert "thread" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("place", ["/nonexistent", "unwritable"])
def test_fault_M16_no_place_for_temporary_files_is_no_matter(tmp_path: Path, place: str) -> None:
    closed = tmp_path / "unwritable"
    closed.mkdir(mode=0o000)
    where = str(closed) if place == "unwritable" else place
    with RunningServer.start(tmp_path / "data", settings=ORIGIN, environ={"TMPDIR": where}) as server:
        with Crowd(server, "t", workers=2) as crowd:
            assert goes_on(crowd)
        assert not crowd.failures
        assert server.stop() == 0


FAILING_ENTROPY = """
import os, sys
import watchword.server.app, watchword.server.config  # imports draw too, for hash tables and the like
from watchword.cli.main import main
good, left = os.urandom, [int(sys.argv.pop(1))]
def urandom(size):
    if left[0] == 0:
        raise OSError(38, "no source of randomness")
    left[0] -= 1
    return good(size)
os.urandom = urandom
main()
"""


def test_fault_M16_without_randomness_nothing_is_made(tmp_path: Path) -> None:
    """The source fails at the n-th use of the first start: a refusal, and no key that was made of less."""
    environ = environment(tmp_path / "data", ORIGIN)
    for good in (0, 1, 2, 5, 11, 23)[: count(4, 6)]:
        command = [sys.executable, "-c", FAILING_ENTROPY, str(good), "serve"]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=240)
        assert done.returncode == 3, done
        assert "no random bytes" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "data" / "address").exists()
    with RunningServer.start(tmp_path / "data", settings=ORIGIN) as server:
        assert server.stop() == 0


def test_fault_M17_a_forked_child_does_not_repeat_its_parents_randomness() -> None:
    context = multiprocessing.get_context("fork")
    parts, entropy = context.SimpleQueue(), SystemEntropy()
    entropy.bytes(32)
    children = [context.Process(target=_draw, args=(entropy, parts)) for _ in range(4)]
    for child in children:
        child.start()
    drawn = [entropy.bytes(32) for _ in range(50)]
    drawn += [each for _ in children for each in parts.get()]
    for child in children:
        child.join()
    assert len(set(drawn)) == len(drawn) == 250


def _draw(entropy: SystemEntropy, parts: "multiprocessing.SimpleQueue[list[bytes]]") -> None:
    parts.put([entropy.bytes(32) for _ in range(50)])


def test_fault_M17_the_server_is_one_process(tmp_path: Path) -> None:
    """It forks nowhere: nobody shares a handle of the database or a memory of used keys."""
    with RunningServer.start(tmp_path / "data", settings=ORIGIN) as server:
        with Crowd(server, "one", workers=2):
            time.sleep(0.5)
        for process in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                parent = int(process.read_text().rpartition(")")[2].split()[1])
                assert parent != server.pid, process
        assert server.stop() == 0


ENTROPY_BY_FILE = """
import os, sys
import watchword.server.app, watchword.server.config
from watchword.cli.main import main
good, flag = os.urandom, sys.argv.pop(1)
def urandom(size):
    if os.path.exists(flag):
        raise OSError(38, "no source of randomness")
    return good(size)
os.urandom = urandom
main()
"""


def test_fault_M16_randomness_that_ends_while_serving_refuses_and_comes_back(tmp_path: Path) -> None:
    data, flag = tmp_path / "data", tmp_path / "gone"
    out, log = tmp_path / "data.out", tmp_path / "data.log"
    command = [sys.executable, "-c", ENTROPY_BY_FILE, str(flag), "serve"]
    with out.open("wb") as told, log.open("wb") as logged:
        process = subprocess.Popen(command, env=environment(data, ORIGIN), stdout=told, stderr=logged)
    server = RunningServer(data=data, process=process)
    server._await_ready()
    with server, contextlib.closing(Line(server)) as line:
        line.recipient()
        flag.touch()
        for path in ("/api/login", "/api/register", "/api/login/begin", "/api/devices"):
            assert line.send("POST", path, b'{"envelope": "AAAA.AAAA"}')[0] in {500, 503}
        flag.unlink()
        with Crowd(server, "after", workers=2) as crowd:
            time.sleep(0.5)
        assert crowd.acknowledged > 0
        assert not crowd.failures
        assert server.stop() == 0
    assert "Traceback" not in server.log_text()
