"""A real server on a loopback port over TLS, with routes of its own, and a caller that writes raw bytes."""

import asyncio
import datetime as dt
import ipaddress
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from watchword.core.clock import SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.core.secret import Secret
from watchword.errors import NotFoundError, UnauthenticatedError
from watchword.server.addresses import WHOLE
from watchword.server.http import Reply, Request, Route
from watchword.server.http.admission import Admission
from watchword.server.http.app import build_app
from watchword.server.http.connections import ConnectionLimits
from watchword.server.http.fronts.demand import Demand
from watchword.server.http.fronts.frames import Hello
from watchword.server.http.fronts.pool import Fronts
from watchword.server.http.hosts import HostPolicy
from watchword.server.http.proxies import NO_PROXIES
from watchword.server.http.serve import serve
from watchword.server.http.sockets import bind
from watchword.server.http.tls import make_tls_context
from watchword.server.http.trickle import IsBanned, nobody_is_banned
from watchword.server.http.wire import ASGIApp
from watchword.server.logs import get_log

ORIGIN = "https://id.example.org"
GOOD_TOKEN = "Bearer good"
FRONTS = int(os.environ.get("WATCHWORD_TEST_FRONTS", "0"))
"""How many fronts each server here has that does not say so itself: the same tests hold with and without."""

PATIENCE_S = 60.0
"""How long a test waits for what must come; a machine may have much else to do."""


class Note(msgspec.Struct, forbid_unknown_fields=True):
    """The body of the routes here: one text, and something that may nest."""

    text: str
    more: Any = None


class Fixed(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    number: int = 0


class FaultPointError(Exception):
    """Raised on purpose."""


async def echo(request: Request) -> Reply:
    return Reply.json({"text": request.body.text})


async def who(request: Request) -> Reply:
    return Reply.json({"identity": request.identity, **request.path_parameters, **request.query})


async def told(request: Request) -> Reply:
    """What the edge believes of the request."""
    context = request.context
    return Reply.json(
        {
            "address": context.address,
            "named": context.caller_named,
            "shown": context.shown_address,
            "agent": context.user_agent,
            "origin": ORIGIN,
        }
    )


async def broken(request: Request) -> Reply:
    raise FaultPointError(f"canary-4711 {request.authorization}")


async def split(_request: Request) -> Reply:
    return Reply(200, b"", {"location": "/a\r\nset-cookie: x=1"})


async def missing(_request: Request) -> Reply:
    raise NotFoundError("no such thing")


async def large(_request: Request) -> Reply:
    return Reply(
        200, b"x" * 65_536, {"content-type": "text/plain", "cache-control": "max-age=60", "etag": '"1"'}
    )


async def nothing(_request: Request) -> Reply:
    return Reply.empty()


async def identify(request: Request) -> str:
    if request.authorization != GOOD_TOKEN:
        raise UnauthenticatedError("bad token")
    return "somebody"


async def ready() -> bool:
    return True


ROUTES = (
    Route("POST", "/api/login", echo, body=Note, costly=True),
    Route("POST", "/api/note", echo, body=Note),
    Route("POST", "/api/fixed", echo, body=Fixed),
    Route("POST", "/api/big", echo, body=Note, max_body=1 << 20),
    Route("GET", "/api/told", told),
    Route("GET", "/api/me", who, auth=True, query=frozenset({"page"})),
    Route("GET", "/api/sessions/{session}", who, auth=True),
    Route("DELETE", "/api/sessions/{session}", who, auth=True),
    Route("GET", "/api/missing", missing),
    Route("GET", "/api/large", large),
    Route("GET", "/api/nothing", nothing),
    Route("GET", "/api/split", split),
    Route("GET", "/api/broken", broken),
    Route("POST", "/api/broken", broken, body=Note),
    Route("POST", "/api/broken/costly", broken, body=Note, costly=True),
)


def make_app(port: int, *, routes: Sequence[Route] = ROUTES, **options: Any) -> ASGIApp:
    options.setdefault("admission", Admission())
    options.setdefault("identify", identify)
    options.setdefault("ready", ready)
    return build_app(
        routes,
        hosts=HostPolicy.of(ORIGIN, port=port, extra=["other.example.org"]),
        clock=SystemClock(),
        entropy=SystemEntropy(),
        log=get_log("http"),
        **options,
    )


def throw_away_certificate() -> tuple[bytes, Secret]:
    """A self-signed certificate for the loopback names, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
    certificate = (
        builder.serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), Secret(encoded)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    closed: bool = False

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Connection:
    """One TLS connection; writes what it is given, as it is given."""

    def __init__(
        self, port: int, context: ssl.SSLContext, source: str | None = None, before: bytes = b""
    ) -> None:
        """`before` is sent as it is, before TLS."""
        raw = socket.create_connection(
            ("127.0.0.1", port), timeout=PATIENCE_S, source_address=(source, 0) if source else None
        )
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.sendall(before)
        self.tls = context.wrap_socket(raw, server_hostname="localhost")
        self.buffer = b""

    def send(self, data: bytes) -> None:
        # The server may have parted already; its answer may still be there to read.
        with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.tls.sendall(data)

    def _more(self) -> bool:
        try:
            data = self.tls.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return False
        self.buffer += data
        return bool(data)

    def read(self, *, head: bool = False) -> Answer:
        """The next answer."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._more():
                raise ConnectionError("closed without an answer")
        top, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        status_line, *lines = top.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(": ")
            assert name not in headers, f"{name} stands twice"
            headers[name] = value
        length = 0 if head else int(headers.get("content-length", 0))
        while len(self.buffer) < length:
            assert self._more(), "the body is cut off"
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Answer(int(status_line.split(" ")[1]), headers, body)

    def is_closed(self, within: float = PATIENCE_S) -> bool:
        """Whether the server ends the connection, with nothing more to read."""
        self.tls.settimeout(within)
        try:
            return not self._more() and not self.buffer
        except TimeoutError:
            return False

    def close(self) -> None:
        self.tls.close()


@dataclass
class RunningServer:
    port: int
    client: ssl.SSLContext = field(repr=False)
    fronts: Fronts | None = None

    def await_fronts(self, count: int) -> None:
        """Return once `count` of them take connections."""
        ends = time.monotonic() + PATIENCE_S
        while self.fronts is not None and self.fronts.ready < count:
            assert time.monotonic() < ends, "no front is ready"
            time.sleep(0.01)

    def connect(self, source: str | None = None, before: bytes = b"") -> Connection:
        return Connection(self.port, self.client, source, before)

    def raw(self, data: bytes, *, head: bool = False) -> Answer:
        """Send `data` on a new connection; the answer, and whether the server then closed."""
        connection = self.connect()
        try:
            connection.send(data)
            answer = connection.read(head=head)
            if answer.headers.get("connection") == "close":
                answer.closed = connection.is_closed()
            return answer
        finally:
            connection.close()

    def request(
        self, method: str, target: str, body: bytes | None = None, headers: Sequence[tuple[str, str]] = ()
    ) -> Answer:
        return self.raw(self.encode(method, target, body, headers), head=method == "HEAD")

    def encode(
        self, method: str, target: str, body: bytes | None = None, headers: Sequence[tuple[str, str]] = ()
    ) -> bytes:
        lines = [f"{method} {target} HTTP/1.1"]
        named = {name.lower() for name, _ in headers}
        if "host" not in named:
            lines.append(f"Host: localhost:{self.port}")
        if body is not None and "content-type" not in named:
            lines.append("Content-Type: application/json")
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in headers]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")

    def is_well(self) -> None:
        """The next good request works (the common rule of every fault)."""
        answer = self.request("POST", "/api/note", b'{"text":"good"}')
        assert (answer.status, answer.body) == (200, b'{"text":"good"}')


@contextmanager
def running_server(
    *,
    limits: ConnectionLimits | None = None,
    fronts: int | None = None,
    grace_s: int = 2,
    is_banned: IsBanned = nobody_is_banned,
    **options: Any,
) -> Iterator[RunningServer]:
    """`serve` in a thread of its own, stopped gracefully at the end."""
    chain, key = throw_away_certificate()
    count = FRONTS if fronts is None else fronts
    hello = Hello(chain, key.reveal(), "info", True, grace_s)
    pool = Fronts(Demand(count=count, always=True), lambda: hello) if count else None
    client = ssl.create_default_context(cadata=chain.decode())
    listen = bind("127.0.0.1", 0)
    port = listen.getsockname()[1]
    started, ended = threading.Event(), []
    stop_in: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        stop = asyncio.Event()
        stop_in.append((asyncio.get_running_loop(), stop))
        app = make_app(port, **options)
        context = make_tls_context(chain, key)
        await serve(
            app,
            listen=listen,
            tls=lambda: context,
            on_ready=lambda _: started.set(),
            shutdown_grace_s=grace_s,
            stop=stop,
            limits=limits,
            fronts=pool,
            proxies=options.get("proxies", NO_PROXIES),
            addresses=options.get("addresses", WHOLE),
            is_banned=is_banned,
        )

    def work() -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(main())
        except BaseException as error:
            ended.append(error)
            started.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(PATIENCE_S)
    try:
        if ended:
            raise ended[0]
        running = RunningServer(port, client, pool)
        running.await_fronts(count)
        yield running
    finally:
        if not ended:
            loop, stop = stop_in[0]
            loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    assert not ended, ended
