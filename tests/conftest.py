"""Fixtures for every test: real databases. `database` and `database_location` run a test on both engines."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from tests.kits.log_state import logs_as_they_were
from tests.kits.network import no_network
from tests.kits.policies import guarded, server_of, unguarded

from watchword.middleware import waiting
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
from watchword.testing.redis import redis_server

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
"""Read when gRPC is imported. Its handlers for forks end one in twenty of the processes that are forked while it works,
before they have become the program that they were to be."""

settings.register_profile("watchword", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("watchword")  # an example that takes long says more of the machine than of us


@pytest.fixture(autouse=True, scope="session")
def patient_middleware() -> Iterator[None]:
    """How briefly a request waits for keys is looked at by tests that say so; elsewhere a busy machine may be slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "WAIT", 60.0)
        yield


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no worker is left with it at the end; else the order stays random."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


pytest_plugins = ["tests.kits.report", "watchword.testing.pytest"]

__all__ = [
    "anyio_backend",
    "database",
    "database_location",
    "guarded",
    "logs_as_they_were",
    "no_network",
    "patient_middleware",
    "postgres_database",
    "postgres_server",
    "postgres_url",
    "redis_server",
    "server_of",
    "sqlite_database",
    "sqlite_path",
    "unguarded",
]
