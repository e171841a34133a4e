"""A mixed load on a database, and a ledger of what was invoked and what was acknowledged, to be compared after a crash.

Run as a program (`python -m tests.kits.ledger LOCATION SEED`) it writes the ledger to standard output, line by line,
until it is killed. Everything lies in `meta`:

    pair:ID:a, pair:ID:b    written together
    code:ID                 made free, claimed once: by two tasks at the same time, each under its own name
    proof:ID                made good, then revoked
    seq:N                   one per acknowledged unit, by the audit sink: without gaps
"""

import asyncio
import itertools
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from watchword.core.clock import Instant
from watchword.errors import WatchwordError
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.db.unit import AuditedDatabase, Database, GuardError, Step, Unit
from watchword.testing.databases import opened

INSERT = "insert into meta (name, value) values (:name, :value)"
CHANGE = "update meta set value = :value where name = :name and value = :old"
ALL = "select name, value from meta"
LAST = "select count(*) from meta where name like 'seq:%'"
EVENT = AuditEvent(tag=AuditTag.SERVER_STARTED, at=Instant(0))
Say = Callable[[str], None]


class Sequencer:
    """An audit sink whose entries are numbered rows."""

    def __init__(self, durable: int) -> None:
        self.durable = self.working = self.before = durable

    def begin(self) -> None:
        self.working = self.before = self.durable

    def entries(self, events: Sequence[AuditEvent]) -> list[Step]:
        self.before = self.working
        self.working += len(events)
        return [
            Step(INSERT, {"name": f"seq:{n + 1}", "value": b""}) for n in range(self.before, self.working)
        ]

    def undo(self) -> None:
        self.working = self.before

    def committed(self) -> None:
        self.durable = self.working

    def rolled_back(self) -> None:
        self.working = self.before = self.durable


async def attach(database: AuditedDatabase) -> None:
    row = await database.fetch_one(LAST, {})
    assert row is not None
    database.use_audit(Sequencer(int(row[0] or 0)))


class Load:
    """Operations with names, each said before it starts (`?`) and when it is acknowledged (`!`) or refused (`-`)."""

    def __init__(self, database: Database, run: str, say: Say) -> None:
        self.database = database
        self.run = run
        self.say = say
        self.ids = itertools.count()

    async def do(self, name: str, unit: Unit) -> bool:
        unit.note(EVENT)
        self.say(f"? {name}")
        try:
            await self.database.commit(unit)
        except (GuardError, WatchwordError):
            self.say(f"- {name}")
            return False
        self.say(f"! {name}")
        return True

    async def pair(self, at: str) -> None:
        unit = Unit(at.encode())
        for side in "ab":
            unit.add(INSERT, {"name": f"pair:{at}:{side}", "value": b""})
        await self.do(f"pair {at}", unit)

    async def code(self, at: str) -> None:
        made = Unit(at.encode())
        made.add(INSERT, {"name": f"code:{at}", "value": b"free"})
        if await self.do(f"code {at}", made):
            await asyncio.gather(*(self.claim(at, who) for who in "xy"))

    async def claim(self, at: str, who: str) -> None:
        unit = Unit(at.encode())
        unit.add(CHANGE, {"name": f"code:{at}", "old": b"free", "value": who.encode()}, guard="free")
        unit.add(INSERT, {"name": f"won:{at}:{who}", "value": b""})
        await self.do(f"claim {at} {who}", unit)

    async def proof(self, at: str) -> None:
        made = Unit(at.encode())
        made.add(INSERT, {"name": f"proof:{at}", "value": b"good"})
        if await self.do(f"proof {at}", made):
            revoked = Unit(at.encode())
            revoked.add(CHANGE, {"name": f"proof:{at}", "old": b"good", "value": b"revoked"}, guard="good")
            await self.do(f"revoke {at}", revoked)

    async def client(self, rounds: float = float("inf")) -> None:
        while rounds > 0:
            rounds -= 1
            at = f"{self.run}-{next(self.ids)}"
            for kind in (self.pair, self.code, self.proof):
                await kind(at)


@dataclass(slots=True)
class Ledger:
    invoked: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)

    def say(self, line: str) -> None:
        sign, _, name = line.partition(" ")
        {"?": self.invoked, "!": self.acknowledged, "-": self.refused}[sign].add(name)

    async def compare(self, database: Database) -> None:
        """Raise unless nothing acknowledged is missing, nothing is half done and nothing happened twice."""
        rows = {str(name): value for name, value in await database.fetch_all(ALL, {})}
        by_kind: dict[str, list[list[str]]] = defaultdict(list)
        for name in rows:
            kind, *rest = name.split(":")
            by_kind[kind].append(rest)
        for name in self.acknowledged:
            assert self._happened(name.split(" "), rows), f"lost: {name}"
        pairs = defaultdict(set)
        for at, side in by_kind["pair"]:
            pairs[at].add(side)
        assert all(sides == {"a", "b"} for sides in pairs.values()), "half done"
        for at, who in by_kind["won"]:
            assert rows[f"code:{at}"] == who.encode(), f"claimed twice: {at}"
        winners = [at for at, _ in by_kind["won"]]
        assert len(set(winners)) == len(winners)
        numbers = sorted(int(number) for (number,) in by_kind["seq"])
        assert numbers == list(range(1, len(numbers) + 1)), "a gap in the sequence"
        assert len(numbers) >= len(self.acknowledged)

    @staticmethod
    def _happened(words: list[str], rows: Mapping[str, object]) -> bool:
        match words:
            case ["pair", at]:
                return f"pair:{at}:a" in rows and f"pair:{at}:b" in rows
            case ["code", at]:
                return f"code:{at}" in rows
            case ["claim", at, who]:
                return rows.get(f"code:{at}") == who.encode() and f"won:{at}:{who}" in rows
            case ["proof", at]:
                return f"proof:{at}" in rows
            case ["revoke", at]:
                return rows.get(f"proof:{at}") == b"revoked"
        raise AssertionError(words)


async def main(location: str, run: str) -> None:
    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    async with opened(location) as database:
        await attach(database)
        load = Load(database, run, say)
        say("? ready")
        await asyncio.gather(*(load.client() for _ in range(16)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
