"""Fixtures for every test: real databases. `database` and `database_location` run a test on both engines."""

from tests.kits.log_state import logs_as_they_were
from tests.kits.network import no_network

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

pytest_plugins = ["tests.kits.report", "watchword.testing.pytest"]

__all__ = [
    "anyio_backend",
    "database",
    "database_location",
    "logs_as_they_were",
    "no_network",
    "postgres_database",
    "postgres_server",
    "postgres_url",
    "sqlite_database",
    "sqlite_path",
]
