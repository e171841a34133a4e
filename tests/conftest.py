"""Fixtures for every test: real databases. `database` and `database_location` run a test on both engines."""

import os

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

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
"""Read when gRPC is imported. Its handlers for forks end one in twenty of the processes that are forked while it works,
before they have become the program that they were to be."""

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
