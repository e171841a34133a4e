"""FAULTS D12: behind a banned address a known browser signs in, and whoever is turned away can read why."""

import re
from collections.abc import Callable, Iterator

import pytest
from tests.kits.bans import BY
from tests.kits.journeys import LOGIN, REGISTER, sign_in
from tests.kits.stage import Servers, Visit
from tests.kits.visitor import Visitor

from watchword.core.clock import HOUR
from watchword.testing.server import RunningServer

HERE = "127.0.0.1"


@pytest.fixture
def guarded(servers: Servers) -> Iterator[RunningServer]:
    """At the end this machine is let in again."""
    yield servers.guarded
    servers.guarded.run(lambda services: services.bans.lift(HERE, by=BY))


def ban(server: RunningServer) -> None:
    server.run(lambda services: services.bans.add(HERE, by=BY, length_ms=HOUR, confirmed=True))


def forget_files(visitor: Visitor) -> None:
    visitor.context.new_cdp_session(visitor.page).send("Network.clearBrowserCache")


def is_readable(visitor: Visitor) -> bool:
    """Whether title and wait are in the window, and no drawing is in their way."""
    boxes = [
        visitor.sees(selector).bounding_box()
        for selector in ("h1", ".says p:nth-of-type(3)", ".wordmark svg")
    ]
    heights = [box["height"] for box in boxes if box is not None]
    ends = [box["y"] + box["height"] for box in boxes if box is not None]
    window = visitor.page.viewport_size
    assert window is not None
    return len(ends) == 3 and max(ends) < window["height"] and heights[2] <= 48


def test_fault_D12_a_known_browser_behind_a_banned_address_signs_in_at_first_try(
    visit: Visit, guarded: RunningServer, new_name: Callable[[], str]
) -> None:
    """Without a live session and with nothing kept of the pages, whoever else is turned away."""
    account, known, stranger = guarded.register(new_name()), visit(guarded), visit(guarded)
    sign_in(known, account.username)
    known.press("Sign out")
    known.arrives(LOGIN)
    ban(guarded)
    forget_files(known)
    known.sent.clear()
    sign_in(known, account.username)
    assert any("/assets/site-" in sent.url for sent in known.sent)

    stranger.allow_status(429)
    assert stranger.open(REGISTER).status == 429
    assert is_readable(stranger)
    assert "Try again in 60 minutes." in stranger.page.inner_text("main")
    stranger.context.route(re.compile("/assets/"), lambda route: route.fulfill(status=429))
    stranger.open(REGISTER)
    assert is_readable(stranger)
    stranger.context.unroute(re.compile("/assets/"))
    stranger.open(LOGIN)
    stranger.log_in(account.username, "not the password at all")
    assert "Try again in" in stranger.sees("#problem").inner_text()
