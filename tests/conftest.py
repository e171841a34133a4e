"""Every store runs on both engines: `database` and `database_location` are parametrised."""

from watchword.testing.databases import (
    anyio_backend,
    database,
    database_location,
    postgres_database,
    postgres_server,
    postgres_url,
    sqlite_database,
    sqlite_path,
)

__all__ = [
    "anyio_backend",
    "database",
    "database_location",
    "postgres_database",
    "postgres_server",
    "postgres_url",
    "sqlite_database",
    "sqlite_path",
]
