"""What a second process gains: the busiest one's cost is the ceiling where cores are enough, the sum is the price.

One process, and two (a front for TLS and HTTP), are measured in the same run, by their time on a processor.
A front that is not busy keeps all connections; the blocks here are too short to make it so.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median

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
from bench.login import LOGINS, storm
from watchword.crypto.hpke import Suite
from watchword.protocol.envelope import Recipient

CLIENTS = 64
AT_ONCE = 8
NEW = 128
"""Connections, or logins over one each, in a block."""
BLOCKS = 15
LEAST_NEW = 1.3
SETTLES_S = 5.0

Pair = tuple[list[float], list[float]]
"""Milliseconds of each process in two blocks, one behind the other: what disturbs one disturbs its neighbour too."""
Work = Callable[["Setup"], Coroutine[None, None, int]]
"""Does one block, and says how many of what is counted it held."""


@dataclass(kw_only=True)
class Setup:
    """A server with its accounts, and connections that stay open."""

    server: Server
    accounts: list[Account]
    to: Recipient
    clients: list[tuple[Connection, Account]] = field(default_factory=list)


def run() -> list[Row]:
    works: dict[str, Work] = {
        "sealed login, kept connection": _log_in,
        "sealed login, new connection": _log_in_anew,
        "new connection and one request": _connect,
    }
    with ExitStack() as stack, asyncio.Runner() as runner:
        one, two = (_set_up(stack, runner, processes) for processes in (1, 2))
        rows = [_memory(setup, processes) for setup, processes in ((one, 1), (two, 2))]
        for setup in (one, two):
            runner.run(_open(setup))
        for what, work in works.items():
            pairs = _measure(runner, one, two, work)
            rows += _rows(what, pairs, LEAST_NEW if work is _log_in_anew else None)
    return rows


def _set_up(stack: ExitStack, runner: asyncio.Runner, processes: int) -> Setup:
    server = stack.enter_context(running_server(environ={"WATCHWORD_PROCESSES": str(processes)}))
    server.await_fronts(processes - 1)
    accounts = runner.run(register(server, [f"person{number:03}" for number in range(CLIENTS)]))
    return Setup(server=server, accounts=accounts, to=recipient(key_document(server), Suite.HYBRID))


async def _open(setup: Setup) -> None:
    setup.clients = [(await Connection(setup.server).open(), account) for account in setup.accounts]


def _measure(runner: asyncio.Runner, one: Setup, two: Setup, work: Work) -> list[Pair]:
    """Blocks turn about, once the server and its front have shared the work out."""
    ends = time.monotonic() + SETTLES_S
    pairs: list[Pair] = []
    while len(pairs) < BLOCKS:
        pair = _block(runner, one, work), _block(runner, two, work)
        if time.monotonic() > ends:
            pairs.append(pair)
    return pairs


def _block(runner: asyncio.Runner, setup: Setup, work: Work) -> list[float]:
    """Milliseconds of each process for one of what was done."""
    before = setup.server.cpu_of_each()
    count = runner.run(work(setup))
    after = setup.server.cpu_of_each()
    return [(late - early) / count * 1000 for early, late in zip(before, after, strict=True)]


async def _log_in(setup: Setup) -> int:
    await storm(setup.clients, setup.to)
    return LOGINS


async def _log_in_anew(setup: Setup) -> int:
    async def one(account: Account) -> None:
        connection = await Connection(setup.server).open()
        await log_in_once(connection, account, setup.to)
        connection.close()

    for start in range(0, NEW, AT_ONCE):
        await asyncio.gather(*(one(setup.accounts[(start + at) % CLIENTS]) for at in range(AT_ONCE)))
    return NEW


async def _connect(setup: Setup) -> int:
    async def one() -> None:
        connection = await Connection(setup.server).open()
        await connection.request("GET", "/health/live")
        connection.close()

    for _ in range(NEW // AT_ONCE):
        await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    return NEW


def _rows(what: str, pairs: list[Pair], least: float | None) -> list[Row]:
    gain = median(max(one) / max(two) for one, two in pairs)
    return [
        _row(f"{what}: one process", median(max(one) for one, _ in pairs), "ms"),
        _row(f"{what}: the server of two processes", median(two[0] for _, two in pairs), "ms"),
        _row(f"{what}: the busiest of two processes", median(max(two) for _, two in pairs), "ms"),
        _row(f"{what}: two processes together", median(sum(two) for _, two in pairs), "ms"),
        {
            "name": f"{what}: ceiling with two processes against one",
            "value": gain,
            "unit": "times",
            "limit": least,
            "ratio": None if least is None else gain / least,
            "goal": "" if least is None else f">= {least:g}",
            "holds": None if least is None else gain >= least,
        },
    ]


def _memory(setup: Setup, processes: int) -> Row:
    return _row(
        f"memory after {CLIENTS} registrations, {processes} process(es)", setup.server.share_mib(), "MiB"
    )


def _row(name: str, value: float, unit: str) -> Row:
    return {
        "name": name, "value": value, "unit": unit, "limit": None, "ratio": None, "goal": "", "holds": None,
    }  # fmt: skip
