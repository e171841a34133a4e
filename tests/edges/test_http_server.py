"""The running server: what it shows, its time bounds, its TLS, and how it stops."""

import asyncio
import io
import json
import logging
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.edges.harness import (
    FRONTS,
    GOOD_TOKEN,
    PATIENCE_S,
    ROUTES,
    RunningServer,
    make_app,
    running_server,
    throw_away_certificate,
)

from watchword.core.ids import DeviceId
from watchword.core.secret import Secret
from watchword.errors import (
    InvalidConfigError,
    Quota,
    RefusedError,
    TooManyError,
    UnavailableError,
    WatchwordError,
)
from watchword.server.http import Reply, Request, Route, protocol
from watchword.server.http.admission import Admission
from watchword.server.http.sockets import bind
from watchword.server.http.tls import make_tls_context
from watchword.server.http.wire import ASGIApp
from watchword.server.limits.model import Lease
from watchword.server.logs import JSONFormatter


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server() as running:
        yield running


@pytest.fixture
def events() -> Iterator[io.StringIO]:
    """What the process logs, as it would be written."""
    stream, logger = io.StringIO(), logging.getLogger("watchword")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JSONFormatter())
    logger.addHandler(handler)
    before, level = logger.propagate, logger.level
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    yield stream
    logger.removeHandler(handler)
    logger.propagate = before
    logger.setLevel(level)


def written(events: io.StringIO, event: str, within: float = PATIENCE_S) -> list[dict[str, object]]:
    """The events of that name; waits for one, since an answer may be read before its line is written."""
    ends = time.monotonic() + within
    while True:
        found = [line for line in map(json.loads, events.getvalue().splitlines()) if line["event"] == event]
        if found or time.monotonic() > ends:
            return found
        time.sleep(0.01)


EXPECTED = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
}


@pytest.mark.parametrize(
    "data", [b"GET /health/live HTTP/1.1", b"GET /nowhere HTTP/1.1", b"GET /api/x HTTP/1.1", b"bad"]
)
def test_every_answer_has_the_security_headers_and_no_version(server: RunningServer, data: bytes):
    answer = server.raw(data + b"\r\nHost: localhost:%d\r\n\r\n" % server.port)
    expected = dict(EXPECTED)
    if data == b"bad":  # refused before it is known to be HTTP, let alone for which host
        del expected["strict-transport-security"]
    assert {name: answer.headers.get(name) for name in expected} == expected
    assert not {"server", "x-powered-by", "via"} & set(answer.headers)
    assert b"uvicorn" not in answer.body
    assert data == b"bad" or answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    "path",
    [
        "/debug",
        "/docs",
        "/redoc",
        "/.git",
        "/.git/config",
        "/.env",
        "/metrics",
        "/openapi.json",
        "/server-status",
        "/",
        "/favicon.ico",
    ],
)
def test_fault_N4_what_nobody_asked_for_is_absent(server: RunningServer, path: str):
    answer = server.request("GET", path)
    assert answer.status == 404
    document = answer.json()
    assert document.pop("request_id") == answer.headers["x-request-id"]
    assert document == {
        "type": "urn:watchword:problem:not_found",
        "title": "There is nothing here",
        "status": 404,
        "code": "not_found",
    }


def test_fault_M22_an_unexpected_exception_is_a_generic_500(server: RunningServer, events: io.StringIO):
    for route in ROUTES:
        if "broken" not in route.path:
            continue
        body = b'{"text":"canary-4711"}' if route.method == "POST" else None
        answer = server.request(route.method, route.path, body, [("Authorization", "Bearer canary-4711")])
        document = answer.json()
        assert document.pop("request_id") == answer.headers["x-request-id"]
        assert (answer.status, document) == (
            500,
            {
                "type": "urn:watchword:problem:internal",
                "title": "Internal error",
                "status": 500,
                "code": "internal",
            },
        )
        server.is_well()
    faults = written(events, "http.fault")
    assert len(faults) == 3
    assert all(str(fault["exception"]).endswith("FaultPointError") for fault in faults)
    assert all("harness.py" in str(fault["frames"]) for fault in faults)
    assert "canary" not in events.getvalue()


class Watched:
    """A gate that tells what it was asked, and may raise."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[tuple[str, str | None]] = []

    async def check(self, request: Request, route: Route | None) -> None:
        self._note("check", route)
        if self.error is not None:
            raise self.error

    async def reserve(self, request: Request, route: Route | None, account: str) -> Lease:
        self._note(f"reserve for {account or 'nobody'}", route)
        return Lease("lease")

    def leave(self, lease: Lease | None) -> None:
        self.asked.append(("leave", lease.key if lease else None))

    async def prove(self, request: Request, route: Route | None) -> DeviceId | None:
        del request, route
        return None

    def failed(self, request: Request, route: Route | None, error: WatchwordError, account: str) -> None:
        self._note(f"failed: {error.code}", route)

    def _note(self, what: str, route: Route | None) -> None:
        self.asked.append((what, route.path if route else None))


def test_a_fault_in_the_gate_is_a_generic_500_too():
    with running_server(gate=Watched(ZeroDivisionError())) as server:
        assert [server.request("GET", path).status for path in ("/health/live", "/nowhere")] == [500, 500]


def test_the_gate_sees_every_request_before_its_body_is_read():
    gate = Watched(TooManyError(9, reason="banned", quota=Quota("read", 300, 60)))
    with running_server(gate=gate) as server:
        answer = server.request("POST", "/api/login", b"not read")
        assert (answer.status, answer.json()["code"], answer.headers["retry-after"]) == (429, "too_many", "9")
        assert answer.headers["ratelimit-policy"] == '"read";q=300;w=60'
        assert answer.headers["ratelimit"] == '"read";r=0;t=9'
        assert b"banned" not in answer.body
        server.request("GET", "/nowhere")
    assert gate.asked == [
        ("check", "/api/login"),
        ("failed: too_many", "/api/login"),
        ("check", None),
        ("failed: too_many", None),
    ]


def test_whatever_is_refused_before_it_was_counted_is_counted_as_nobodys():
    gate = Watched()
    with running_server(gate=gate) as server:
        assert server.request("GET", "/nowhere").status == 404
        assert server.request("GET", "/api/me").status == 401
        assert server.request("GET", "/api/nowhere").status == 401
        assert server.request("GET", "/api/told", headers=[("Host", "elsewhere.example")]).status == 421
    told = [
        (None, "not_found"),
        ("/api/me", "unauthenticated"),
        (None, "unauthenticated"),
        ("/api/told", "misdirected"),
    ]
    assert gate.asked == [
        each
        for path, code in told
        for each in (
            ("check", path),
            ("reserve for nobody", path),
            ("leave", "lease"),
            (f"failed: {code}", path),
        )
    ]


@pytest.mark.parametrize("fronts", [0, 1])
def test_the_connection_of_a_banned_caller_ends_with_its_answer(fronts: int):
    banned, held = TooManyError(9, reason="banned"), TooManyError(9, reason="rate_read")
    with running_server(gate=Watched(banned), fronts=fronts) as server:
        server.await_fronts(fronts)
        answer = server.request("GET", "/api/told")
        assert (answer.status, answer.headers["connection"], answer.closed) == (429, "close", True)
    with running_server(gate=Watched(held), fronts=fronts) as server:
        server.await_fronts(fronts)
        assert "connection" not in server.request("GET", "/api/told").headers


@pytest.mark.parametrize("reason", ["banned", "rate_other"])
def test_the_gate_is_asked_of_headers_that_stand_twice_and_their_connection_ends(reason: str):
    gate = Watched(TooManyError(9, reason=reason))
    with running_server(gate=gate) as server:
        twice = [("Cookie", "a=1"), ("Cookie", "b=2")]
        answer = server.request("GET", "/api/told", headers=twice)
        assert (answer.status, answer.headers["connection"], answer.closed) == (429, "close", True)
    assert gate.asked == [("check", None), ("failed: too_many", None)]


def test_an_answer_that_tells_an_error_in_its_own_words_counts_as_that_error(events: io.StringIO):
    async def shows(_request: Request) -> Reply:
        return Reply(403, b"no", error=RefusedError("wrong_secret"))

    gate = Watched()
    with running_server(gate=gate, routes=[Route("GET", "/form", shows)]) as server:
        assert server.request("GET", "/form").status == 403
    assert gate.asked[-1] == ("failed: refused", "/form")
    assert '"reason":"wrong_secret"' in events.getvalue().replace(" ", "")


def test_a_request_that_is_let_in_holds_its_lease_until_it_is_answered():
    gate = Watched()
    with running_server(gate=gate) as server:
        assert server.request("GET", "/health/live").status == 200
    assert gate.asked == [
        ("check", "/health/live"),
        ("reserve for nobody", "/health/live"),
        ("leave", "lease"),
    ]


def test_one_line_for_each_request_and_nothing_secret_in_it(server: RunningServer, events: io.StringIO):
    answer = server.request(
        "GET", "/api/sessions/canary1?password=canary2", None, [("Authorization", "canary3")]
    )
    assert answer.status == 401
    (line,) = written(events, "http.request")
    assert line.pop("ms") is not None
    assert line.pop("time") is not None
    assert line == {
        "level": "info",
        "event": "http.request",
        "method": "GET",
        "route": "/api/sessions/{session}",
        "status": 401,
        "request": answer.headers["x-request-id"],
        "address": "127.0.0.1",
        "code": "unauthenticated",
        "reason": "bad token",
    }


def test_fault_C22_secrets_in_queries_and_decode_errors_are_not_logged(
    server: RunningServer, events: io.StringIO
):
    assert server.request("POST", "/api/login?password=canary", b'{"text":"a"}').status == 400
    assert (
        server.request("GET", "/api/me?password=canary", None, [("Authorization", GOOD_TOKEN)]).status == 400
    )
    assert server.request("POST", "/api/login", b'{"canary":"canary"}').status == 400
    assert (
        server.request("POST", "/api/login", b'{"text":"a"}', [("Authorization", "Basic canary")]).status
        == 200
    )
    assert server.request("GET", "/canary").status == 404
    server.raw(b"GET /canary HTTP/1.1\r\nX: canary\nY: canary\r\n\r\n")
    assert len(written(events, "http.refused")) == (0 if FRONTS else 1)  # there the front says so
    assert "canary" not in events.getvalue()


def test_queries_reach_the_handler(server: RunningServer):
    answer = server.request("GET", "/api/me?page=2", None, [("Authorization", GOOD_TOKEN)])
    assert answer.json() == {"identity": "somebody", "page": "2"}


def test_a_body_where_none_is_expected_is_refused(server: RunningServer):
    assert server.request("GET", "/health/live", b"x").status == 400
    assert server.request("GET", "/health/live", b"").status == 200


def test_not_ready_is_an_outage():
    async def not_ready() -> bool:
        return False

    with running_server(ready=not_ready) as server:
        assert server.request("GET", "/health/live").status == 200
        answer = server.request("GET", "/health/ready")
        assert (answer.status, "retry-after" in answer.headers) == (503, True)


def test_costly_work_beyond_the_queue_is_shed_at_once_and_cheap_work_goes_on():
    gate = threading.Event()

    async def slow(_request: Request) -> Reply:
        await asyncio.to_thread(gate.wait, PATIENCE_S)
        return Reply.json({})

    admission = Admission(slots=2, queue=3)
    with running_server(
        routes=[Route("POST", "/slow", slow, costly=True), *ROUTES], admission=admission
    ) as server:
        held = [server.connect() for _ in range(5)]
        for connection in held:
            connection.send(server.encode("POST", "/slow"))
        ends = time.monotonic() + PATIENCE_S
        while admission.waiting < 3 and time.monotonic() < ends:
            time.sleep(0.01)
        answer = server.request("POST", "/slow")
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        answer = server.request("POST", "/api/login", b"this is never parsed")
        assert (answer.status, answer.json()["code"]) == (503, "overloaded")
        server.is_well()
        gate.set()
        assert [connection.read().status for connection in held] == [200] * 5
        assert admission.shed == 2
        for connection in held:
            connection.close()


@pytest.fixture
def shipped() -> float:
    """Seconds that a head has where no test is in a hurry; named before `hasty`."""
    return protocol.HEAD_S


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    for name in ("HEAD_S", "BODY_S", "IDLE_S"):
        monkeypatch.setattr(protocol, name, 0.3)
    monkeypatch.setattr(protocol, "_TICK_S", 0.02)
    with running_server(fronts=0) as running:
        yield running


JSON_HEAD = b"POST /api/note HTTP/1.1\r\nHost: localhost:%d\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "step",
    [
        b"G",
        b"GET /health/live HTTP/1.1\r\nX",
        JSON_HEAD + b"Content-Length: 900\r\n\r\n{",
        JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n50\r\n",
    ],
)
def test_slow_heads_and_bodies_end_with_408(
    shipped: float, hasty: RunningServer, step: bytes, monkeypatch: pytest.MonkeyPatch
):
    connection = hasty.connect()
    began = time.monotonic()
    connection.send(step.replace(b"%d", b"%d" % hasty.port))
    for _ in range(4):  # a trickle does not extend the time
        time.sleep(0.05)
        connection.send(b"a")
    answer = connection.read()
    assert answer.status == 408
    assert connection.is_closed()
    assert time.monotonic() - began < shipped / 2
    connection.close()
    monkeypatch.undo()  # for a good request the time that it gets
    hasty.is_well()


def test_idle_connections_are_closed_without_a_word(hasty: RunningServer, monkeypatch: pytest.MonkeyPatch):
    for request in (b"", hasty.encode("GET", "/health/live")):
        if request:
            monkeypatch.setattr(protocol, "HEAD_S", PATIENCE_S)  # only what comes after the answer is short
        connection = hasty.connect()
        if request:
            connection.send(request)
            assert connection.read().status == 200
        assert connection.is_closed()
        connection.close()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_callers_that_vanish_leave_nothing_behind(server: RunningServer):
    server.is_well()  # it holds all that it opens at its start
    descriptors = open_files()
    for number in range(60):
        connection = server.connect()
        connection.send(server.encode("POST", "/api/login", b'{"text":"a"}')[: 60 + number * 2])
        connection.tls.close()
    ends = time.monotonic() + PATIENCE_S
    while open_files() > descriptors and time.monotonic() < ends:
        time.sleep(0.05)
    assert open_files() <= descriptors
    server.is_well()


def test_a_caller_that_does_not_read_is_not_served_further():
    calls = []

    async def counted(_request: Request) -> Reply:
        calls.append(1)
        return Reply(200, b"x" * 65_536)

    total = 1000
    with running_server(routes=[Route("GET", "/large", counted), *ROUTES]) as server:
        connection = server.connect()
        sender = threading.Thread(target=connection.send, args=(server.encode("GET", "/large") * total,))
        sender.start()
        time.sleep(0.7)
        assert len(calls) < total // 2
        server.is_well()
        assert sum(len(connection.read().body) for _ in range(total)) == total * 65_536
        sender.join()
        connection.close()


def test_a_caller_that_never_reads_is_parted_from(monkeypatch: pytest.MonkeyPatch):
    for name in ("WRITE_S", "IDLE_S", "HEAD_S"):
        monkeypatch.setattr(protocol, name, 0.3)
    monkeypatch.setattr(protocol, "_TICK_S", 0.02)
    with running_server(fronts=0) as server:
        connection = server.connect()
        before = open_files()
        sender = threading.Thread(target=connection.send, args=(server.encode("GET", "/api/large") * 5000,))
        sender.start()
        ends = time.monotonic() + PATIENCE_S
        while open_files() >= before and time.monotonic() < ends:
            time.sleep(0.05)
        assert open_files() < before
        sender.join()
        connection.close()
        monkeypatch.undo()  # for a good request the time that it gets
        server.is_well()


def test_a_reply_may_replace_default_headers_and_an_empty_one_states_no_length(server: RunningServer):
    answer = server.request("GET", "/api/large")
    assert (answer.headers["cache-control"], answer.headers["etag"]) == ("max-age=60", '"1"')
    assert answer.headers["x-content-type-options"] == "nosniff"
    answer = server.request("GET", "/api/nothing")
    assert (answer.status, "content-length" in answer.headers, answer.body) == (204, False, b"")


async def in_process(app: ASGIApp, path: bytes) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    scope = {"type": "http", "method": "GET", "raw_path": path, "query_string": b"", "client": None}
    await app({**scope, "headers": [(b"host", b"id.example.org")]}, receive, send)
    return messages


def test_the_application_speaks_plain_asgi_too():
    start, body = asyncio.run(in_process(make_app(1), b"/health/live"))
    headers = dict(start["headers"])
    assert (start["status"], body["body"], headers[b"content-length"]) == (200, b'{"status":"live"}', b"17")
    assert {name.encode(): value.encode() for name, value in EXPECTED.items()}.items() <= headers.items()
    start, _ = asyncio.run(in_process(make_app(1), b"/api/nothing"))
    assert b"content-length" not in dict(start["headers"])


def test_what_outlasts_the_grace_is_answered_and_ended(events: io.StringIO):
    begun = threading.Semaphore(0)

    async def endless(_request: Request) -> Reply:
        begun.release()
        await asyncio.sleep(3600)
        return Reply.empty()

    routes = [Route("GET", "/endless", endless), Route("GET", "/costly", endless, costly=True)]
    with running_server(routes=routes) as server:
        connections = [server.connect(), server.connect()]
        for connection, path in zip(connections, ("/endless", "/costly"), strict=True):
            connection.send(server.encode("GET", path))
            assert begun.acquire(timeout=PATIENCE_S)
    for connection in connections:
        assert connection.read().json()["code"] == "internal"
        connection.close()
    assert len(written(events, "http.cancelled")) == 2


def test_expect_continue_is_answered_only_when_the_body_is_wanted(server: RunningServer):
    head = server.encode("POST", "/api/note", b"", [("Expect", "100-continue")]).replace(
        b"Content-Length: 0", b"Content-Length: 15"
    )
    connection = server.connect()
    connection.send(head)
    assert connection.read().status == 100
    connection.send(b'{"text":"good"}')
    assert connection.read().status == 200
    connection.send(head.replace(b"application/json", b"text/plain"))
    assert connection.read().status == 415
    connection.close()


def test_an_upgrade_is_ignored_and_the_connection_ends(server: RunningServer):
    answer = server.request(
        "GET",
        "/health/live",
        None,
        [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Key", "eA==")],
    )
    assert (answer.status, answer.closed) == (200, True)


@pytest.mark.parametrize(
    "ciphers", ["AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256"]
)
def test_tls_12_is_only_spoken_with_ecdhe_and_aead(server: RunningServer, ciphers: str):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as raw:
        context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            context.wrap_socket(raw)
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as raw,
        context.wrap_socket(raw) as tls,
    ):
        assert tls.version() == "TLSv1.2"


def test_tls_13_is_spoken_and_plain_http_is_not(server: RunningServer):
    connection = server.connect()
    assert connection.tls.version() == "TLSv1.3"
    connection.close()
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as raw:
        raw.sendall(b"GET /health/live HTTP/1.1\r\n\r\n")
        with suppress(ConnectionResetError):
            assert not raw.recv(100).startswith(b"HTTP")
    server.is_well()


def test_a_key_that_does_not_belong_is_refused_without_its_text():
    chain, _ = throw_away_certificate()
    _, other = throw_away_certificate()
    for key in (
        other,
        Secret(b"nonsense"),
        Secret(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"),
    ):
        with pytest.raises(InvalidConfigError) as refused:
            make_tls_context(chain, key)
        assert refused.value.__cause__ is None


def test_an_address_that_cannot_be_had_is_said_plainly():
    taken = bind("127.0.0.1", 0)
    taken.listen()
    with pytest.raises(InvalidConfigError, match="in use"):
        bind("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(InvalidConfigError):
        bind("127.0.0.1", 70000)
    with pytest.raises(InvalidConfigError):
        bind("192.0.2.1", 0)
    taken.close()


def test_the_lifespan_surrounds_the_serving():
    trace = []

    @asynccontextmanager
    async def lifespan():
        trace.append("begin")
        yield
        trace.append("end")

    with running_server(lifespan=lifespan) as server:
        assert trace == ["begin"]
        server.is_well()
    assert trace == ["begin", "end"]


def test_a_lifespan_that_does_not_begin_ends_the_start(events: io.StringIO):
    @asynccontextmanager
    async def lifespan():
        raise ValueError("canary")
        yield

    with pytest.raises(UnavailableError), running_server(lifespan=lifespan):
        pass
    assert len(written(events, "server.lifespan")) == 1
    assert "canary" not in events.getvalue()


PROGRAM = """
import asyncio, gc
from tests.edges import harness
from watchword.server.http import Reply, Route
from watchword.server.http.serve import calm_collector, run, serve
from watchword.server.http.sockets import bind
from watchword.server.http.tls import make_tls_context

async def slow(request):  # answers when somebody says so
    go_on = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, go_on.set)
    print("in flight", flush=True)
    await go_on.wait()
    asyncio.get_running_loop().remove_reader(0)
    return Reply.json({"finished": True})

chain, key = harness.throw_away_certificate()
listen = bind("127.0.0.1", 0)
app = harness.make_app(listen.getsockname()[1], routes=[Route("GET", "/slow", slow)])
calm_collector()
assert gc.get_freeze_count() > 1000
context = make_tls_context(chain, key)
run(serve(app, listen=listen, tls=lambda: context, shutdown_grace_s=600,
          on_ready=lambda address: print(address[1], flush=True)))
print("clean", flush=True)
"""


@pytest.fixture
def process() -> Iterator[tuple[subprocess.Popen[str], RunningServer]]:
    command, pipe = [sys.executable, "-c", PROGRAM], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as running:
        assert running.stdout is not None
        port = running.stdout.readline()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        yield running, RunningServer(int(port), context)
        running.kill()


def await_shut(server: RunningServer) -> None:
    """Return once it takes nobody any more: the signal has arrived."""
    ends = time.monotonic() + PATIENCE_S
    with suppress(ConnectionRefusedError, ConnectionResetError, ssl.SSLError):
        while True:
            server.connect().close()
            assert time.monotonic() < ends, "the door stays open"
            time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_server_once_requests_in_flight_are_done(process, number: signal.Signals):
    running, server = process
    idle = server.connect()
    connection = server.connect()
    connection.send(server.encode("GET", "/slow"))
    assert running.stdout.readline() == "in flight\n"
    running.send_signal(number)
    await_shut(server)
    running.stdin.write("go on\n")
    running.stdin.flush()
    answer = connection.read()
    assert (answer.status, answer.json(), answer.headers["connection"]) == (200, {"finished": True}, "close")
    assert idle.is_closed()
    assert running.wait(PATIENCE_S) == 0
    assert running.stdout.read() == "clean\n"
    assert "Traceback" not in running.stderr.read()
    idle.close()
    connection.close()


def test_a_second_signal_does_not_wait(process):
    running, server = process
    connection = server.connect()
    connection.send(server.encode("GET", "/slow"))
    assert running.stdout.readline() == "in flight\n"
    running.send_signal(signal.SIGINT)
    await_shut(server)
    running.send_signal(signal.SIGINT)
    assert running.wait(PATIENCE_S) == 0  # a tenth of the grace
    assert "Traceback" not in running.stderr.read()
    connection.close()
