"""How long others wait during a storm of logins at the shed limit, beside how long they wait when it is quiet.

The storm comes from a process of its own with low priority, so that its hunger for the two cores is not what is
measured: 400 connections, each of which logs in again as soon as it is answered, more than the server admits at once.
"""

import asyncio
import multiprocessing
import os
import statistics
import time
from multiprocessing.synchronize import Event

from bench import Row
from bench.kit import (
    Account,
    Connection,
    Server,
    key_document,
    log_in_once,
    recipient,
    register,
    running_server,
)
from watchword.errors import BeginAgainError, OverloadedError

CONNECTIONS = 400
ACCOUNTS = 32
SAMPLES = 2000
EVERY_S = 0.004
MOST = 3.0
PATHS = ("/health/live", "/.well-known/jwks.json")


def run() -> list[Row]:
    return [_measure(processes) for processes in (1, 2)]


def _measure(processes: int) -> Row:
    with running_server(environ={"WATCHWORD_PROCESSES": str(processes)}) as server:
        server.await_fronts(processes - 1)
        accounts = asyncio.run(register(server, [f"person{number:03}" for number in range(ACCOUNTS)]))
        quiet = asyncio.run(_sample(server))
        context = multiprocessing.get_context("fork")
        ready, over = context.Event(), context.Event()
        storm = context.Process(target=_storm, args=(server, accounts, ready, over))
        storm.start()
        ready.wait(60)
        loud = asyncio.run(_sample(server))
        over.set()
        storm.join(30)
        if storm.exitcode != 0:
            raise RuntimeError("the storm did not blow")
    limit, value = _p99(quiet), _p99(loud)
    beside = f", {processes} processes" if processes > 1 else ""
    return {
        "name": f"p99 of other requests during a storm of {CONNECTIONS} logins at once{beside}",
        "value": value * 1000,
        "unit": "ms",
        "limit": limit * 1000,
        "ratio": value / limit,
        "goal": f"<= {MOST:g} times the quiet p99",
        "holds": value <= MOST * limit,
    }


def _p99(samples: list[float]) -> float:
    return statistics.quantiles(samples, n=100)[98]


async def _sample(server: Server) -> list[float]:
    """Latencies of cheap requests, one after another at a steady pace."""
    connection = await Connection(server).open()
    taken = []
    for number in range(SAMPLES):
        await asyncio.sleep(EVERY_S)
        began = time.perf_counter()
        status, _ = await connection.request("GET", PATHS[number % len(PATHS)])
        taken.append(time.perf_counter() - began)
        if status != 200:
            raise RuntimeError(f"status {status}")
    connection.close()
    return taken


def _storm(server: Server, accounts: list[Account], ready: Event, over: Event) -> None:
    os.nice(10)
    asyncio.run(_blow(server, accounts, ready, over))


async def _blow(server: Server, accounts: list[Account], ready: Event, over: Event) -> None:
    to = recipient(key_document(server))
    connections = [await Connection(server).open() for _ in range(CONNECTIONS)]

    shed = 0

    async def client(connection: Connection, account: Account) -> None:
        nonlocal shed
        while not over.is_set():
            try:
                await log_in_once(connection, account, to)
            except OverloadedError:
                shed += 1
                await asyncio.sleep(0.05)
            except BeginAgainError:
                await asyncio.sleep(0.05)

    ready.set()
    await asyncio.gather(
        *(client(connection, accounts[at % ACCOUNTS]) for at, connection in enumerate(connections))
    )
    if not shed:
        raise RuntimeError("nothing was shed: this was no storm")
    for connection in connections:
        connection.close()
