"""Run a load, and lay down what a power cut at many moments would have left: one directory for each, with its ledger.

`python -m tests.kits.power_cut DATA IMAGES CUTS SEED`
"""

import asyncio
import json
import random
import sys
from pathlib import Path
from typing import Any

from tests.kits.fault_vfs import Disk, after_power_cut, install
from tests.kits.ledger import Load, attach

from watchword.server.db.sqlite import checkpoint
from watchword.server.db.sqlite.mark import Mark
from watchword.testing.databases import opened

NAME = "watchword.db"


def record_marks(disk: Disk) -> None:
    """The mark is written when a group's commit has returned, before anybody is told."""
    write: Any = Mark.write

    def noted(self: Mark, number: int) -> None:
        write(self, number)
        disk.note("mark", NAME, number)

    Mark.write = noted  # type: ignore[method-assign]  # to look on, not to change


def check_synced_at_marks(disk: Disk) -> int:
    """Raise if at any mark the log had a write that was not synced; return how many marks there were."""
    unsynced = marks = 0
    for kind, name, _ in disk.log:
        if kind == "write" and name.endswith("-wal"):
            unsynced += 1
        elif kind == "sync" and name.endswith("-wal"):
            unsynced = 0
        elif kind == "mark":
            assert unsynced == 0, "acknowledged before it was synced"
            marks += 1
    return marks


async def work(disk: Disk, path: Path) -> None:
    disk.recording = True
    async with opened(path) as database:
        await attach(database)
        load = Load(database, "cut", lambda line: disk.note("ledger", line))
        await asyncio.gather(*(load.client(12) for _ in range(8)))


def lay_down(disk: Disk, images: Path, cuts: int, chance: random.Random) -> None:
    start = next(place for place, event in enumerate(disk.log) if event[0] == "ledger")
    for number in range(cuts):
        log = disk.log[: chance.randrange(start, len(disk.log) + 1)]
        directory = images / str(number)
        directory.mkdir(mode=0o700)
        files = after_power_cut(log, chance)
        marks = [what for kind, _, what in log if kind == "mark"]
        if marks:
            (directory / "mark").write_text(str(marks[-1]))
        for name, data in files.items():
            (directory / name).write_bytes(data)
            (directory / name).chmod(0o600)
        (directory / "ledger").write_text(json.dumps([name for kind, name, _ in log if kind == "ledger"]))


def main(data: str, images: str, cuts: str, seed: str) -> None:
    disk, _vfs = install()
    checkpoint.START_PAGES = 40  # type: ignore[misc]  # so that cuts fall into checkpoints too
    record_marks(disk)
    asyncio.run(work(disk, Path(data) / NAME))
    print(check_synced_at_marks(disk), sum(event[0] == "sync" for event in disk.log))
    lay_down(disk, Path(images), int(cuts), random.Random(int(seed)))


if __name__ == "__main__":
    main(*sys.argv[1:])
