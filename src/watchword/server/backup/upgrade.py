"""What this version would change in a database, and doing it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from watchword.core.clock import SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.errors import UnreachableError
from watchword.server.config import Config
from watchword.server.core import hold_data
from watchword.server.data_directory import check_data_directory
from watchword.server.db import open_database
from watchword.server.db.migrate import Migration, list_migrations, plan
from watchword.server.db.transfer import copy_before, open_snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """From schema `current` to `target` by `pending`; `size` bytes are touched at most."""

    current: int
    target: int
    size: int
    pending: Sequence[Migration]
    copy: Path | None
    """Where the database is copied to before; None when it is not."""


async def find_upgrade(config: Config) -> Upgrade:
    """Look, and change nothing; a server may be running.

    Raises:
        InvalidConfigError: the database is newer than this Watchword, or not ours.
        UnreachableError: there is no data yet.
    """
    location = config.database_location
    if isinstance(location, Path) and not location.exists():
        raise UnreachableError(
            f"{config.data} holds no data yet: the first start makes it with the newest schema"
        )
    check_data_directory(config.data)
    known = list_migrations()
    async with open_snapshot(location, alone=False) as snapshot:
        applied, size = await snapshot.applied(), await snapshot.size()
    pending = plan(known, applied)
    return Upgrade(
        current=applied[-1].number if applied else 0,
        target=known[-1].number,
        size=size,
        pending=pending,
        copy=copy_before(location, size, pending),
    )


async def apply_upgrade(config: Config) -> None:
    """Apply what is pending. Raises `InvalidConfigError` when a server uses the data."""
    check_data_directory(config.data)
    clock, entropy = SystemClock(), SystemEntropy()
    if config.database is None:  # opening takes the lock by itself
        await (await open_database(config.database_location, clock=clock, entropy=entropy)).close()
        return
    with hold_data(config, entropy):
        await (await open_database(config.database_location, clock=clock, entropy=entropy)).close()
