"""Serve with too little of something. `python -m tests.kits.short_of KIND DATA` prints one JSON object."""

import asyncio
import json
import os
import resource
import signal
import sys
from pathlib import Path

from tests.kits.bad_disk import READ, put
from tests.kits.ledger import INSERT

from watchword.errors import WatchwordError
from watchword.server.db.unit import Unit
from watchword.testing.databases import opened

BIG = 200_000


def limit(what: int, value: int) -> None:
    resource.setrlimit(what, (value, resource.getrlimit(what)[1]))


async def file_size(path: Path) -> dict[str, object]:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then the write fails with EFBIG
    refused = 0
    async with opened(path) as database:
        await database.commit(put("first"))
        limit(resource.RLIMIT_FSIZE, 700_000)
        for number in range(30):
            unit = Unit(b"k")
            unit.add(INSERT, {"name": f"big{number}", "value": bytes(BIG)})
            try:
                await database.commit(unit)
            except WatchwordError:
                refused += 1
        assert await database.fetch_one(READ, {"name": "first"}) == (b"x",)
        limit(resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
        await database.commit(put("after"))
    async with opened(path) as database:
        recovered = await database.fetch_one(READ, {"name": "after"}) == (b"x",)
    return {"refused": refused, "recovered": recovered}


def use_all_handles() -> list[int]:
    taken = []
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        return taken


async def handles(path: Path) -> dict[str, object]:
    limit(resource.RLIMIT_NOFILE, 256)
    async with opened(path) as database:
        taken = use_all_handles()
        for number in range(50):
            await database.commit(put(f"n{number}"))
        found = [await database.fetch_one(READ, {"name": f"n{number}"}) for number in range(50)]
        for handle in taken:
            os.close(handle)
    return {"done": found.count((b"x",))}


async def handles_at_start(path: Path) -> dict[str, object]:
    limit(resource.RLIMIT_NOFILE, 64)
    taken = use_all_handles()
    try:
        async with opened(path):
            error = None
    except WatchwordError as caught:
        error = type(caught).__name__
    for handle in taken:
        os.close(handle)
    async with opened(path) as database:
        await database.commit(put("works"))
    return {"error": error}


async def memory(path: Path) -> dict[str, object]:
    """Writes of 32 MB under a bound of 512 MB: some are refused, none is half done, and the rest goes on."""
    acknowledged, refused = [], 0
    async with opened(path) as database:
        limit(resource.RLIMIT_AS, 512 << 20)
        waiting = []
        for number in range(12):
            unit = Unit(b"%d" % number)
            try:
                value = bytes(32 << 20)
            except MemoryError:
                refused += 1
                continue
            unit.add(INSERT, {"name": f"big{number}", "value": value})
            waiting.append((number, asyncio.ensure_future(database.commit(unit))))
        for number, task in waiting:
            try:
                await task
                acknowledged.append(number)
            except (WatchwordError, MemoryError):
                refused += 1
        waiting.clear()
        await database.commit(put("small"))
        acknowledged.append(-1)
        limit(resource.RLIMIT_AS, resource.RLIM_INFINITY)
    async with opened(path) as database:
        rows = await database.fetch_all("select name from meta where name not in ('instance', 'group')", {})
    return {"acknowledged": len(acknowledged), "kept": len(rows), "refused": refused}


KINDS = {
    "file_size": file_size,
    "handles": handles,
    "handles_at_start": handles_at_start,
    "memory": memory,
}

if __name__ == "__main__":
    print(json.dumps(asyncio.run(KINDS[sys.argv[1]](Path(sys.argv[2]) / "watchword.db"))))
