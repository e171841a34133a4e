"""M6, M7, M9, M17 and the schema's version: what keeps SQLite from starting or writing, said clearly."""

import asyncio
import errno
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest
from tests.kits.bad_disk import READ, put

from watchword.errors import DamagedError, InvalidConfigError, UnavailableError, WatchwordError
from watchword.server.db import migrate
from watchword.server.db.migrate import Applied, Migration, plan
from watchword.server.db.sqlite.connection import connect
from watchword.server.db.sqlite.place import check_file
from watchword.server.db.unit import AuditedDatabase
from watchword.testing.counts import soaking
from watchword.testing.databases import opened


def start(path: Path) -> None:
    """Open and close."""

    async def once() -> None:
        async with opened(path) as database:
            await database.commit(put(f"n{time.monotonic_ns()}"))

    asyncio.run(once())


@contextmanager
def another_process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run `code` until the block ends; it says when it is ready."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        yield child
        child.kill()


LOCKS = """
import sys
from pathlib import Path
from watchword.server.db.sqlite.connection import connect
connection = connect(Path(sys.argv[1]))
connection.execute("begin exclusive")
print("ready", flush=True)
sys.stdin.read()
"""

OPENS = """
import asyncio, sys
from watchword.testing.databases import opened
async def main():
    async with opened(sys.argv[1]):
        print("ready", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.anyio
async def test_fault_M6_a_locked_database_refuses_in_five_seconds_and_loses_nothing(
    sqlite_path: Path,
) -> None:
    async with opened(sqlite_path) as database:
        await database.commit(put("before"))
        with another_process(LOCKS, sqlite_path):
            begun = time.monotonic()
            outcomes = await asyncio.gather(
                *(database.commit(put(f"locked{n}")) for n in range(20)), return_exceptions=True
            )
            assert time.monotonic() - begun <= (5 if soaking() else 15)  # here others use the machine
            assert all(isinstance(outcome, UnavailableError) for outcome in outcomes)
            assert await database.fetch_one(READ, {"name": "before"}) == (b"x",)
        await database.commit(put("after"))
        rows = await database.fetch_all("select name from meta where name not in ('instance', 'group')", {})
        assert {row[0] for row in rows} == {"before", "after"}


@pytest.mark.anyio
async def test_fault_M6_a_short_lock_is_waited_for(sqlite_path: Path) -> None:
    async with opened(sqlite_path) as database:
        with another_process(LOCKS, sqlite_path) as child:
            waiting = asyncio.ensure_future(database.commit(put("patient")))
            await asyncio.sleep(0.3)
            assert not waiting.done()
            child.kill()
            await waiting
        assert await database.fetch_one(READ, {"name": "patient"}) == (b"x",)


def read_only(path: Path) -> None:
    path.chmod(0o400)


def open_to_others(path: Path) -> None:
    path.chmod(0o666)


def readable_by_group(path: Path) -> None:
    path.chmod(0o640)


def symbolic_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def hard_link(path: Path) -> None:
    os.link(path, path.with_name("second"))


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def missing_directory(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


def file_for_directory(path: Path) -> None:
    missing_directory(path)
    path.parent.write_bytes(b"")


def directory_open_to_others(path: Path) -> None:
    path.parent.chmod(0o777)


def linked_log(path: Path) -> None:
    path.with_name(path.name + "-wal").symlink_to("/dev/null")


def linked_lock(path: Path) -> None:
    (path.parent / "lock").unlink()
    (path.parent / "lock").symlink_to("/dev/null")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (read_only, "is read-only"),
        (open_to_others, "chmod 600"),
        (readable_by_group, "chmod 600"),
        (symbolic_link, "symbolic link"),
        (hard_link, "second name"),
        (a_directory, "is not a file"),
        (missing_directory, "No such file or directory"),
        (file_for_directory, "is not a directory"),
        (directory_open_to_others, "chmod 700"),
        (linked_log, "symbolic link"),
        (linked_lock, "lock file"),
    ],
)
def test_fault_M7_a_wrong_file_is_refused_by_name(
    sqlite_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    start(sqlite_path)
    spoil(sqlite_path)
    with pytest.raises(InvalidConfigError, match=says):
        start(sqlite_path)


def test_fault_M7_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    foreign = Path("/etc/passwd")
    if os.geteuid() == 0:
        foreign = tmp_path / "foreign"
        foreign.touch(mode=0o600)
        os.chown(foreign, 12345, -1)
    with pytest.raises(InvalidConfigError, match="belongs to another user"):
        check_file(foreign)


@pytest.mark.parametrize("granted", [True, False])
def test_fault_M7_a_file_system_without_locks_is_refused(
    sqlite_path: Path, monkeypatch: pytest.MonkeyPatch, granted: bool
) -> None:
    """Some grant every lock, some know none: the system's call is what we replace here."""

    def flock(_descriptor: int, _how: int) -> None:
        if not granted:
            raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(InvalidConfigError, match="does not lock"):
        start(sqlite_path)


def test_fault_M9_a_second_process_is_refused_with_the_first_ones_number(sqlite_path: Path) -> None:
    with (
        another_process(OPENS, sqlite_path) as first,
        pytest.raises(InvalidConfigError, match=f"in use by process {first.pid}"),
    ):
        start(sqlite_path)
    start(sqlite_path)  # the lock went with its holder


@pytest.mark.anyio
async def test_fault_M9_a_second_database_in_one_process_is_refused(sqlite_path: Path) -> None:
    async with opened(sqlite_path):
        with pytest.raises(InvalidConfigError, match="in use"):
            async with opened(sqlite_path):
                pytest.fail("opened twice")


def test_a_file_that_is_no_database_is_refused(sqlite_path: Path) -> None:
    sqlite_path.write_bytes(b"not a database at all" * 500)
    sqlite_path.chmod(0o600)
    with pytest.raises(DamagedError, match="not a database"):
        start(sqlite_path)


def test_a_database_of_something_else_is_refused(sqlite_path: Path) -> None:
    foreign = apsw.Connection(str(sqlite_path), vfs="unix")
    foreign.execute("create table theirs (x)")
    foreign.close()
    sqlite_path.chmod(0o600)
    with pytest.raises(InvalidConfigError, match="not made by Watchword"):
        start(sqlite_path)


def alter(path: Path, statement: str) -> None:
    connection = connect(path)
    connection.execute(statement)
    connection.close()


def test_a_newer_database_is_refused(sqlite_path: Path) -> None:
    start(sqlite_path)
    alter(sqlite_path, "insert into schema_migrations values (9999, '9999_later.sql', x'00', 0)")
    with pytest.raises(InvalidConfigError, match="newer Watchword"):
        start(sqlite_path)


def test_a_changed_migration_is_refused(sqlite_path: Path) -> None:
    start(sqlite_path)
    alter(sqlite_path, "update schema_migrations set checksum = x'00' where number = 1")
    with pytest.raises(InvalidConfigError, match=r"0001_foundation\.sql"):
        start(sqlite_path)


def test_only_what_is_missing_is_applied() -> None:
    known = [Migration(number=n, name=f"{n:04}_x.sql", sql=f"select {n}") for n in (1, 2, 3)]
    applied = [Applied(m.number, m.name, m.checksum) for m in known]
    assert plan(known, []) == known
    assert plan(known, applied[:1]) == known[1:]
    assert plan(known, applied) == []


def test_a_failing_migration_leaves_nothing(sqlite_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = migrate.list_migrations()
    broken = Migration(number=9000, name="9000_broken.sql", sql="create table half (x); select nonsense")
    monkeypatch.setattr("watchword.server.db.sqlite.schema.list_migrations", lambda: [*whole, broken])
    with pytest.raises(apsw.SQLError):
        start(sqlite_path)
    monkeypatch.undo()
    start(sqlite_path)
    connection = connect(sqlite_path)
    assert not connection.table_exists("main", "half")
    connection.close()


@pytest.mark.anyio
async def test_a_lock_file_taken_away_ends_the_writing(
    sqlite_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("watchword.server.db.sqlite.checkpoint.START_PAGES", 1)
    async with opened(sqlite_path) as database:
        await database.commit(put("before"))
        (sqlite_path.parent / "lock").unlink()

        async def write_until_refused() -> None:
            for n in range(200):
                await database.commit(put(f"n{n}"))
                await asyncio.sleep(0.001)

        with pytest.raises(UnavailableError, match="lock file"):
            await write_until_refused()
        assert await database.fetch_one(READ, {"name": "before"}) == (b"x",)
    assert "takes no more writes" in caplog.text


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fault_M17_a_forked_child_cannot_use_the_parents_database(database_location: str | Path) -> None:
    asyncio.run(fork_and_use(database_location))


async def fork_and_use(location: str | Path) -> None:
    async with opened(location) as database:
        await database.commit(put("parent"))
        child = os.fork()
        if child == 0:
            os._exit(await refusals(database) ^ 3)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        await database.commit(put("parent still"))


async def refusals(database: AuditedDatabase) -> int:
    """In the child: a bit for each use that was refused."""
    refused = 0
    try:
        await database.commit(put("child"))
    except WatchwordError:
        refused |= 1
    try:
        await database.fetch_one(READ, {"name": "parent"})
    except WatchwordError:
        refused |= 2
    return refused
