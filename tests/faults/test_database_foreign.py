"""M6: another program opens the live database; the locks that keep the log in its place are never dropped."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.kits.bad_disk import READ, put

from watchword.server.db.sqlite import check
from watchword.server.db.sqlite.connection import PAGE_SIZE
from watchword.server.db.unit import AuditedDatabase, Unit
from watchword.testing.databases import opened

LOCKS = Path("/proc/locks")
FOREIGN = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute("select count(*) from meta").fetchone()[0])
connection.close()
"""


def look_from_outside(path: Path) -> int:
    """The rows that a plain SQLite sees, in a process of its own that opens, reads and closes."""
    command = [sys.executable, "-c", FOREIGN, str(path)]
    return int(subprocess.run(command, check=True, capture_output=True, timeout=240).stdout)


def is_locked(path: Path) -> bool:
    """Whether this process holds a lock of POSIX on `path`."""
    for line in LOCKS.read_text().splitlines():
        words = [word for word in line.split() if word != "->"]
        if (
            words[1] == "POSIX"
            and words[4] == str(os.getpid())
            and words[5].endswith(f":{path.stat().st_ino}")
        ):
            return True
    return False


async def fill(database: AuditedDatabase, pages: int) -> None:
    """Rows of about a page each."""
    for number in range(pages):
        unit = Unit(b"%d" % number)
        unit.add(
            "insert into meta (name, value) values (:name, :value)",
            {"name": f"page{number}", "value": os.urandom(PAGE_SIZE - 600)},
        )
        await database.commit(unit)


@pytest.mark.skipif(not LOCKS.exists(), reason="NOT CHECKED: no /proc/locks here to see our locks in")
@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.anyio
async def test_fault_M6_the_locks_are_held_after_the_check_at_the_start(
    sqlite_path: Path, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    async with opened(sqlite_path) as database:
        await database.commit(put("before"))
    checked = asyncio.Event()
    if size == "large":
        monkeypatch.setattr(check, "FOREGROUND_SIZE", 0)
        watch_background(monkeypatch, checked)
    else:
        checked.set()
    async with opened(sqlite_path) as database:
        assert await database.fetch_one(READ, {"name": "before"}) == (b"x",)
        await asyncio.wait_for(checked.wait(), 60)
        assert is_locked(sqlite_path)
    assert not is_locked(sqlite_path)


def watch_background(monkeypatch: pytest.MonkeyPatch, checked: asyncio.Event) -> None:
    """Set `checked` when the check beside the serving server is through."""
    loop, whole = asyncio.get_running_loop(), check._check_while_serving

    def work(path: Path) -> None:
        whole(path)
        loop.call_soon_threadsafe(checked.set)

    monkeypatch.setattr(check, "_check_while_serving", work)


@pytest.mark.anyio
async def test_fault_M6_a_foreign_reader_takes_nothing_with_it(sqlite_path: Path) -> None:
    async with opened(sqlite_path) as database:
        await database.commit(put("before"))
    log = sqlite_path.with_name(sqlite_path.name + "-wal")
    async with opened(sqlite_path) as database:
        await database.commit(put("first"))
        seen = look_from_outside(sqlite_path)
        assert log.exists()
        for number in range(20):
            await database.commit(put(f"after{number}"))
            await asyncio.sleep(0)
        assert look_from_outside(sqlite_path) == seen + 20
        await database.commit(put("last"))
    async with opened(sqlite_path) as database:
        for name in ["before", "first", *(f"after{number}" for number in range(20)), "last"]:
            assert await database.fetch_one(READ, {"name": name}) == (b"x",)


@pytest.mark.anyio
async def test_a_database_of_any_size_passes_its_check(
    sqlite_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A read of many pages at once is not taken for one page with a wrong checksum."""
    async with opened(sqlite_path) as database:
        await fill(database, 2 * check._BLOCK_PAGES)
    assert sqlite_path.stat().st_size > 2 * check._BLOCK_PAGES * PAGE_SIZE
    assert check.is_small(sqlite_path)
    async with opened(sqlite_path) as database:
        assert await database.fetch_one(READ, {"name": "page0"}) is not None
    assert "zeros" not in caplog.text
