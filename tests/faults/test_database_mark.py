"""M5: the mark beside the database cannot be written. The commit before it stands, and everybody is told so."""

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.kits.bad_disk import READ, put
from tests.kits.ledger import EVENT, attach

from watchword.errors import ConflictError, DamagedError
from watchword.server.db.sqlite.mark import mark_path
from watchword.server.db.unit import AuditedDatabase, Unit
from watchword.testing.databases import opened

pytestmark = pytest.mark.anyio
FULL = Path("/dev/full")
SEQUENCE = "select name from meta where name like 'seq:%' order by name"


def noted(name: str) -> Unit:
    unit = put(name)
    unit.note(EVENT)
    return unit


@contextmanager
def no_space_for_the_mark(path: Path) -> Iterator[None]:
    """The kernel itself answers ENOSPC where this process writes its mark."""
    if not FULL.exists():
        pytest.skip("NOT CHECKED: no /dev/full here")
    (descriptor,) = _open_on(mark_path(path))
    kept, full = os.dup(descriptor), os.open(FULL, os.O_RDWR)
    os.dup2(full, descriptor)
    try:
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
        os.close(full)


def _open_on(path: Path) -> list[int]:
    links = [each for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return [int(link.name) for link in links if link.readlink() == path]


def said(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [line.getMessage() for line in caplog.records if line.levelno == level and "mark" in line.message]


async def check(database: AuditedDatabase, names: list[str]) -> None:
    for name in names:
        assert await database.fetch_one(READ, {"name": name}) == (b"x",)
    entries = await database.fetch_all(SEQUENCE, {})
    assert [row[0] for row in entries] == [f"seq:{n + 1}" for n in range(len(names))]


async def test_fault_M5_a_commit_stands_when_its_mark_cannot_be_written(
    sqlite_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ["before", "during", "more", "last"]
    async with opened(sqlite_path) as database:
        await attach(database)
        await database.commit(noted("before"))
        with no_space_for_the_mark(sqlite_path):
            for name in names[1:]:
                await database.commit(noted(name))
            with pytest.raises(ConflictError):
                await database.commit(noted("during"))
        assert len(said(caplog, logging.CRITICAL)) == 1
        await check(database, names)
    async with opened(sqlite_path) as database:  # the mark is older than the database
        await check(database, names)


async def test_fault_M5_the_next_mark_that_can_be_written_covers_those_that_could_not(
    sqlite_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(sqlite_path) as database:
        await attach(database)
        await database.commit(noted("first"))
    older = sqlite_path.read_bytes()
    async with opened(sqlite_path) as database:
        await attach(database)
        with no_space_for_the_mark(sqlite_path):
            await asyncio.gather(*(database.commit(noted(f"n{n}")) for n in range(5)))
        await database.commit(noted("healed"))
        assert len(said(caplog, logging.WARNING)) == 1
    sqlite_path.write_bytes(older)
    with pytest.raises(DamagedError, match="lost acknowledged changes"):
        async with opened(sqlite_path):
            pass
