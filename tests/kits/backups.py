"""Backups of worlds: taken, put back, and looked at, in this process."""

from collections.abc import Sequence
from pathlib import Path

from tests.kits.world import ORIGIN, World, make_config

from watchword.core.entropy import SystemEntropy
from watchword.crypto.hpke import SealingPrivateKey, SealingPublicKey
from watchword.crypto.keyring import RootKey
from watchword.server.backup.after_restore import Ended, end_proofs
from watchword.server.backup.make import BackupJob, Made, make_backup
from watchword.server.backup.output import open_to_read
from watchword.server.backup.restore import FindRootKey, Restored, open_backup, restore_backup
from watchword.server.config import Config
from watchword.server.core import open_core
from watchword.server.db.transfer import open_snapshot
from watchword.server.db.unit import Row
from watchword.server.keys.root_file import RootKeys
from watchword.server.operator import LocalOperator
from watchword.testing import FixedClock, SeededEntropy

OPERATOR = LocalOperator(0)


def no_progress(_done: int, _total: int) -> None:
    """Nobody watches."""


async def take(
    config: Config,
    path: Path,
    *,
    to: SealingPublicKey | None = None,
    with_root_key: bool = False,
    instance: str | None = None,
    clock: FixedClock | None = None,
) -> Made:
    job = BackupJob(config=config, recipient=to, with_root_key=with_root_key, instance=instance)
    return await make_backup(
        job, path, clock=clock or FixedClock(), entropy=SystemEntropy(), progress=no_progress
    )


async def take_of(world: World, path: Path, *, to: SealingPublicKey | None = None) -> Made:
    """While the world goes on, as the command does beside a running server."""
    instance = await world.services.operator.begin_backup(OPERATOR, sealed=to is not None, root_key=False)
    return await take(world.core.config, path, to=to, instance=instance, clock=world.clock)


def root_key_in(path: Path) -> FindRootKey:
    """The root key that a server keeps in the file `path`."""

    def find(check: bytes) -> RootKey | None:
        return RootKeys(path=path, fixed=None, entropy=SystemEntropy()).choose(check)

    return find


async def put_back(
    path: Path,
    data: Path,
    root_key: Path | None,
    *,
    database: str | None = None,
    key: SealingPrivateKey | None = None,
    clock: FixedClock | None = None,
    fingerprint: str | None = None,
) -> Restored:
    find: FindRootKey = root_key_in(root_key) if root_key is not None else lambda _check: None
    with open_to_read(path) as file:
        return await restore_backup(
            open_backup(file, key),
            make_config(data, database=database),
            find,
            keep_root_key=True,
            clock=clock or FixedClock(),
            entropy=SystemEntropy(),
            progress=no_progress,
            fingerprint=fingerprint,
        )


async def end(
    data: Path, *, database: str | None = None, clock: FixedClock, keep_sessions: bool = False
) -> Ended:
    """What `watchword after-restore` does."""
    config = make_config(data, database=database)
    async with open_core(
        config, origin=ORIGIN, clock=clock, entropy=SeededEntropy("after"), restored=True
    ) as core:
        core.checkpointer.start(fresh=core.fresh)
        ended = await end_proofs(core, OPERATOR, keep_sessions=keep_sessions)
        core.checkpointer.tick()
        return ended


async def dump(location: str | Path, *, but: Sequence[str] = ()) -> dict[str, list[Row]]:
    """Every row of every table that is data, sorted."""
    found: dict[str, list[Row]] = {}
    async with open_snapshot(location, alone=False) as snapshot:
        for table in await snapshot.tables():
            rows = [tuple(row) async for batch in snapshot.rows(table) for row in batch]
            if table.name not in but:
                found[table.name] = sorted(rows, key=repr)
    return found
