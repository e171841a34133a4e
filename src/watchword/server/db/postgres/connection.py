"""Connections to one known PostgreSQL database: bounded waits, durable commits, never another database."""

import logging
from dataclasses import dataclass
from typing import Final

import asyncpg

from watchword.errors import UnavailableError
from watchword.server.db.migrate import SELECT_INSTANCE

CONNECT_TIMEOUT: Final = 3.0
COMMAND_TIMEOUT: Final = 6.0
"""Seconds after which we give up on an answer; the server itself gives up a second before."""
CACHED_STATEMENTS: Final = 512
SETTINGS: Final = {
    "application_name": "watchword",
    "synchronous_commit": "on",  # acknowledged means on disk, whatever the server's default
    "statement_timeout": "5000",
    "lock_timeout": "2000",
    "idle_in_transaction_session_timeout": "10000",  # a cut connection gives its locks back
    "default_transaction_isolation": "read committed",
    "timezone": "UTC",
}

_log = logging.getLogger(__name__)


async def connect(url: str, *, patient: bool = False) -> asyncpg.Connection:
    """A connection with our settings, to whatever stands at `url`. A `patient` one takes the time that work needs."""
    unbounded = {name: "0" for name in SETTINGS if name.endswith("_timeout") and name != "lock_timeout"}
    return await asyncpg.connect(
        url,
        timeout=CONNECT_TIMEOUT,
        command_timeout=None if patient else COMMAND_TIMEOUT,
        statement_cache_size=CACHED_STATEMENTS,
        server_settings={**SETTINGS, **(unbounded if patient else {})},
    )


@dataclass(frozen=True, slots=True)
class Source:
    """Where our database is, and how we know that it is ours."""

    url: str
    instance: bytes
    """What `meta` held when this process first saw the database."""

    async def connect(self) -> asyncpg.Connection:
        """A connection to the database that we know.

        Raises:
            UnavailableError: another, or an empty, database answers (a fail-over gone wrong).
        """
        connection = await connect(self.url)
        try:
            await self.check(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def check(self, connection: asyncpg.Connection) -> None:
        try:
            found = await connection.fetchval(SELECT_INSTANCE)
        except asyncpg.UndefinedTableError:
            found = None
        if found != self.instance:
            _log.critical("the database that answers is not ours: nothing is read from it or written to it")
            raise UnavailableError("The database that answers is not ours.")
