"""The door: how exact its limits are over HTTP, on one process and on two nodes that share Redis.

Three callers come at once, each from an address of its own: as fast as the limit says, twice and ten times as fast, for
half a minute. What was let in is set beside what the rule lets in: the burst, and the rate as long as it lasted.
"""

import asyncio
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.kits.attacker import Foothold
from tests.kits.nodes import Nodes, link_said, two_nodes
from tests.kits.process import RunningServer

from bench import Row, at_most
from watchword.testing.databases import PostgresServer
from watchword.testing.redis import RedisServer, create

BURST: Final = 600
WINDOW_S: Final = 10
PER_SECOND: Final = BURST / WINDOW_S
SECONDS: Final = 30.0
TIMES: Final = (1, 2, 10)
LINES: Final = 8
"""Connections of each caller to each server."""
OFF_BY: Final = 0.01
MOST_ROUND_TRIPS: Final = 1.0
ROUND_TRIPS = "round trips to Redis for a request, those that are refused here counted too"
MOST_TRIES: Final = 4
PATH: Final = "/.well-known/jwks.json"
SETTINGS: Final = {"limits.read": f"{BURST}/{WINDOW_S}s", "bans.policy": "off", "log.requests": "none"}
"""Nobody is banned for trying: what is measured is the limit."""


@dataclass(frozen=True, slots=True)
class Offered:
    requests: int
    admitted: int
    lasted: float
    """Seconds from the first to the last."""

    @property
    def rule(self) -> float:
        """Requests that the rule lets in."""
        return min(self.requests, BURST + PER_SECOND * self.lasted)


def run() -> list[Row]:
    with TemporaryDirectory() as folder:
        with RunningServer.start(Path(folder) / "a", settings={**SETTINGS, "processes": "1"}) as server:
            rows, _ = asyncio.run(_exactness([server], "one process"))
        return rows + _of_nodes(Path(folder) / "nodes")


def _of_nodes(place: Path) -> list[Row]:
    place.mkdir()
    redis, postgres = create(), PostgresServer.create()
    redis.start()
    postgres.start()
    try:
        with two_nodes(place, database=postgres.new(), redis=redis, settings=SETTINGS) as nodes:
            return _undisturbed(nodes)
    finally:
        redis.remove()
        postgres.remove()


def _undisturbed(nodes: Nodes) -> list[Row]:
    """Where Redis took too long, as on a machine that is busy with other things, each node did what it is told to do
    then: what was let in says nothing, and is measured again."""
    for _ in range(MOST_TRIES):
        said, before = _said(nodes), _scripts(nodes.redis)
        rows, requests = asyncio.run(_exactness(nodes.both, "two nodes on one Redis"))
        if _said(nodes) == said:
            return [
                *rows,
                at_most(ROUND_TRIPS, (_scripts(nodes.redis) - before) / requests, "", MOST_ROUND_TRIPS),
            ]
        print("Redis took too long: once more", file=sys.stderr)
    raise RuntimeError("Redis took too long each time: this machine is busy with other things")


def _said(nodes: Nodes) -> list[list[str]]:
    return [link_said(server) for server in nodes.both]


def _scripts(redis: RedisServer) -> int:
    """How many scripts it has run: one is a round trip."""
    found = re.search(rb"cmdstat_evalsha:calls=(\d+)", redis.command("INFO", "commandstats"))
    return int(found[1]) if found else 0


async def _exactness(servers: Sequence[RunningServer], where: str) -> tuple[list[Row], int]:
    """A row for each multiple, and how many requests there were."""
    found = await asyncio.gather(*(_offer(servers, f"127.20.0.{times}", times) for times in TIMES))
    rows = [
        _row(f"let in at {times} times a limit, {where}", each)
        for times, each in zip(TIMES, found, strict=True)
    ]
    return rows, sum(each.requests for each in found)


def _row(name: str, offered: Offered) -> Row:
    ratio = offered.admitted / offered.rule
    return {
        "name": name,
        "value": offered.admitted,
        "unit": "requests",
        "limit": offered.rule,
        "ratio": ratio,
        "goal": f"within {OFF_BY:.0%} of the rule",
        "holds": abs(ratio - 1) <= OFF_BY,
    }


async def _offer(servers: Sequence[RunningServer], address: str, times: int) -> Offered:
    """Requests at a steady pace, whatever becomes of them, to the servers in turn."""
    lines = [Foothold(server, address) for _ in range(LINES) for server in servers]
    await asyncio.gather(*(line.greet() for line in lines))
    pace = 1 / (PER_SECOND * times)
    total = int(SECONDS / pace)
    began = time.monotonic()
    sent: list[float] = []

    async def work(first: int, line: Foothold) -> int:
        admitted = 0
        for number in range(first, total, len(lines)):
            await asyncio.sleep(began + number * pace - time.monotonic())
            sent.append(time.monotonic())
            admitted += (await line.send("GET", PATH)).status == 200
        await line.close()
        return admitted

    admitted = await asyncio.gather(*(work(number, line) for number, line in enumerate(lines)))
    return Offered(requests=len(sent), admitted=sum(admitted), lasted=max(sent) - min(sent))
