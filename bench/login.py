"""A complete sealed login (begin and login) over HTTPS keep-alive, durable and audited: what it costs the server."""

import asyncio
import time

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
from watchword.crypto.hpke import Suite
from watchword.protocol.envelope import Recipient

CLIENTS = 16
LOGINS = 3000
LIMITS_MS = {Suite.X25519: 0.45, Suite.HYBRID: 0.55}
LEAST_PER_CORE = 2000


def run() -> list[Row]:
    rows = []
    with running_server() as server:
        accounts = [register(server, f"person{number:03}") for number in range(CLIENTS)]
        document = key_document(server)
        for suite, limit in LIMITS_MS.items():
            to = recipient(document, suite)
            asyncio.run(_storm(server, accounts, to, LOGINS // 10))
            cpu, wall = min(_measure(server, accounts, to) for _ in range(3))
            rows += _rows(suite, limit, cpu / LOGINS * 1000, LOGINS / cpu, LOGINS / wall)
    return rows


def _measure(server: Server, accounts: list[Account], to: Recipient) -> tuple[float, float]:
    before, began = server.cpu_seconds(), time.monotonic()
    asyncio.run(_storm(server, accounts, to, LOGINS))
    return server.cpu_seconds() - before, time.monotonic() - began


def _rows(suite: Suite, limit: float, milliseconds: float, per_core: float, per_second: float) -> list[Row]:
    return [
        {
            "name": f"sealed login, {suite.value}: server CPU",
            "value": milliseconds,
            "unit": "ms",
            "limit": limit,
            "ratio": milliseconds / limit,
            "goal": f"<= {limit} ms",
            "holds": milliseconds <= limit,
        },
        {
            "name": f"sealed login, {suite.value}: per second of one core",
            "value": per_core,
            "unit": "logins/s",
            "limit": None,
            "ratio": per_core / LEAST_PER_CORE,
            "goal": f">= {LEAST_PER_CORE}",
            "holds": per_core >= LEAST_PER_CORE,
        },
        {
            "name": f"sealed login, {suite.value}: with clients on the same two cores",
            "value": per_second,
            "unit": "logins/s",
            "limit": None,
            "ratio": None,
            "goal": "",
            "holds": None,
        },
    ]


async def _storm(server: Server, accounts: list[Account], to: Recipient, logins: int) -> None:
    async def client(account: Account) -> None:
        connection = await Connection(server).open()
        for _ in range(logins // len(accounts)):
            await log_in_once(connection, account, to)
        connection.close()

    await asyncio.gather(*(client(account) for account in accounts))
