"""N2: the line that each request leaves, and what may stand in it."""

import json
import random
import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from tests.edges.harness import GOOD_TOKEN, RunningServer, running_server

from watchword.server.http.proxies import Proxies
from watchword.server.logs import JSONFormatter
from watchword.testing.counts import count

FIELDS = ("method", "route", "status", "ms", "request", "address")
NASTY = (
    "a\tb",
    '{"a":1}',
    "é" * 100,
    "x" * 900,
    "$(id)",
    "a,b",
    "-" * 36,
    "G" * 32,
    "a" * 33,
    "a" * 15,
)


def lines_of(caplog: pytest.LogCaptureFixture, event: str = "http.request") -> list[dict[str, Any]]:
    """What was written, as whoever reads the log gets it; every line is one line of plain ASCII."""
    texts = [JSONFormatter().format(record) for record in caplog.records]
    assert all(text.isascii() and text.isprintable() for text in texts)
    return [line for text in texts if (line := json.loads(text))["event"] == event]


def ask(server: RunningServer, *headers: tuple[str, str], target: str = "/api/told") -> dict[str, str]:
    return server.request("GET", target, headers=headers).headers


def test_a_request_leaves_one_line_with_the_id_of_its_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "watchword")
    with running_server() as server:
        ids = [ask(server, target=target)["x-request-id"] for target in ("/api/told?", "/api/missing", "/n")]
    lines = lines_of(caplog)
    assert [line["request"] for line in lines] == ids
    assert [(line["route"], line["status"]) for line in lines] == [
        ("/api/told", 200),
        ("/api/missing", 404),
        (None, 404),
    ]
    assert all(line["address"] == "127.0.0.1" and set(FIELDS) <= line.keys() for line in lines)


def test_the_line_says_that_a_proxy_did_not_name_its_caller(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "watchword")
    with running_server(proxies=Proxies.of(["127.0.0.1"])) as server:
        ask(server)
        ask(server, ("X-Forwarded-For", "unknown"))
        ask(server, ("X-Forwarded-For", "203.0.113.9"))
    lines = [(line["address"], line.get("unnamed")) for line in lines_of(caplog)]
    assert lines == [("127.0.0.1", True), ("127.0.0.1", True), ("203.0.113.9", None)]


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded"])
def test_fault_A7_A15_a_header_of_proxies_splits_neither_a_request_nor_a_line(
    caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level("INFO", "watchword")
    value = "for=203.0.113.9" if name == "Forwarded" else "203.0.113.9"
    with running_server(proxies=Proxies.of(["127.0.0.1"], name)) as server:
        good = server.encode("GET", "/api/told", headers=[(name, f"{value}, {value}")])
        for bad in (b"\0", b"\r", b"\n", b"\r\n ", b"\n\t", b"\r\nevent: http.request\0", b"\x7f"):
            answer = server.raw(good.replace(b", ", b"," + bad))
            assert (answer.status, answer.closed) == (400, True)
        for odd in (b"\x85", b"\xa0", b"\xff", b'"', b"\t\t", b"\\", b"%0a"):
            assert server.raw(good.replace(b", ", b"," + odd)).status == 200
    assert [line["address"] for line in lines_of(caplog, "http.refused")] == ["127.0.0.1"] * 7
    told = [(line["address"], line.get("unnamed")) for line in lines_of(caplog)]
    assert told.pop(4) == ("203.0.113.9", None)  # white space is none of its business
    assert told == [("127.0.0.1", True)] * 6


def test_the_account_stands_in_the_line_once_it_is_known(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "watchword")
    with running_server(account_of=lambda who: f"acc_{who}") as server:
        ask(server, ("Authorization", GOOD_TOKEN), target="/api/me")
        ask(server, ("Authorization", "Bearer bad"), target="/api/me")
    assert [line.get("account") for line in lines_of(caplog)] == ["acc_somebody", None]


def their_ids(
    server: RunningServer, ids: Sequence[str], caplog: pytest.LogCaptureFixture
) -> list[str | None]:
    """What the log says of each request's own id, in the order in which they were sent."""
    caplog.clear()
    answers = [ask(server, ("X-Request-Id", each))["x-request-id"] for each in ids]
    lines = lines_of(caplog)
    assert [line["request"] for line in lines] == answers
    assert not set(answers) & set(ids)
    return [line.get("caller_request") for line in lines]


def test_fault_N2_a_caller_s_own_id_is_written_down_only_in_a_form_that_proxies_make(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "watchword")
    good = [str(uuid.UUID(int=7)), "0123456789abcdef" * 2, "0123456789abcdef"]
    with running_server() as server:
        assert their_ids(server, good, caplog) == good
        assert their_ids(server, NASTY, caplog) == [None] * len(NASTY)
        noise = random.Random("N2")
        drawn = [
            "".join(chr(noise.randrange(0x21, 0x100)) for _ in range(noise.randrange(1, 60))).replace(
                "\x7f", ""
            )
            for _ in range(count(30, 10_000))
        ]
        sendable = [each for each in drawn if not any(0x7F <= ord(sign) < 0xA1 for sign in each)]
        assert their_ids(server, sendable, caplog) == [None] * len(sendable)


@pytest.mark.parametrize(("least", "told"), [(0, [200, 404, 401]), (400, [404, 401]), (1000, [])])
def test_which_requests_are_told_can_be_chosen(
    caplog: pytest.LogCaptureFixture, least: int, told: list[int]
) -> None:
    caplog.set_level("INFO", "watchword")
    with running_server(log_from=least) as server:
        for target in ("/api/told", "/api/missing", "/api/me"):
            ask(server, target=target)
    assert [line["status"] for line in lines_of(caplog)] == told


def test_a_probe_that_is_well_leaves_its_line_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "watchword")

    async def broken() -> bool:
        return False

    with running_server(ready=broken) as server:
        ask(server, target="/health/live")
        ask(server, target="/health/ready")
    assert [(line["level"], line["status"]) for line in lines_of(caplog)] == [("debug", 200), ("info", 503)]


def test_what_is_no_request_has_an_id_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "watchword")
    with running_server() as server:
        answer = server.raw(b"GET /\x01 HTTP/1.1\r\n\r\n")
    (line,) = lines_of(caplog, "http.refused")
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == line["request"]
    assert (line["status"], line["address"]) == (400, "127.0.0.1")
