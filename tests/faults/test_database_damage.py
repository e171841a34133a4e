"""M8: bytes that change on the disk are noticed, at the start and when they are read; wrong data is never served."""

import asyncio
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

from watchword.errors import DamagedError, InvalidConfigError, WatchwordError
from watchword.server.db.sqlite.connection import PAGE_SIZE
from watchword.server.db.unit import Unit
from watchword.testing.counts import count
from watchword.testing.databases import opened

ROWS = 400
INSERT = "insert into meta (name, value) values (:name, :value)"
READ = "select value from meta where name = :name"
ALL = "select name, value from meta where name like 'row%' order by name"
NAME = "watchword.db"


def content() -> dict[str, bytes]:
    chance = random.Random(8)
    return {f"row{n:04}": chance.randbytes(chance.randint(20, 700)) for n in range(ROWS)}


async def fill(path: Path, rows: dict[str, bytes]) -> None:
    """Two halves: what is in the main file, and what is in the log only when this is copied before the close."""
    async with opened(path) as database:
        for name, value in rows.items():
            unit = Unit(name.encode())
            unit.add(INSERT, {"name": name, "value": value})
            await database.commit(unit)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory as a clean stop leaves it."""
    directory = tmp_path_factory.mktemp("closed")
    directory.chmod(0o700)
    asyncio.run(fill(directory / NAME, content()))
    return directory


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory as a killed process leaves it: half of the rows are in the log only."""
    source, directory = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("killed")
    source.chmod(0o700)
    rows = list(content().items())
    asyncio.run(fill(source / NAME, dict(rows[: ROWS // 2])))

    async def work() -> None:
        async with opened(source / NAME) as database:
            for name, value in rows[ROWS // 2 :]:
                unit = Unit(name.encode())
                unit.add(INSERT, {"name": name, "value": value})
                await database.commit(unit)
            shutil.copytree(source, directory, dirs_exist_ok=True)

    asyncio.run(work())
    directory.chmod(0o700)
    return directory


def change_byte(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= chance.randint(1, 255)


def zero_page(data: bytearray, chance: random.Random) -> None:
    page = chance.randrange(len(data) // PAGE_SIZE)
    data[page * PAGE_SIZE : (page + 1) * PAGE_SIZE] = bytes(PAGE_SIZE)


def random_page(data: bytearray, chance: random.Random) -> None:
    page = chance.randrange(len(data) // PAGE_SIZE)
    data[page * PAGE_SIZE : (page + 1) * PAGE_SIZE] = chance.randbytes(PAGE_SIZE)


def swap_pages(data: bytearray, chance: random.Random) -> None:
    first, second = chance.sample(range(1, len(data) // PAGE_SIZE), 2)
    pages = [data[n * PAGE_SIZE : (n + 1) * PAGE_SIZE] for n in (first, second)]
    data[first * PAGE_SIZE : (first + 1) * PAGE_SIZE] = pages[1]
    data[second * PAGE_SIZE : (second + 1) * PAGE_SIZE] = pages[0]


def truncate(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


Harm = Callable[[bytearray, random.Random], None]
HARMS: list[Harm] = [change_byte, change_byte, zero_page, random_page, swap_pages, truncate]


@dataclass(slots=True)
class Tally:
    refused: int = 0
    right: int = 0


async def look(path: Path, tally: Tally) -> None:
    """Refused, or everything is right."""
    try:
        async with opened(path) as database:
            rows = await database.fetch_all(ALL, {})
    except (DamagedError, InvalidConfigError):
        tally.refused += 1
        return
    assert dict(rows) == content(), "wrong data was served"  # type: ignore[arg-type]  # pairs
    tally.right += 1


def harm_and_look(source: Path, file: Path, harm: Harm, chance: random.Random, tally: Tally) -> None:
    """Copy `source` to the directory of `file`, harm that file, look, and remove the copy."""
    shutil.copytree(source, file.parent)
    data = bytearray(file.read_bytes())
    harm(data, chance)
    file.write_bytes(data)
    asyncio.run(look(file.parent / NAME, tally))
    shutil.rmtree(file.parent)


@pytest.mark.timeout(600)
def test_fault_M8_a_damaged_file_is_refused_or_served_right(closed: Path, tmp_path: Path) -> None:
    chance = random.Random(81)
    tally = Tally()
    variants = count(18, 60)
    for n in range(variants):
        harm_and_look(closed, tmp_path / f"{n}" / NAME, HARMS[n % len(HARMS)], chance, tally)
    assert tally.refused > variants * 0.8  # the rest fell on free space or on a page like its neighbour


@pytest.mark.timeout(600)
def test_fault_M8_a_damaged_log_is_refused_or_served_right(killed: Path, tmp_path: Path) -> None:
    chance = random.Random(82)
    tally = Tally()
    variants = count(12, 40)
    for n in range(variants):
        harm = (change_byte, truncate, random_page)[n % 3]
        harm_and_look(killed, tmp_path / f"{n}" / f"{NAME}-wal", harm, chance, tally)
    assert tally.refused > variants * 0.6  # the rest fell behind the last frame, or on the log's first half
    right = tally.right
    shutil.copytree(killed, tmp_path / "unharmed")
    asyncio.run(look(tmp_path / "unharmed" / NAME, tally))
    assert tally.right == right + 1


def test_fault_M8_a_missing_log_is_refused(killed: Path, tmp_path: Path) -> None:
    tally = Tally()
    shutil.copytree(killed, tmp_path / "x")
    (tmp_path / "x" / f"{NAME}-wal").unlink()
    asyncio.run(look(tmp_path / "x" / NAME, tally))
    assert tally.refused == 1


@pytest.mark.anyio
async def test_fault_M8_a_page_changed_under_a_running_server_is_noticed_when_read(
    closed: Path, tmp_path: Path
) -> None:
    shutil.copytree(closed, tmp_path / "x")
    path = tmp_path / "x" / NAME
    rows = content()
    refused = right = 0
    async with opened(path) as database:
        data = bytearray(path.read_bytes())
        chance = random.Random(83)
        for page in range(2, len(data) // PAGE_SIZE):
            if chance.random() < 0.3:
                data[page * PAGE_SIZE + chance.randrange(PAGE_SIZE)] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        for name, value in rows.items():
            try:
                found = await database.fetch_one(READ, {"name": name})
            except DamagedError:
                refused += 1
            else:
                assert found == (value,)
                right += 1
        with pytest.raises(WatchwordError):
            await database.commit(Unit(b"k"))  # a damaged database takes no more writes
    assert refused > 20
    assert right > 20


def test_fault_M8_a_lost_end_of_a_long_value_is_reported(
    sqlite_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A page of zeros may be right, so it is said and not refused; see `report_zeros`."""
    long = random.Random(84).randbytes(3 * PAGE_SIZE)
    asyncio.run(fill(sqlite_path, {"long": long}))
    data = bytearray(sqlite_path.read_bytes())
    place = data.index(long[-64:]) // PAGE_SIZE * PAGE_SIZE
    data[place : place + PAGE_SIZE] = bytes(PAGE_SIZE)
    sqlite_path.write_bytes(data)
    asyncio.run(fill(sqlite_path, {"other": b""}))
    assert "pages of zeros in use" in caplog.text


def test_fault_M8_a_large_file_is_checked_while_it_serves(
    closed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("watchword.server.db.sqlite.check.FOREGROUND_SIZE", 0)
    shutil.copytree(closed, tmp_path / "x")
    path = tmp_path / "x" / NAME
    data = bytearray(path.read_bytes())
    data[data.index(content()["row0200"])] ^= 1  # a page that the start does not need
    path.write_bytes(data)

    async def serve() -> None:
        async with opened(path) as database:
            for _ in range(3000):
                await asyncio.sleep(0.02)
                if "takes no more writes" in caplog.text:
                    break
            unit = Unit(b"k")
            unit.add(INSERT, {"name": "late", "value": b""})
            with pytest.raises(DamagedError):
                await database.commit(unit)

    asyncio.run(serve())


def test_a_database_without_checksums_is_refused(tmp_path: Path) -> None:
    """A copy without checksums (a dump read back, say) is refused, not served unguarded."""
    directory = tmp_path / "x"
    directory.mkdir(mode=0o700)
    plain = apsw.Connection(str(directory / NAME), vfs="unix")
    plain.execute("create table meta (name text primary key, value blob)")
    plain.close()
    (directory / NAME).chmod(0o600)
    with pytest.raises(InvalidConfigError, match="no page checksums"):
        asyncio.run(look_strictly(directory / NAME))


async def look_strictly(path: Path) -> None:
    async with opened(path):
        pytest.fail("opened")
