"""A complete sealed login (begin and login, on a device) over HTTPS keep-alive, durable and audited: the server's cost.

Clients come in waves: all begin, then all log in at once. They share the machine with the server, and one of them costs
as much as it does: were each to go on as soon as it could, they would thin out what a busy server sees together.
"""

import asyncio
import time

import msgspec

from bench import Row
from bench.kit import (
    Account,
    Connection,
    Server,
    granted,
    key_document,
    login_flow,
    recipient,
    register,
    running_server,
    stretched,
)
from watchword.client.effects import Call, Effect, Stretch
from watchword.crypto.hpke import Suite
from watchword.protocol.envelope import Recipient

CLIENTS = 64
WAVES = 4
LOGINS = CLIENTS * WAVES
"""In one block. The best of the blocks is quoted: what else runs on the machine only ever adds."""
BLOCKS = 12
LIMITS_MS = {Suite.X25519: 0.45, Suite.HYBRID: 0.55}
LEAST_PER_CORE = 2000


def run() -> list[Row]:
    rows = []
    with running_server() as server:
        accounts = asyncio.run(register(server, [f"person{number:03}" for number in range(CLIENTS)]))
        document = key_document(server)
        for suite, limit in LIMITS_MS.items():
            cpu, wall = asyncio.run(_measure(server, accounts, recipient(document, suite)))
            rows += _rows(suite, limit, cpu / LOGINS * 1000, LOGINS / cpu, LOGINS / wall)
    return rows


async def _measure(server: Server, accounts: list[Account], to: Recipient) -> tuple[float, float]:
    """Seconds of processor and of the clock for the cheapest block, on connections that stay open."""
    clients = [(await Connection(server).open(), account) for account in accounts]
    await storm(clients, to)
    blocks = []
    for _ in range(BLOCKS):
        before, began = server.cpu_seconds(), time.monotonic()
        await storm(clients, to)
        blocks.append((server.cpu_seconds() - before, time.monotonic() - began))
    for connection, _ in clients:
        connection.close()
    return min(blocks)


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


async def storm(clients: list[tuple[Connection, Account]], to: Recipient) -> None:
    for _ in range(WAVES):
        flows = [login_flow(account, to) for _, account in clients]
        begins = [next(flow) for flow in flows]
        sealed = [flow.send(answer) for flow, answer in zip(flows, await _send(clients, begins), strict=True)]
        logins = [
            flow.send(stretched(stretch.password, stretch.salt, stretch.params))
            for flow, stretch in zip(flows, sealed, strict=True)
            if isinstance(stretch, Stretch)
        ]
        for flow, answer in zip(flows, await _send(clients, logins), strict=True):
            try:
                flow.send(answer)
            except StopIteration as end:
                granted(end.value)


async def _send(clients: list[tuple[Connection, Account]], effects: list[Effect]) -> list[bytes]:
    """All at once; everything is sealed and encoded before the first byte is sent."""
    bodies = [
        (effect.path, msgspec.json.encode(effect.body)) for effect in effects if isinstance(effect, Call)
    ]
    answers = await asyncio.gather(
        *(
            connection.request("POST", path, body)
            for (connection, _), (path, body) in zip(clients, bodies, strict=True)
        )
    )
    if any(status != 200 for status, _ in answers):
        raise RuntimeError(f"refused: {answers[0]}")
    return [body for _, body in answers]
