"""Requirements P3 to P5 and FAULTS A16 against real servers on both policies, from addresses that nothing exempts."""

import socket
from contextlib import ExitStack, closing

from tests.kits.attacker import metric
from tests.kits.policies import AT_ONCE, MOST_FAILURES, Guarded
from tests.kits.process import RunningServer
from tests.kits.real_server import Caller
from tests.kits.sealed import fresh, seal_with_header

from watchword.core.encoding import encode_json
from watchword.protocol.envelope import Purpose

CUT_OFF = "watchword_connections_banned_total"
BAD_LOGIN = encode_json({"envelope": "none"})


def caller(server: RunningServer, source: str) -> Caller:
    return Caller(server.port, server.ca.read_text(), source=source)


def lets_in(server: RunningServer, source: str) -> bool:
    """Whether somebody new at `source` is answered."""
    with closing(caller(server, source)) as fresh_caller:
        status, _, _ = fresh_caller.call("GET", "/health/live")
    assert status in {200, 429}
    return status == 200


def refused_for_places(server: RunningServer) -> float:
    return metric(server, "watchword_door_refused_total", step="limit", reason="concurrent")


def test_req_P4_a_forged_short_key_bans_at_once(guarded: Guarded):
    server, source = guarded.server, "127.8.4.1"
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


def test_req_P3_too_many_at_once_are_refused_and_in_strict_banned(guarded: Guarded):
    """Each holds its place by a body of which nothing comes."""
    server, source = guarded.server, "127.8.3.1"
    before = refused_for_places(server)
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
    if guarded.policy == "strict":
        assert not lets_in(server, source)
    assert refused_for_places(server) > before


def test_req_P5_fault_A16_pipelined_bad_logins_count_one_by_one_and_ban(guarded: Guarded):
    """At once in strict, and the twentieth in balanced."""
    server, source, neighbour = guarded.server, "127.8.5.1", "127.8.5.2"
    with closing(caller(server, source)) as attacker:
        one = (
            f"POST /api/login HTTP/1.1\r\nHost: localhost:{server.port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(BAD_LOGIN)}\r\n\r\n"
        ).encode() + BAD_LOGIN
        attacker._socket.sendall(one * 100)
        for _ in range(1 if guarded.policy == "strict" else MOST_FAILURES):
            assert attacker.read()[0] == 403
        status, headers, body = attacker.read()
    assert (status, headers["connection"]) == (429, "close")
    assert int(headers["retry-after"]) > 500
    assert b'"too_many"' in body
    assert not lets_in(server, source)
    assert lets_in(server, neighbour)
    banned = [each for each in server.logs() if each.get("reason") == "banned"]
    assert {(each["event"], each["status"], bool(each["request"])) for each in banned} == {
        ("http.request", 429, True)
    }


def test_a_banned_source_that_keeps_connecting_is_cut_off_before_any_handshake(guarded: Guarded):
    server, source = guarded.server, "127.8.6.1"
    with closing(caller(server, source)) as attacker:
        while attacker.call("GET", "/.git/config")[0] != 429:
            pass
    before = metric(server, CUT_OFF)
    while metric(server, CUT_OFF) < before + 5:
        with ExitStack() as stack:
            for _ in range(100):
                place = ("127.0.0.1", server.port)
                stack.enter_context(socket.create_connection(place, source_address=(source, 0)))
    assert lets_in(server, "127.8.6.2")
