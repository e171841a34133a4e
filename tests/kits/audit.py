"""A whole trail in memory: SQLite itself, the real chain, the real checkpoint file, and a hand to damage them."""

import asyncio
from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path

import apsw

from watchword.core.clock import Instant
from watchword.crypto.keyring import DataKeyPurpose, DataKeys
from watchword.crypto.signing import TokenSigningKey, TokenVerifyingKey
from watchword.errors import KeyUnknownError
from watchword.server.audit.chain import AuditChain
from watchword.server.audit.checkpoint_file import CheckpointFile
from watchword.server.audit.entry import AuditEntry, ChainHead
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.audit.scan import scan
from watchword.server.audit.service import AuditReport, AuditService
from watchword.server.audit.sql import SQLAuditStore
from watchword.server.db.dialect import Engine, define, for_sqlite
from watchword.server.db.unit import Parameters, Row, Unit, Value
from watchword.testing import FixedClock, SeededEntropy

ACCOUNT = "acc_01j00000000000000000000000"
SIGNER = TokenSigningKey.generate()
STRANGER = TokenSigningKey.generate()


class MemoryDatabase:
    """The audit table alone, in SQLite in memory; the chain runs as the server's writer runs it."""

    def __init__(self) -> None:
        self.connection = apsw.Connection(":memory:")
        ddl = (files("watchword.server.db") / "migrations" / "0003_audit.sql").read_text("utf-8")
        self.connection.execute(define(ddl, Engine.SQLITE))
        self.chain: AuditChain | None = None

    async def fetch_one(self, sql: str, parameters: Parameters) -> Row | None:
        return next(iter(await self.fetch_all(sql, parameters)), None)

    async def fetch_all(self, sql: str, parameters: Parameters) -> list[Row]:
        statement = for_sqlite(sql)
        return list(self.connection.execute(statement.text, statement.bind(parameters)))

    async def commit(self, unit: Unit) -> None:
        assert self.chain is not None
        self.chain.begin()
        self.connection.execute("begin immediate")
        try:
            for step in [*unit.steps, *self.chain.entries(unit.events)]:
                statement = for_sqlite(step.sql)
                self.connection.execute(statement.text, statement.bind(step.parameters))
            self.connection.execute("commit")
        except BaseException:
            if self.connection.in_transaction:  # SQLite itself rolls back when the disk is full
                self.connection.execute("rollback")
            self.chain.rolled_back()
            raise
        self.chain.committed()

    async def close(self) -> None:
        self.connection.close()


def verifying_key(kid: str) -> TokenVerifyingKey:
    if kid != SIGNER.kid:
        raise KeyUnknownError
    return SIGNER.public


class Trail:
    """Two nodes may write: `main` and, with `add("other", …)`, another one."""

    def __init__(self, directory: Path, *, seed: int | str = 0) -> None:
        self.clock = FixedClock()
        self.entropy = SeededEntropy(seed)
        self.keys = DataKeys.generate(SeededEntropy("audit keys"))
        self.database = MemoryDatabase()
        self.store = SQLAuditStore(self.database)
        self.path = directory / "audit" / "checkpoints.jsonl"
        self.file = CheckpointFile(self.path)
        self.chains: dict[str, AuditChain] = {}
        self.chain = self.open_chain("main")
        self.service = self.open_service()

    def open_chain(self, node: str) -> AuditChain:
        key = self.keys.current(DataKeyPurpose.AUDIT)
        self.chains[node] = AuditChain(node=node, key=key, head=ChainHead(), entropy=self.entropy)
        return self.chains[node]

    def open_service(self, *, live: bool = False) -> AuditService:
        """`live`: with the heads that a running server holds in memory."""
        return AuditService(
            store=self.store,
            keys=partial(self.keys.get, DataKeyPurpose.AUDIT),
            verifying_keys=verifying_key,
            checkpoints=self.file,
            clock=self.clock,
            live=lambda: {node: chain.head for node, chain in self.chains.items()} if live else {},
        )

    def add(self, count: int = 1, *, node: str = "main") -> None:
        self.write(*[self.event(number) for number in range(count)], node=node)

    def event(self, number: int) -> AuditEvent:
        self.clock.advance(1000)
        return AuditEvent(
            tag=AuditTag.LOGIN_SUCCEEDED,
            at=self.clock.now(),
            facts={"account": ACCOUNT, "number": number},
            personal={"address": f"192.0.2.{number % 250}", "user_agent": "tests\u2028\x1b[2J"},
        )

    def write(self, *events: AuditEvent, node: str = "main") -> None:
        self.database.chain = self.chains.get(node) or self.open_chain(node)
        asyncio.run(self.database.commit(Unit(b"test", events=list(events))))

    def checkpoint(self) -> bool:
        head, at = self.chain.head, self.clock.now()
        return self.file.append(node="main", head=head, at=Instant(at), signer=SIGNER)

    def edit(self, sql: str, **parameters: Value) -> None:
        """What somebody with the database in hands does."""
        self.database.connection.execute(sql, parameters)

    def verify(self, *, live: bool = False, known: dict[str, ChainHead] | None = None) -> AuditReport:
        return asyncio.run(self.open_service(live=live).verify(known=known))

    def found(self, *, live: bool = False) -> list[tuple[str, str, int | None]]:
        """(kind, node, seq) of every problem."""
        return [(each.kind.value, each.node, each.seq) for each in self.verify(live=live).problems]

    def entries(self, node: str = "main") -> list[AuditEntry]:
        async def read() -> list[AuditEntry]:
            pages: list[Sequence[tuple[int, object]]] = [page async for page in scan(self.store, node)]
            return [entry for page in pages for _seq, entry in page if isinstance(entry, AuditEntry)]

        return asyncio.run(read())
