"""Make the disk fail under a serving database, and print what callers saw, as one JSON object.

`python -m tests.kits.bad_disk KIND DATA COUNT SEED`; raises when the database did what it must not.
"""

import asyncio
import json
import logging
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.kits.fault_vfs import Disk, install, no_space, sync_failure
from tests.kits.ledger import INSERT, Ledger, Load, attach

from watchword.errors import UnavailableError
from watchword.server.db.sqlite import checkpoint
from watchword.server.db.unit import AuditedDatabase, Unit
from watchword.testing.databases import opened

READ = "select value from meta where name = :name"
RECOVERS_WITHIN = 5.0


class Alarm(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.CRITICAL)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def fail_at(place: int, error: Callable[[], Exception], *, lasting: bool) -> Callable[[str], None]:
    """Fail at the call number `place`, and at every later one when `lasting`."""
    calls = 0

    def check(_name: str) -> None:
        nonlocal calls
        calls += 1
        if calls == place or (lasting and calls > place):
            raise error()

    return check


def put(name: str) -> Unit:
    unit = Unit(name.encode())
    unit.add(INSERT, {"name": name, "value": b"x"})
    return unit


async def recover(database: AuditedDatabase, name: str) -> None:
    until = time.monotonic() + RECOVERS_WITHIN
    while True:
        try:
            return await database.commit(put(name))
        except UnavailableError:
            assert time.monotonic() < until
        await asyncio.sleep(0.05)


async def full(disk: Disk, path: Path, rounds: int, chance: random.Random) -> dict[str, int]:
    """No space, at any write of the log or of a checkpoint; reads go on; writing recovers by itself."""
    ledger = Ledger()
    for round_ in range(rounds):
        async with opened(path) as database:
            await attach(database)
            await database.commit(put(f"before{round_}"))
            disk.before_write = fail_at(chance.randint(1, 60), no_space, lasting=chance.random() < 0.7)
            load = Load(database, f"full{round_}", ledger.say)
            await asyncio.gather(*(load.client(4) for _ in range(6)))
            assert await database.fetch_one(READ, {"name": f"before{round_}"}) == (b"x",)
            disk.before_write = None
            await recover(database, f"after{round_}")
            await ledger.compare(database)
    async with opened(path) as database:
        await ledger.compare(database)
    return {"refused": len(ledger.refused), "acknowledged": len(ledger.acknowledged)}


async def unsynced(disk: Disk, path: Path, rounds: int, chance: random.Random) -> dict[str, object]:
    """The sync fails once: the request fails, nothing is written any more, reads go on, somebody is told."""
    alarm = Alarm()
    logging.getLogger("watchword").addHandler(alarm)
    for round_ in range(rounds):
        async with opened(path) as database:
            for number in range(chance.randint(1, 5)):
                await database.commit(put(f"good{round_}-{number}"))
            disk.before_sync = fail_at(1, sync_failure, lasting=False)
            await refused(database, f"lost{round_}")
            disk.log.clear()
            disk.recording = True
            for number in range(3):
                await refused(database, f"later{round_}-{number}")
            assert await database.fetch_one(READ, {"name": f"good{round_}-0"}) == (b"x",)
        disk.recording = False
        assert not [event for event in disk.log if event[0] == "write"], "written after a failed sync"
        disk.before_sync = None
        async with opened(path) as database:
            assert await database.fetch_one(READ, {"name": f"good{round_}-0"}) == (b"x",)
            assert await database.fetch_one(READ, {"name": f"later{round_}-0"}) is None
    return {"alarms": len(alarm.said), "rounds": rounds}


async def unsynced_checkpoint(
    disk: Disk, path: Path, rounds: int, chance: random.Random
) -> dict[str, object]:
    """The sync of the main file fails, in a checkpoint: what was acknowledged is in the log, and stays there."""
    alarm = Alarm()
    logging.getLogger("watchword").addHandler(alarm)

    def check(name: str) -> None:
        if name == path.name:
            raise sync_failure()

    for round_ in range(rounds):
        done = 0
        async with opened(path) as database:
            disk.before_sync = check
            try:
                while done < 500:
                    await database.commit(put(f"n{round_}-{done}"))
                    done += 1
                    await asyncio.sleep(chance.uniform(0, 0.002))
            except UnavailableError:
                await refused(database, f"late{round_}")
        disk.before_sync = None
        async with opened(path) as database:
            for number in range(done):
                assert await database.fetch_one(READ, {"name": f"n{round_}-{number}"}) == (b"x",)
        assert 0 < done < 500, "a failed checkpoint went unnoticed"
    return {"alarms": len(alarm.said), "rounds": rounds}


async def refused(database: AuditedDatabase, name: str) -> None:
    try:
        await database.commit(put(name))
    except UnavailableError:
        return
    raise AssertionError("acknowledged without a sync")


def main(kind: str, data: str, rounds: str, seed: str) -> None:
    disk, _vfs = install()
    if kind != "unsynced":  # whose faults are meant for the log alone
        checkpoint.START_PAGES = 30  # type: ignore[misc]  # so that faults meet checkpoints too
    work = {"full": full, "unsynced": unsynced, "unsynced_checkpoint": unsynced_checkpoint}[kind]
    path = Path(data) / "watchword.db"
    print(json.dumps(asyncio.run(work(disk, path, int(rounds), random.Random(int(seed))))))


if __name__ == "__main__":
    main(*sys.argv[1:])
