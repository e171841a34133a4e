"""The login transaction against bare group commit of the same statements, in one run, alternating."""

import asyncio
import hmac
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw
import uvloop

from watchword.core.clock import Instant, SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.db.sqlite.connection import configure, connect
from watchword.server.db.sqlite.start import open_sqlite
from watchword.server.db.unit import Database, Step, Unit

CLIENTS = 128
ROUNDS = 11
SECONDS = 0.4
GOAL = 0.7
TABLES = (
    "create table b_accounts (id blob primary key, state integer not null, logins integer not null) without rowid",
    "create table b_sessions (id blob primary key, account blob not null, at integer not null) without rowid",
    "create table b_tokens (id blob primary key, hash blob not null) without rowid",
    "create table b_audit (seq integer primary key, at integer not null, facts text not null, mac blob not null)",
)
GUARD = "update b_accounts set logins = logins + 1 where id = :id and state = 1"
SESSION = "insert into b_sessions (id, account, at) values (:id, :account, :at)"
TOKEN = "insert into b_tokens (id, hash) values (:id, :hash)"  # noqa: S105  # a statement
AUDIT = "insert into b_audit (seq, at, facts, mac) values (:seq, :at, :facts, :mac)"
ACCOUNT = "insert into b_accounts (id, state, logins) values (:id, 1, 0)"
EVENT = AuditEvent(
    tag=AuditTag.LOGIN_SUCCEEDED, at=Instant(1), facts={"account": "a" * 26, "session": "s" * 26}
)
KEY = bytes(32)


class Chain:
    """The audit chain at its barest: one insert and one HMAC per event."""

    def __init__(self) -> None:
        self.seq, self.mac = 0, bytes(32)

    def begin(self) -> None:
        self.durable = (self.seq, self.mac)

    def entries(self, events: Sequence[AuditEvent]) -> list[Step]:
        return [Step(AUDIT, self.next(event)) for event in events]

    def next(self, event: AuditEvent) -> dict[str, Any]:
        self.seq += 1
        facts = str(event.facts)
        self.mac = hmac.digest(KEY, self.mac + facts.encode(), "sha256")
        return {"seq": self.seq, "at": event.at, "facts": facts, "mac": self.mac}

    def undo(self) -> None:
        self.rolled_back()

    def committed(self) -> None:
        return

    def rolled_back(self) -> None:
        self.seq, self.mac = self.durable


def ids(stream: int) -> Iterator[bytes]:
    """Ordered keys, as ours are."""
    return (n.to_bytes(15, "big") + bytes([stream]) for n in itertools.count())


def account(n: int) -> bytes:
    return n.to_bytes(16, "big")


async def ours(database: Database, seconds: float, keys: Iterator[bytes]) -> float:
    """Logins per second of 128 clients that each wait for their answer."""
    done = 0
    until = time.perf_counter() + seconds

    async def client(n: int) -> None:
        nonlocal done
        me = account(n)
        while time.perf_counter() < until:
            key = next(keys)
            unit = Unit(me)
            unit.add(GUARD, {"id": me}, guard="account")
            unit.add(SESSION, {"id": key, "account": me, "at": 1})
            unit.add(TOKEN, {"id": key, "hash": KEY})
            unit.note(EVENT)
            await database.commit(unit)
            done += 1

    start = time.perf_counter()
    await asyncio.gather(*(client(n) for n in range(CLIENTS)))
    return done / (time.perf_counter() - start)


def bare(connection: apsw.Connection, seconds: float, keys: Iterator[bytes], chain: Chain) -> float:
    """The same statements in groups of 128 through apsw alone."""
    execute = connection.cursor().execute
    done = 0
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        execute("begin immediate")
        for n in range(CLIENTS):
            key = next(keys)
            me = account(n)
            execute(GUARD, {"id": me})
            if connection.changes() != 1:
                raise RuntimeError("no such account")
            execute(SESSION, {"id": key, "account": me, "at": 1})
            execute(TOKEN, {"id": key, "hash": KEY})
            execute(AUDIT, chain.next(EVENT))
        execute("commit")
        done += CLIENTS
        if done % 2048 == 0:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    return done / (time.perf_counter() - start)


def fill(connection: apsw.Connection) -> None:
    for table in TABLES:
        connection.execute(table)
    for n in range(CLIENTS):
        connection.execute(ACCOUNT, {"id": account(n)})


async def measure(directory: Path) -> tuple[float, float, float]:
    """Medians: ours, bare, and the ratio of each pair of neighbours in time (the machine's mood is the same)."""
    peer_path = directory / "bare.db"
    peer_path.touch()
    peer = connect(peer_path)
    configure(peer, writes=True)
    fill(peer)
    database = await open_sqlite(
        directory / "watchword.db", clock=SystemClock(), entropy=SystemEntropy(), audit=Chain()
    )
    setup = Unit(b"")
    for table in TABLES:
        setup.add(table, {})
    for n in range(CLIENTS):
        setup.add(ACCOUNT, {"id": account(n)})
    await database.commit(setup)
    keys, peer_keys, chain = ids(0), ids(1), Chain()
    mine, theirs = [], []
    for _ in range(ROUNDS):
        mine.append(await ours(database, SECONDS, keys))
        theirs.append(bare(peer, SECONDS, peer_keys, chain))
    await database.close()
    peer.close()
    ratios = [one / other for one, other in zip(mine, theirs, strict=True)]
    return statistics.median(mine), statistics.median(theirs), statistics.median(ratios)


def run() -> list[dict[str, Any]]:
    """One row: units per second, beside bare group commit."""
    with tempfile.TemporaryDirectory() as directory:
        value, limit, ratio = uvloop.run(measure(Path(directory)))
    return [
        {
            "name": "login transaction, durable, 128 clients, SQLite",
            "value": round(value),
            "unit": "per second",
            "limit": round(limit),
            "ratio": round(ratio, 3),
            "goal": f"at least {GOAL}",
            "holds": ratio >= GOAL,
        }
    ]


if __name__ == "__main__":
    print(*run(), sep="\n")
