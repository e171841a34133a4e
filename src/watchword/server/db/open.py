"""Choose the engine by what the configuration names."""

from pathlib import Path

from watchword.core.clock import Clock
from watchword.core.entropy import Entropy
from watchword.server.db.sqlite import open_sqlite
from watchword.server.db.unit import AuditedDatabase, AuditSink

_POSTGRES_SCHEMES = ("postgresql://", "postgres://")


def is_postgres(location: str | Path) -> bool:
    """Whether `location` is a URL of PostgreSQL, and not a file of SQLite."""
    return str(location).startswith(_POSTGRES_SCHEMES)


async def open_database(
    location: str | Path, *, clock: Clock, entropy: Entropy, audit: AuditSink | None = None
) -> AuditedDatabase:
    """Open and migrate the database at a `postgresql://` URL or in a SQLite file (made when missing).

    Without `audit`, units with events are refused until `use_audit`: the chain's head lies in the database itself.

    Raises:
        InvalidConfigError: what stands there does not permit a safe start; the text says why.
        DamagedError: the data fails its checks.
        UnavailableError: the engine does not answer.
    """
    if is_postgres(location):
        from watchword.server.db.postgres import open_postgres  # noqa: PLC0415  # asyncpg is an optional extra

        return await open_postgres(str(location), clock=clock, entropy=entropy, audit=audit)
    return await open_sqlite(Path(location), clock=clock, entropy=entropy, audit=audit)
