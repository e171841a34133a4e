"""What every way of running needs: database, keys and audit trail, opened in the one order in which they can be.

    database (no audit yet) -> data keys -> audit chain from its head in the database -> everything else

The server runs on a core, and so do an operator's commands while no server runs.
"""

import os
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from watchword.core.clock import Clock
from watchword.core.encoding import encode_crockford
from watchword.core.entropy import Entropy
from watchword.crypto.keyring import DataKeyPurpose, DataKeys
from watchword.errors import DamagedError, InvalidConfigError, MalformedError
from watchword.server.audit.chain import AuditChain
from watchword.server.audit.checkpoint_file import CheckpointFile
from watchword.server.audit.checkpointer import Checkpointer
from watchword.server.audit.entry import ChainHead
from watchword.server.audit.service import AuditService
from watchword.server.audit.sql import SQLAuditStore, load_head
from watchword.server.config import Config
from watchword.server.data_directory import RESTORING, write_file
from watchword.server.db import Database, open_database
from watchword.server.db.measured import MeasuredDatabase
from watchword.server.db.restored import FIND_MARK, RESTORED
from watchword.server.db.sqlite.lock import DataLock
from watchword.server.db.unit import AuditedDatabase
from watchword.server.keys.root_file import RootKeys
from watchword.server.keys.service import KeyService
from watchword.server.measures import DatabaseMeasures

NODE_FILE: Final = "node"
LOCK_FILE: Final = "lock"
_NODE_SIZE: Final = 5
_NODE_NAME: Final = re.compile(r"[a-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    config: Config
    origin: str
    clock: Clock
    entropy: Entropy
    database: AuditedDatabase
    measures: DatabaseMeasures
    keys: KeyService
    audit: AuditService
    audit_head: Callable[[], ChainHead]
    checkpointer: Checkpointer
    audit_node: str
    """Whose chain this process writes."""
    fresh: bool
    """Whether that chain began just now."""


class _AuditKey:
    """Attaches the chain once the audit key is known, and hands it newer versions."""

    def __init__(self, database: AuditedDatabase, node: str, entropy: Entropy) -> None:
        self._database = database
        self._node = node
        self._entropy = entropy
        self.chain: AuditChain | None = None
        self.fresh = False

    async def ready(self, data: DataKeys) -> None:
        key = data.current(DataKeyPurpose.AUDIT)
        if self.chain is not None:
            self.chain.use_key(key)
            return
        try:
            head = await load_head(self._database, self._node)
        except MalformedError as error:
            raise DamagedError(
                "the newest audit entry cannot be read: run `watchword audit verify`"
            ) from error
        self.fresh = head.seq == 0
        self.chain = AuditChain(node=self._node, key=key, head=head, entropy=self._entropy)
        self._database.use_audit(self.chain)


@asynccontextmanager
async def open_core(
    config: Config,
    *,
    origin: str | None,
    clock: Clock,
    entropy: Entropy,
    tls_names: Sequence[str] = (),
    restored: bool = False,
) -> AsyncIterator[Core]:
    """Open everything under the data directory's lock; close it in the opposite order.

    Without `origin` the data keeps the one it has: then there must be data. Only with `restored` is data opened that
    came from a backup and was not looked after yet.

    Raises:
        InvalidConfigError: the data, the root key or the configuration do not permit a safe start.
        DamagedError: what is stored fails its checks.
        UnavailableError: the database does not answer.
    """
    lock = DataLock.take(config.data / LOCK_FILE, entropy) if config.database is not None else None
    try:
        _check_not_restoring(config.data)
        root_keys = RootKeys.find(config.root_key_file, os.environ, entropy)
        measures = DatabaseMeasures()
        database = MeasuredDatabase(
            await open_database(config.database_location, clock=clock, entropy=entropy), measures
        )
        try:
            if not restored:
                await _check_not_restored(database)
            attach = _AuditKey(database, _node_name(config.data, entropy), entropy)
            keys = await KeyService.open(
                database, root_keys, clock, entropy, origin, tls_names=tls_names, ready=attach.ready
            )
            yield _core(config, keys.issuer, clock, entropy, database, measures, keys, attach)
        finally:
            await database.close()
    finally:
        if lock is not None:
            lock.release()


@contextmanager
def hold_data(config: Config, entropy: Entropy) -> Iterator[None]:
    """The data directory's lock, without opening anything. Raises `InvalidConfigError` when another process has it."""
    lock = DataLock.take(config.data / LOCK_FILE, entropy)
    try:
        yield
    finally:
        lock.release()


def _check_not_restoring(data: Path) -> None:
    if (data / RESTORING).exists():
        raise InvalidConfigError(
            f"a restore into {data} is at work, or was cut off: then remove what is in it, and restore again"
        )


async def _check_not_restored(database: Database) -> None:
    """Restored data may not serve before somebody has ended what came after the backup."""
    if await database.fetch_one(FIND_MARK, {"name": RESTORED}) is not None:
        raise InvalidConfigError(
            "this data was restored from a backup: run “watchword after-restore” first, which ends every proof that may"
            " be newer than the backup"
        )


def _core(  # noqa: PLR0917  # one caller
    config: Config,
    origin: str,
    clock: Clock,
    entropy: Entropy,
    database: AuditedDatabase,
    measures: DatabaseMeasures,
    keys: KeyService,
    attach: _AuditKey,
) -> Core:
    chain = attach.chain
    if chain is None:
        raise DamagedError("the audit key is missing")
    file = CheckpointFile(config.data / "audit" / "checkpoints.jsonl")
    return Core(
        config=config,
        origin=origin,
        clock=clock,
        entropy=entropy,
        database=database,
        measures=measures,
        keys=keys,
        audit=AuditService(
            store=SQLAuditStore(database),
            keys=lambda version: keys.data.get(DataKeyPurpose.AUDIT, version),
            verifying_keys=keys.verifying_key,
            checkpoints=file,
            clock=clock,
            live=lambda: {chain.node: chain.head},
        ),
        audit_head=lambda: chain.head,
        checkpointer=Checkpointer(
            file=file,
            node=chain.node,
            head=lambda: chain.head,
            signer=lambda: keys.signing_key,
            clock=clock,
        ),
        audit_node=chain.node,
        fresh=attach.fresh,
    )


def _node_name(data: Path, entropy: Entropy) -> str:
    """This node's name in the audit trail: made at first start, kept in the data directory."""
    path = data / NODE_FILE
    try:
        name = path.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        name = f"node-{encode_crockford(entropy.bytes(_NODE_SIZE))}"
        write_file(path, f"{name}\n".encode())
    except OSError as error:
        raise InvalidConfigError(f"{path} cannot be read: {error.strerror}") from None
    if not _NODE_NAME.fullmatch(name):
        raise InvalidConfigError(
            f"{path} holds no name of a node: put it back, or remove it to get a new one"
        )
    return name
