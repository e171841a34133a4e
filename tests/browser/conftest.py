"""Fixtures for tests in a browser: `visit` opens one for a visitor, `servers` are what is visited.

Tests here run in the browser's thread (`BrowserThread`), and one Chromium serves all of a process. Its servers start
before it does, since it is told then whom to trust; tests share them, each with accounts of its own.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import pytest
from playwright.sync_api import Browser
from tests.kits.browser import BrowserThread, find_chromium, key_hash
from tests.kits.visitor import Visitor

from watchword.testing.server import RunningServer, running_server

_NAMES = itertools.count(1)


class Visit(Protocol):
    """Opens a browser of its own on `server`, else on the usual one. `options` as Playwright gives contexts."""

    def __call__(self, server: RunningServer | None = None, **options: Any) -> Visitor: ...


@dataclass(frozen=True, kw_only=True)
class Servers:
    """`usual` has the settings that everybody has who sets none."""

    usual: RunningServer


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What a process of tests starts once."""

    servers: Servers
    thread: BrowserThread
    browser: Browser
    stack: ExitStack = field(repr=False)


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    program = find_chromium()
    with ExitStack() as stack:
        servers = Servers(usual=stack.enter_context(running_server()))
        thread = BrowserThread()
        stack.callback(thread.stop)
        keys = [key_hash(server.url, server.ca_file) for server in vars(servers).values()]
        yield Stage(servers=servers, thread=thread, browser=thread.start(program, keys), stack=stack)


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
def visit(servers: Servers, stage: Stage) -> Iterator[Visit]:
    """At the end every visitor's browser is closed, and what it noted must have been allowed."""
    usual = servers.usual
    visitors: list[Visitor] = []

    def opened(server: RunningServer | None = None, **options: Any) -> Visitor:
        context = stage.browser.new_context(**{"locale": "en-GB", **options})
        visitors.append(Visitor(origin=(server or usual).url, context=context))
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
