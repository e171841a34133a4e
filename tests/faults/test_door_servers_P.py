"""Requirements P3 to P5 and FAULTS A16 against real servers on both policies, from addresses that nothing exempts."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from tests.kits.attacker import metric
from tests.kits.process import RunningServer
from tests.kits.real_server import Caller
from tests.kits.sealed import fresh, seal_with_header

from watchword.core.encoding import encode_json
from watchword.protocol.envelope import Purpose

POLICIES = ("balanced", "strict")
AT_ONCE = 4
BAD_LOGIN = encode_json({"envelope": "none"})


@pytest.fixture(scope="module", params=POLICIES)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    settings = {"bans.policy": request.param, "limits.concurrent": str(AT_ONCE)}
    with RunningServer.start(tmp_path_factory.mktemp(request.param) / "data", settings=settings) as running:
        yield running


def is_strict(server: RunningServer) -> bool:
    return "strict" in str(server.data)


def caller(server: RunningServer, source: str) -> Caller:
    return Caller(server.port, server.ca.read_text(), source=source)


def lets_in(server: RunningServer, source: str) -> bool:
    """Whether somebody new at `source` is answered."""
    with closing(caller(server, source)) as fresh_caller:
        status, _, _ = fresh_caller.call("GET", "/health/live")
    assert status in {200, 429}
    return status == 200


def test_req_P5_bad_credentials_ban_at_once_in_strict_and_twenty_in_balanced(server: RunningServer):
    source, tries = "127.1.5.1", 1 if is_strict(server) else 20
    with closing(caller(server, source)) as attacker:
        for _ in range(tries):
            status, body, _ = attacker.call("POST", "/api/login", BAD_LOGIN)
            assert status == 403, body
        attacker.send("POST", "/api/login", BAD_LOGIN)
        status, headers, body = attacker.read()
        assert (status, headers["connection"]) == (429, "close")
        assert int(headers["retry-after"]) > 500
        assert b'"too_many"' in body
    assert not lets_in(server, source)
    assert lets_in(server, "127.1.5.2")
    line = server.find_log("http.request")
    assert line is not None
    banned = [each for each in server.logs() if each.get("reason") == "banned"]
    assert {(each["event"], each["status"], bool(each["request"])) for each in banned} == {
        ("http.request", 429, True)
    }


def test_req_P4_a_forged_short_key_bans_at_once(server: RunningServer):
    source = "127.1.4.1"
    with closing(caller(server, source)) as attacker:
        good, to = attacker.short_key("anna"), attacker.recipient()
        header = {
            "v": 1,
            "suite": to.key.suite.value,
            "kid": to.kid,
            "purpose": Purpose.LOGIN.value,
            "iss": to.issuer,
            "sk": good[:40] + ("A" if good[40] != "A" else "B") + good[41:],
        }
        payload = {
            "identifier": "anna",
            "login_secret": fresh(attacker.entropy),
            "reply_key": fresh(attacker.entropy),
        }
        status, body, _ = attacker.post("/api/login", seal_with_header(header, encode_json(payload), to))
        assert status == 403, body
    assert not lets_in(server, source)


def test_req_P3_too_many_at_once_are_refused_and_in_strict_banned(server: RunningServer):
    """Each holds its place by a body of which nothing comes."""
    source = "127.1.3.1"
    head = f"POST /api/login HTTP/1.1\r\nHost: localhost:{server.port}\r\nContent-Type: application/json\r\n"
    with ExitStack() as stack:
        holders = [stack.enter_context(closing(caller(server, source))) for _ in range(AT_ONCE)]
        one_more = stack.enter_context(closing(caller(server, source)))
        for each in holders:
            each._socket.sendall(f"{head}Content-Length: 20\r\n\r\n".encode())
        status = 200
        while status == 200:  # until the last of them is through
            status, body, _ = one_more.call("GET", "/.well-known/watchword-keys")
        assert status == 429, body
    if is_strict(server):
        assert not lets_in(server, source)
    assert metric(server, "watchword_door_refused_total", step="limit", reason="concurrent") >= 1


def test_fault_A16_pipelined_logins_are_counted_one_by_one(server: RunningServer):
    source = "127.1.16.1"
    with closing(caller(server, source)) as attacker:
        one = (
            f"POST /api/login HTTP/1.1\r\nHost: localhost:{server.port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(BAD_LOGIN)}\r\n\r\n"
        ).encode() + BAD_LOGIN
        attacker._socket.sendall(one * 100)
        statuses: list[int] = []
        while not statuses or statuses[-1] == 403:
            statuses.append(attacker.read()[0])
    assert statuses == [403] * (1 if is_strict(server) else 20) + [429]


def test_a_banned_source_that_keeps_connecting_is_cut_off_before_any_handshake(server: RunningServer):
    source = "127.1.6.1"
    with closing(caller(server, source)) as attacker:
        while attacker.call("GET", "/.git/config")[0] != 429:
            pass
    cut = 0.0
    while cut < 5:
        with ExitStack() as stack:
            for _ in range(100):
                place = ("127.0.0.1", server.port)
                stack.enter_context(socket.create_connection(place, source_address=(source, 0)))
        cut = metric(server, "watchword_connections_banned_total")
    assert lets_in(server, "127.1.6.2")
