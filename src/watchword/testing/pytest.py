"""For `pytest_plugins = ["watchword.testing.pytest"]`: a server that every test of the session shares."""

from collections.abc import Iterator

import pytest

from watchword.testing.server import RunningServer, running_server


@pytest.fixture(scope="session")
def watchword_server() -> Iterator[RunningServer]:
    """A whole server, ready in about 50 ms. A test that changes it for others starts its own by `running_server`."""
    with running_server() as server:
        yield server
