"""Servers and the browser that visits them: started together, since Chromium is told at its start whom to trust."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from playwright.sync_api import Browser
from tests.kits.browser import BrowserThread, find_chromium, key_hash
from tests.kits.visitor import Visitor

from watchword.core.clock import DAY
from watchword.testing import AdvancingClock
from watchword.testing.server import RunningServer, running_server

BEHIND: Final = 8 * DAY
"""More than a session lasts unless it is renewed, less than a signed list of keys is good for."""


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Each with its own data. `behind` lives in the past by `BEHIND`: let that time pass, and sessions have ended."""

    usual: RunningServer
    lenient: RunningServer
    """Lets people sign in without JavaScript, and shows `/styleguide`."""
    invite: RunningServer
    closed: RunningServer
    behind: RunningServer
    guarded: RunningServer
    """Exempts nobody from bans and limits, not even this machine."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    servers: Servers
    thread: BrowserThread
    browser: Browser

    def visitor(self, server: RunningServer | None = None, **options: Any) -> Visitor:
        """A browser of one's own, to be closed, at `server` or the usual one. `options` as Playwright's contexts have.

        Only in the browser's thread.
        """
        context = self.browser.new_context(**{"locale": "en-GB", **options})
        server = server or self.servers.usual
        return Visitor(server=server, origin=server.url, context=context)


class Visit(Protocol):
    """`Stage.visitor` as the fixture of that name gives it: closed and checked by itself."""

    def __call__(self, server: RunningServer | None = None, **options: Any) -> Visitor: ...


@contextmanager
def open_stage() -> Iterator[Stage]:
    """Skips or fails the test that asks on a machine without Chromium."""
    program = find_chromium()
    with ExitStack() as stack:
        servers = _start(stack)
        thread = BrowserThread()
        stack.callback(thread.stop)
        keys = [key_hash(server.url, server.ca_file) for server in vars(servers).values()]
        yield Stage(servers=servers, thread=thread, browser=thread.start(program, keys))


def _start(stack: ExitStack) -> Servers:
    clock = AdvancingClock()
    clock.advance(-BEHIND)
    return Servers(
        usual=stack.enter_context(running_server()),
        lenient=stack.enter_context(running_server(pages__password_form="true", pages__styleguide="true")),
        invite=stack.enter_context(running_server(registration="invite")),
        closed=stack.enter_context(running_server(registration="closed")),
        behind=stack.enter_context(running_server(clock=clock)),
        guarded=stack.enter_context(running_server(bans__allow="192.0.2.1")),
    )
