"""Opening PostgreSQL: migrate, remember which database it is, then serve."""

from typing import Final

import asyncpg

from watchword.core.clock import Clock
from watchword.core.entropy import Entropy
from watchword.errors import InvalidConfigError
from watchword.server.db.migrate import INSTANCE_SIZE
from watchword.server.db.no_audit import NoAudit
from watchword.server.db.postgres.connection import (
    CACHED_STATEMENTS,
    COMMAND_TIMEOUT,
    CONNECT_TIMEOUT,
    SETTINGS,
    Source,
    connect,
)
from watchword.server.db.postgres.database import READ_CONNECTIONS, PostgresDatabase
from watchword.server.db.postgres.faults import public_error
from watchword.server.db.postgres.schema import migrate
from watchword.server.db.postgres.writer import GroupWriter
from watchword.server.db.postgres_url import check_transport
from watchword.server.db.unit import AuditSink

WRONG_CONFIG: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidPasswordError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ClientConfigurationError,
    ValueError,
)


async def open_postgres(
    url: str, *, clock: Clock, entropy: Entropy, audit: AuditSink | None = None
) -> PostgresDatabase:
    """Open the database at `url`, which must exist.

    Raises: see `open_database`; `InvalidConfigError` also when it is far away and `url` does not say how TLS is used.
    """
    check_transport(url)
    try:
        source = await _prepare(url, clock, entropy)
        pool = await _make_pool(source)
    except WRONG_CONFIG as error:
        raise InvalidConfigError(f"PostgreSQL does not let us in: {error}.") from error
    except Exception as error:
        raise public_error(error) from error
    return PostgresDatabase(pool, GroupWriter(source, clock=clock, entropy=entropy, audit=audit or NoAudit()))


async def _prepare(url: str, clock: Clock, entropy: Entropy) -> Source:
    connection = await connect(url)
    try:
        instance = await migrate(connection, now=clock.now(), instance=entropy.bytes(INSTANCE_SIZE))
    finally:
        connection.terminate()
    return Source(url, instance)


async def _make_pool(source: Source) -> asyncpg.Pool:
    async def leave(_connection: asyncpg.Connection) -> None:
        """Reads leave nothing behind that would need the usual reset, a round trip."""

    return await asyncpg.create_pool(
        source.url,
        min_size=0,  # its upkeep in the background would leave connections open at the end
        max_size=READ_CONNECTIONS,
        init=source.check,
        reset=leave,
        timeout=CONNECT_TIMEOUT,
        command_timeout=COMMAND_TIMEOUT,
        statement_cache_size=CACHED_STATEMENTS,
        server_settings={**SETTINGS, "default_transaction_read_only": "on"},
    )
