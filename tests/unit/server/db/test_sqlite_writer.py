"""The group writer's bounds: its queue, and the log that it writes."""

import asyncio
from pathlib import Path

import pytest

from watchword.errors import OverloadedError
from watchword.server.db.sqlite import checkpoint, writer
from watchword.server.db.sqlite.connection import PAGE_SIZE
from watchword.server.db.unit import Unit
from watchword.testing.databases import opened

pytestmark = pytest.mark.anyio
INSERT = "insert into meta (name, value) values (:name, :value)"


def put(name: str, size: int = 1) -> Unit:
    unit = Unit(name.encode())
    unit.add(INSERT, {"name": name, "value": bytes([7]) * size})
    return unit


async def test_a_full_queue_refuses_and_what_it_holds_is_done(
    sqlite_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_QUEUE", 20)
    async with opened(sqlite_path) as database:
        outcomes = await asyncio.gather(
            *(database.commit(put(f"n{n}")) for n in range(50)), return_exceptions=True
        )
        assert [outcome is None for outcome in outcomes] == [True] * 20 + [False] * 30
        assert all(isinstance(outcome, OverloadedError) for outcome in outcomes[20:])
        await database.commit(put("later"))


async def test_the_log_stays_bounded_under_constant_writing(
    sqlite_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "START_PAGES", 50)
    monkeypatch.setattr(checkpoint, "LIMIT_PAGES", 200)
    largest = 0
    async with opened(sqlite_path) as database:

        async def client(name: str) -> None:
            nonlocal largest
            for n in range(60):
                await database.commit(put(f"{name}{n}", 2000))
                largest = max(largest, sqlite_path.with_name("watchword.db-wal").stat().st_size)

        await asyncio.gather(*(client(name) for name in "abcdefgh"))
    written = 8 * 60 * 2000
    assert largest < 400 * PAGE_SIZE
    assert sqlite_path.stat().st_size > written
    assert not sqlite_path.with_name("watchword.db-wal").exists()  # a clean stop leaves no log


async def test_groups_are_committed_together(sqlite_path: Path) -> None:
    read = "select value from meta where name = 'group'"
    async with opened(sqlite_path) as database:
        before = await database.fetch_one(read, {})
        await asyncio.gather(*(database.commit(put(f"n{n}")) for n in range(100)))
        after = await database.fetch_one(read, {})
    assert before is not None
    assert after is not None
    assert int.from_bytes(bytes(after[0]), "big") == int.from_bytes(bytes(before[0]), "big") + 1  # type: ignore[arg-type]  # blobs
