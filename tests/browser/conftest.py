"""Fixtures for tests in a browser: `visit` opens one for a visitor, `servers` are what is visited.

Tests here run in the browser's thread (`BrowserThread`), and one Chromium serves all of a process. They share its
servers, each with accounts of its own.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from tests.kits.browser import find_chromium
from tests.kits.stage import Servers, Stage, Visit, open_stage
from tests.kits.visitor import Visitor

from watchword.testing.server import RunningServer, TestAccount

_NAMES = itertools.count(1)


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    with open_stage() as found:
        yield found


@pytest.fixture
def chromium() -> None:
    """Every test that wants a browser and has none is told of, not the first one alone."""
    find_chromium()


@pytest.fixture
def servers(chromium: None, stage: Stage) -> Servers:
    return stage.servers


@pytest.fixture
def server(servers: Servers) -> RunningServer:
    """The usual one."""
    return servers.usual


@pytest.fixture
def new_name() -> Callable[[], str]:
    """Names of accounts that no other test of this process has."""
    return lambda: f"visitor{next(_NAMES)}"


@pytest.fixture
def account(server: RunningServer, new_name: Callable[[], str]) -> TestAccount:
    """Somebody who registered at the usual server by the command line's client."""
    return server.register(new_name())


@pytest.fixture
def shared_account(server: RunningServer) -> TestAccount:
    """The same for all tests that change nothing of it but its sessions."""
    return server.account("common-person")


@pytest.fixture
def visit(servers: Servers, stage: Stage) -> Iterator[Visit]:
    """At the end every visitor's browser is closed, and what it noted must have been allowed."""
    visitors: list[Visitor] = []

    def opened(server: RunningServer | None = None, **options: Any) -> Visitor:
        visitors.append(stage.visitor(server, **options))
        return visitors[-1]

    yield opened
    for visitor in visitors:
        stage.thread.run(visitor.close)
    for visitor in visitors:
        visitor.check()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that has a browser where Playwright may be called."""
    if "stage" not in pyfuncitem.fixturenames:
        return None
    values = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    thread = cast("Stage", pyfuncitem.funcargs["stage"]).thread
    thread.run(lambda: pyfuncitem.obj(**values))
    return True
