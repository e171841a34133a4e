"""M3, M6, M12 through the whole server: the disk is full, the database is locked, PostgreSQL goes away and returns.

Then: changes are refused with 503 and `Retry-After`, who is known stays known (`/api/me`, the published keys), the
process lives, and it recovers by itself within five seconds.
"""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.kits.commands import Shell
from tests.kits.mixed_load import Crowd, Line, Person, check_person, enrol
from tests.kits.process import RunningServer
from tests.kits.unready import environment, serve

from watchword.client.flows import account, api
from watchword.client.flows.account import NewAccount
from watchword.core.entropy import SystemEntropy
from watchword.core.secret import Secret
from watchword.errors import ErrorCode, WatchwordError
from watchword.protocol.chest import RecoveryKey
from watchword.protocol.passwords import prepare
from watchword.testing.counts import count, soaking
from watchword.testing.databases import PostgresServer

ORIGIN = {"origin": "https://id.example.org"}
RECOVERY_SECONDS = 5.0 if soaking() else 30.0
REFUSAL_SECONDS = 5.5 if soaking() else 15.0
"""Five, and the way there and back; more on a machine that does other things at the same time."""
STOP_SECONDS = 10.0 if soaking() else 30.0


def register(line: Line, name: str) -> tuple[Person | None, WatchwordError | None]:
    entropy = SystemEntropy()
    new = NewAccount(username=name, password=prepare("violet kangaroo plays chess"))
    flow = account.register(new, RecoveryKey.generate(entropy), to=line.recipient(), entropy=entropy)
    made, error = line.try_run(flow)
    if made is None:
        return None, error
    return Person(username=name, registered=True, temporary=made.temporary_token), None


def settled(line: Line) -> tuple[Person, Secret]:
    """Somebody with a device and a live session."""
    person, error = register(line, "settled")
    assert person is not None, error
    person.enrol_asked, person.enrolled = True, line.run(enrol(person, line.recipient()))
    token = Secret.from_text(person.enrolled.grant.access_token)
    person.live = (person.enrolled.grant.session.id, token)
    return person, token


def assert_reads_go_on(line: Line, token: Secret) -> None:
    assert line.run(api.who_am_i(token)).account.username == "settled"
    assert line.send("GET", "/.well-known/jwks.json")[0] == 200
    assert line.send("GET", "/health/live")[0] == 200


def assert_writes_are_refused(line: Line, token: Secret, session: str) -> None:
    begun = time.monotonic()
    status, _, headers = line.send("DELETE", f"/api/sessions/{session}", token=token)
    assert status == 503
    assert int(headers["retry-after"]) >= 1
    assert time.monotonic() - begun <= REFUSAL_SECONDS


def until_it_works(line: Line, name: str) -> Person:
    """Register somebody, trying until the server has recovered."""
    ends, number = time.monotonic() + RECOVERY_SECONDS, 0
    while True:
        person, error = register(line, f"{name}{number}")
        if person is not None:
            return person
        assert error is not None
        assert error.code in {ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED}, error
        assert time.monotonic() <= ends, "it does not come true"
        number += 1
        time.sleep(0.1)


def assert_whole(server: RunningServer, settings: dict[str, str]) -> None:
    assert server.stop() == 0
    text = server.log_text()
    assert "Traceback" not in text
    assert all(line.startswith("{") for line in text.splitlines())
    done = Shell(environ=environment(server.data, settings)).run("audit", "verify")
    assert done.code == 0, done


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "none", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small disk; the file size limit stands in for it")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path) -> Path:
    """Take all that is left."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (65536, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
    return filler


def test_fault_M3_a_full_disk_refuses_changes_and_goes_on_knowing_people(small_disk: Path) -> None:
    data = small_disk / "data"
    with RunningServer.start(data, settings=ORIGIN) as server, contextlib.closing(Line(server)) as line:
        person, token = settled(line)
        assert person.live is not None
        for turn in range(count(2, 30)):
            filler = fill(small_disk)
            refused = [register(line, f"full{turn}x{n}") for n in range(4)]
            assert any(error and error.code is ErrorCode.UNAVAILABLE for _, error in refused)
            assert_writes_are_refused(line, token, person.live[0])
            assert_reads_go_on(line, token)
            filler.unlink()
            made = [each for each, _ in refused if each] + [until_it_works(line, f"free{turn}x")]
            for each in made:
                check_person(line, each)
        check_person(line, person)
        assert_whole(server, ORIGIN)


@pytest.mark.timeout(900)
def test_fault_M3_a_start_and_a_stop_on_a_full_disk_say_so(small_disk: Path) -> None:
    """The disk is full at one point of the first start or another."""
    data = small_disk / "data"
    for left in range(0, 256 * 1024, count(60, 4) * 1024):
        filler = fill(small_disk)
        os.truncate(filler, filler.stat().st_size - left)
        done = serve(data, ORIGIN, program=("timeout", "-s", "TERM", "3"))
        assert done.code in {0, 2, 3, 124}, done
        assert "internal error" not in done.err
        assert "Traceback" not in done.err
        filler.unlink()
    with RunningServer.start(data, settings=ORIGIN) as server:
        filler = fill(small_disk)
        assert server.stop() == 0
    assert server.find_log("server.stopped") is not None
    filler.unlink()
    with RunningServer.start(data, settings=ORIGIN) as server:
        assert_whole(server, ORIGIN)


def test_fault_M3_a_limit_of_file_sizes_refuses_changes_and_recovers(tmp_path: Path) -> None:
    with RunningServer.start(tmp_path / "data", settings=ORIGIN) as server:
        with contextlib.closing(Line(server)) as line:
            person, token = settled(line)
            assert person.live is not None
            log = (server.data / "watchword.db-wal").stat().st_size
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (log, resource.RLIM_INFINITY))
            assert_writes_are_refused(line, token, person.live[0])
            assert_reads_go_on(line, token)
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, unlimited)
            check_person(line, until_it_works(line, "free"))
            check_person(line, person)
        assert_whole(server, ORIGIN)


def test_fault_M6_a_locked_database_refuses_changes_within_five_seconds(tmp_path: Path) -> None:
    with RunningServer.start(tmp_path / "data", settings=ORIGIN) as server:
        with contextlib.closing(Line(server)) as line:
            person, token = settled(line)
            assert person.live is not None
            with locked(server.data / "watchword.db"):
                ends = time.monotonic() + count(1, 25)
                while True:
                    assert_writes_are_refused(line, token, person.live[0])
                    assert_reads_go_on(line, token)
                    if time.monotonic() > ends:
                        break
            check_person(line, until_it_works(line, "free"))
            check_person(line, person)
        assert_whole(server, ORIGIN)


LOCK = """
import sys
from pathlib import Path
from watchword.server.db.sqlite.connection import connect
connection = connect(Path(sys.argv[1]))
connection.execute("begin exclusive")
print("ready", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process has the database for itself, as a backup tool that hangs would."""
    command = [sys.executable, "-c", LOCK, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        yield
        child.kill()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that a test may stop."""
    server = PostgresServer.create()
    server.start()
    yield server
    server.remove()


def test_fault_M12_postgres_stops_at_once_and_returns_under_load(
    tmp_path: Path, own_postgres: PostgresServer
) -> None:
    settings = {**ORIGIN, "database": own_postgres.new()}
    with RunningServer.start(tmp_path / "data", settings=settings) as server:
        with contextlib.closing(Line(server)) as line:
            person, _ = settled(line)
            for turn in range(count(2, 20)):
                with Crowd(server, f"pg{turn}x", workers=3) as crowd:
                    time.sleep(0.7)
                    own_postgres.stop(signal.SIGQUIT)
                    wait_for(partial(has_been_refused, crowd), within=60)  # the server is patient first
                    status, _, headers = line.send("GET", "/health/ready")
                    assert status == 503
                    assert "retry-after" in headers
                    assert line.send("GET", "/.well-known/jwks.json")[0] == 200
                    own_postgres.start()
                    until_it_works(line, f"back{turn}x")
                    wait_for(partial(crowd.goes_on_after, crowd.acknowledged))
                assert crowd.failures.keys() <= {"unavailable", "overloaded", "begin_again"}, crowd.failures
                for each in crowd.people[-8:]:
                    check_person(line, each)
            check_person(line, person)
        assert_whole(server, settings)


def test_fault_M12_a_stop_while_postgres_is_away_is_clean(
    tmp_path: Path, own_postgres: PostgresServer
) -> None:
    settings = {**ORIGIN, "database": own_postgres.new()}
    with RunningServer.start(tmp_path / "data", settings=settings) as server:
        own_postgres.stop(signal.SIGQUIT)
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun <= STOP_SECONDS
        assert "Traceback" not in server.log_text()
    done = serve(tmp_path / "data", settings)
    assert done.code == 3
    assert done.err.splitlines()[-1].startswith("watchword: ")
    assert "internal error" not in done.err
    own_postgres.start()
    with RunningServer.start(tmp_path / "data", settings=settings) as server:
        assert_whole(server, settings)


def has_been_refused(crowd: Crowd) -> bool:
    return crowd.failures["unavailable"] > 0


def wait_for(true: Callable[[], bool], *, within: float = RECOVERY_SECONDS) -> None:
    ends = time.monotonic() + within
    while not true():
        assert time.monotonic() <= ends, "it does not come true"
        time.sleep(0.05)
