"""FAULTS A12 for people's pages: heads, forms and reads that come slowly, with a good cookie at that."""

import threading
import time
from collections.abc import Iterator

import pytest
from tests.edges.harness import PATIENCE_S, Connection, RunningServer, running_server
from tests.edges.test_http_server import open_files
from tests.kits.pages import GOOD_COOKIE, TestPages

from watchword.server.http import Reply, Request, Route, protocol
from watchword.testing.counts import count

ENDED_S = 15.0
"""Until when a slow caller is parted from."""
HEAD = (
    "GET /dashboard HTTP/1.1\r\nHost: localhost:%d\r\nAccept: text/html\r\nCookie: "
    + GOOD_COOKIE
    + "\r\nX-A: "
)
FORM = (
    "POST /dashboard/end HTTP/1.1\r\nHost: localhost:%d\r\nAccept: text/html\r\nCookie: "
    + GOOD_COOKIE
    + "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nsession=a"
)
BEGINNINGS = {"head": HEAD, "form": FORM}
LONG = "x" * 65_536


async def long(_request: Request) -> Reply:
    return Reply.html(LONG)


@pytest.fixture
def pages() -> TestPages:
    return TestPages()


@pytest.fixture
def served(pages: TestPages) -> Iterator[RunningServer]:
    routes = [*pages.routes(), Route("GET", "/long", long, auth=True, page=True)]
    with running_server(fronts=0, routes=routes, pages=pages) as running:
        yield running


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_S", "BODY_S", "WRITE_S", "IDLE_S"):
        monkeypatch.setattr(protocol, name, 0.3)
    monkeypatch.setattr(protocol, "_TICK_S", 0.02)


def begin(server: RunningServer, beginning: str) -> Connection:
    connection = server.connect()
    connection.send((beginning % server.port).encode())
    return connection


def is_shown(server: RunningServer, path: str = "/dashboard") -> bool:
    headers = [("Accept", "text/html"), ("Cookie", GOOD_COOKIE)]
    return server.request("GET", path, None, headers).status == 200


def test_fault_A12_slow_callers_of_pages_are_parted_from_in_time() -> None:
    """As shipped: the others here are in a hurry."""
    for limit in (protocol.HEAD_S, protocol.BODY_S, protocol.WRITE_S):
        assert limit + protocol._TICK_S <= ENDED_S


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS.keys())
def test_fault_A12_a_trickled_head_or_form_of_a_page_ends_with_408(
    hasty: None, served: RunningServer, pages: TestPages, beginning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = begin(served, beginning)
    for _ in range(4):  # a trickle does not extend the time
        time.sleep(0.05)
        connection.send(b"a")
    assert connection.read().status == 408
    assert connection.is_closed()
    connection.close()
    assert pages.changes == [], "half a form changes nothing"
    monkeypatch.undo()  # for a good request the time that it gets
    assert is_shown(served)


def test_fault_A12_a_page_that_is_not_read_is_not_held_for_ever(
    hasty: None, served: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = served.connect()
    before = open_files()
    asked = served.encode("GET", "/long", None, [("Accept", "text/html"), ("Cookie", GOOD_COOKIE)])
    sender = threading.Thread(target=connection.send, args=(asked * 5000,))
    sender.start()
    ends = time.monotonic() + PATIENCE_S
    while open_files() >= before and time.monotonic() < ends:
        time.sleep(0.05)
    assert open_files() < before, "the server has closed its end"
    sender.join()
    connection.close()
    monkeypatch.undo()
    assert is_shown(served, "/long")


def test_fault_A12_slow_callers_of_pages_hold_up_nobody(served: RunningServer, pages: TestPages) -> None:
    """With the limits as shipped, all of them are there while the others are served."""
    held = [begin(served, text) for text in BEGINNINGS.values() for _ in range(count(20, 400))]
    assert all(is_shown(served) for _ in range(5))
    served.is_well()
    for connection in held:
        connection.close()
    assert pages.changes == []
