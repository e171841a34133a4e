"""What the door costs: a request that it lets in, and one of a caller who is banned, beside the cheapest page.

Requests are made in this process, as the connection hands them to the application: what is measured is processor time,
and no connection is part of it. What a banned caller's connection costs is measured on a server of its own.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from tests.kits.attacker import SOCKET, Foothold
from tests.kits.process import RunningServer
from tests.kits.world import ORIGIN, World, open_world

from bench import Row, at_most
from bench.kit import cpu_seconds_of
from watchword.core.ids import RequestId
from watchword.server.context import RequestContext
from watchword.server.control.client import ControlClient
from watchword.server.http.endpoint import Request
from watchword.server.http.headers import Headers
from watchword.server.http.wire import RESPOND

BATCH: Final = 300
ROUNDS: Final = 20
CONNECTIONS: Final = 400
MOST_US: Final = 15.0
CHEAPER: Final = 5.0
PAGE: Final = "/login"
"""The cheapest one."""
REFUSED: Final = "/register"
"""A page that no ban lets through."""
CALLER, BANNED = "127.30.0.1", "127.31.0.1"
Step = Callable[[], Awaitable[object]]


def run() -> list[Row]:
    return [*asyncio.run(_of_requests()), *_of_connections()]


async def _of_requests() -> list[Row]:
    with TemporaryDirectory() as folder:
        async with open_world(Path(folder) / "data", limits__read="1000000/1s") as world:
            door = await _best(_door(world))
            page = await _best(_request(world, CALLER))
            await world.services.bans.add(BANNED, by={}, confirmed=True)
            refused = await _best(_request(world, BANNED, REFUSED, 429))
    return [
        at_most("the door, for each request that it lets in", door, "µs", MOST_US),
        _cheaper("refusing a request of a banned caller, beside the page for signing in", refused, page),
    ]


async def _best(step: Step) -> float:
    """Microseconds of this process for one, in the cheapest of some batches: others only ever add."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(BATCH):
            await step()
        found.append((time.process_time() - began) / BATCH * 1e6)
    return min(found)


def _request(world: World, address: str, page: str = PAGE, status: int = 200) -> Step:
    """One request for `page`, from its scope to its bytes."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": page,
        "raw_path": page.encode(),
        "query_string": b"",
        "client": (address, 40_000),
        "headers": [(b"host", ORIGIN.removeprefix("https://").encode()), (b"accept", b"text/html")],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: object) -> None:
        raise RuntimeError("answers are handed over whole")

    def respond(answered: int, _lines: bytes, _body: bytes) -> None:
        if answered != status:
            raise RuntimeError(f"{answered} instead of {status}")

    async def step() -> None:
        await world.app({**scope, "extensions": {RESPOND: respond}}, receive, send)

    return step


def _door(world: World) -> Step:
    """All that the gate does for a request that comes in and goes: a look at the bans, the buckets, a place."""
    route = next(each for each in world.services.page_routes if (each.method, each.path) == ("GET", PAGE))
    context = RequestContext(
        request_id=RequestId.new(world.clock.now(), world.entropy),
        now=world.clock.now(),
        address=CALLER,
        shown_address=CALLER,
        user_agent="",
    )
    request = Request(
        context=context,
        method="GET",
        raw_path=PAGE.encode(),
        headers=Headers([]),
        authorization=None,
        path_parameters={},
        query={},
    )

    async def step() -> None:
        await world.gate.check(request, route)
        world.gate.leave(await world.gate.reserve(request, route, ""))

    return step


def _cheaper(name: str, value: float, beside: float) -> Row:
    return {
        "name": name,
        "value": value,
        "unit": "µs",
        "limit": beside,
        "ratio": beside / value,
        "goal": f">= {CHEAPER:g} times cheaper",
        "holds": beside >= CHEAPER * value,
    }


def _of_connections() -> list[Row]:
    with TemporaryDirectory() as folder:
        settings = {"log.requests": "none", "processes": "1"}
        with RunningServer.start(Path(folder) / "data", settings=settings) as server:
            page = asyncio.run(_connect(server, CALLER, settled=100))
            with ControlClient.connect(server.data / SOCKET) as control:
                control.call("bans.add", {"network": BANNED, "confirmed": True})
            refused = asyncio.run(_connect(server, BANNED, settled=20))
    return [
        _cheaper(
            "refusing a connection of a banned caller, beside one that asks for that page", refused, page
        )
    ]


async def _connect(server: RunningServer, address: str, settled: int) -> float:
    """Microseconds of the server for one connection with a request, after the first ones."""
    for number in range(settled + CONNECTIONS):
        if number == settled:
            before = cpu_seconds_of(server.pid)
        foothold = Foothold(server, address)
        with contextlib.suppress(ConnectionError):
            await foothold.send("GET", PAGE)
        await foothold.close()
    return (cpu_seconds_of(server.pid) - before) / CONNECTIONS * 1e6
