"""The real login's transaction against bare group commit of the same statements on the same tables, in turns.

Ours is what a login commits: the guard on the account, the end of the device's earlier session, the new session, and
the audit entry, whose salted commitments and place in the chain are made while the group runs. Bare is SQLite through
apsw alone: the same statements, 128 logins to a transaction, the same settings, checkpoints included. What a login
decides before it has a unit of work is made beforehand for both.
"""

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import apsw
import uvloop

from bench import Row
from bench.start import make_account
from watchword.core.clock import SystemClock, later
from watchword.core.entropy import SystemEntropy
from watchword.core.ids import DeviceId, SessionId
from watchword.crypto.aead import VersionedKey
from watchword.crypto.keyring import DataKeyPurpose
from watchword.server.accounts.model import Account
from watchword.server.accounts.sql import SQLAccountStore
from watchword.server.audit.chain import AuditChain
from watchword.server.audit.entry import ChainHead
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.config import load_config
from watchword.server.core import Core, open_core
from watchword.server.db.dialect import for_sqlite
from watchword.server.db.sqlite.connection import configure, connect
from watchword.server.db.unit import Step, Unit, Value
from watchword.server.devices.model import Device
from watchword.server.devices.sql import SQLDeviceStore
from watchword.server.sessions.model import SESSION_END, SESSION_LIFE, Session
from watchword.server.sessions.sql import SQLSessionStore

CLIENTS = 128
ROUNDS = 9
GROUPS = 60
"""Groups of 128 in one round: a few tenths of a second."""
GOAL = 0.7
Bound = tuple[str, tuple[Value, ...]]


class Logins:
    """The units of work of 128 accounts that log in again and again, as `server/sessions` makes them."""

    def __init__(self, core: Core, people: Sequence[tuple[Account, DeviceId]]) -> None:
        self._accounts = SQLAccountStore(core.database)
        self._sessions = SQLSessionStore(core.database)
        self._people = itertools.cycle(people)
        self._clock, self._entropy = SystemClock(), SystemEntropy()

    def next(self) -> Unit:
        account, device = next(self._people)
        now = self._clock.now()
        session = Session(
            id=SessionId.new(now, self._entropy),
            account_id=account.id,
            device_id=device,
            seed=self._entropy.bytes(32),
            sign_in_version=1,
            counter=1,
            auth_time=now,
            created_at=now,
            expires_at=later(now, SESSION_LIFE),
            ends_at=later(now, SESSION_END),
            address="127.0.0.1",
            user_agent="watchword/0.1.0",
        )
        unit = Unit(key=account.id.value)
        self._accounts.require_current(unit, account)
        self._sessions.insert(unit, session)
        facts = {
            "account": str(account.id),
            "request": str(session.id),
            "device": str(device),
            "session": str(session.id),
            "outcome": "session",
        }
        personal = {"address": session.address, "user_agent": session.user_agent}
        unit.note(AuditEvent(tag=AuditTag.LOGIN_SUCCEEDED, at=now, facts=facts, personal=personal))
        return unit


async def ours(core: Core, logins: Logins) -> float:
    """Logins per second of 128 clients that each wait for their answer."""
    units = iter([logins.next() for _ in range(CLIENTS * GROUPS)])

    async def client() -> None:
        for _ in range(GROUPS):
            await core.database.commit(next(units))

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return CLIENTS * GROUPS / (time.perf_counter() - began)


def bare(connection: apsw.Connection, groups: Iterator[list[Bound]]) -> float:
    """Logins per second of the statements alone."""
    ready = [next(groups) for _ in range(GROUPS)]
    execute = connection.cursor().execute
    began = time.perf_counter()
    for number, group in enumerate(ready):
        execute("begin immediate")
        for text, values in group:
            execute(text, values)
        execute("commit")
        if number % 16 == 0:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    return CLIENTS * GROUPS / (time.perf_counter() - began)


def bound_groups(logins: Logins, chain: AuditChain) -> Iterator[list[Bound]]:
    """The statements of 128 logins at a time, with their values."""
    while True:
        chain.begin()
        group: list[Bound] = []
        for _ in range(CLIENTS):
            unit = logins.next()
            group += [_bound(step) for step in (*unit.steps, *chain.entries(unit.events))]
        chain.committed()
        yield group


def _bound(step: Step) -> Bound:
    statement = for_sqlite(step.sql)
    return statement.text, statement.bind(step.parameters)


async def _fill(core: Core) -> list[tuple[Account, DeviceId]]:
    accounts, devices, entropy = (
        SQLAccountStore(core.database),
        SQLDeviceStore(core.database),
        SystemEntropy(),
    )
    people = []
    for number in range(CLIENTS):
        now = SystemClock().now()
        unit, account = make_account(accounts, number)
        device = Device(
            id=DeviceId.new(now, entropy),
            account_id=account.id,
            name="bench",
            signing_key=entropy.bytes(32),
            message_signing_key=entropy.bytes(32),
            sealing_key=entropy.bytes(1216),
            generation_version=1,
            created_at=now,
        )
        devices.insert(unit, device)
        people.append((account, device.id))
        await core.database.commit(unit)
    return people


async def measure(directory: Path) -> tuple[float, float, float]:
    """Medians: ours, bare, and the ratio of each pair of neighbours in time (the machine's mood is the same)."""
    clock, entropy = SystemClock(), SystemEntropy()
    for name in ("ours", "bare"):
        (directory / name).mkdir(mode=0o700)
    peer_config = load_config(flags={"data": str(directory / "bare")}, environ={})
    async with open_core(peer_config, origin="https://localhost", clock=clock, entropy=entropy) as peer:
        peer_people = await _fill(peer)
        key: VersionedKey = peer.keys.data.current(DataKeyPurpose.AUDIT)
        peer_logins = Logins(peer, peer_people)
    connection = connect(directory / "bare" / "watchword.db")
    configure(connection, writes=True)
    chain = AuditChain(node="bare", key=key, head=ChainHead(), entropy=entropy)
    groups = bound_groups(peer_logins, chain)
    config = load_config(flags={"data": str(directory / "ours")}, environ={})
    mine, theirs = [], []
    async with open_core(config, origin="https://localhost", clock=clock, entropy=entropy) as core:
        logins = Logins(core, await _fill(core))
        await ours(core, logins)
        for _ in range(ROUNDS):
            mine.append(await ours(core, logins))
            theirs.append(bare(connection, groups))
    connection.close()
    ratios = [one / other for one, other in zip(mine, theirs, strict=True)]
    return statistics.median(mine), statistics.median(theirs), statistics.median(ratios)


def run() -> list[Row]:
    """One row: logins per second, beside bare group commit."""
    with tempfile.TemporaryDirectory() as directory:
        value, limit, ratio = uvloop.run(measure(Path(directory)))
    return [
        {
            "name": "login transaction, durable, 128 clients, SQLite",
            "value": value,
            "unit": "logins/s",
            "limit": limit,
            "ratio": ratio,
            "goal": f">= {GOAL} of bare group commit",
            "holds": ratio >= GOAL,
        }
    ]
