"""Access tokens: issuing, and the whole middleware path, each beside the bare primitive in the same run."""

import asyncio
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from tests.kits.tokens import AUDIENCE, KEY, KeyServer, bearer, claims, http_scope, key_set, token

from bench import Row
from watchword.core.clock import SystemClock
from watchword.core.encoding import decode_b64u
from watchword.middleware import WatchwordMiddleware, current_identity, wsgi
from watchword.middleware.grpc import WatchwordInterceptor
from watchword.protocol.tokens import issue_access_token

ROUNDS = 30
BATCH = 100
IMPORT_RUNS = 15
_BASE = "import cryptography.hazmat.primitives.asymmetric.ec"


def run() -> list[Row]:
    gc.collect()
    return [_issue(), *asyncio.run(_middleware()), *_wsgi(), *_grpc(), _imports()]


def _beside(name: str, value: float, bare: float, *, most: float) -> Row:
    """A time in µs beside that of the bare primitive, of which it may take `most` times as much."""
    return {
        "name": name,
        "value": value,
        "unit": "µs",
        "limit": bare,
        "ratio": value / bare,
        "goal": f"<= {most:g} times the bare primitive",
        "holds": value / bare <= most,
    }


def _under(name: str, value: float, unit: str, *, limit: float) -> Row:
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "limit": limit,
        "ratio": value / limit,
        "goal": f"<= {limit:g} {unit}",
        "holds": value <= limit,
    }


def _batch(step: Callable[[], object], times: int = BATCH) -> float:
    """Microseconds of this thread's processor for one call: what others do to the machine does not count."""
    started = time.thread_time_ns()
    for _ in range(times):
        step()
    return (time.thread_time_ns() - started) / times / 1000


def _each(steps: list[Callable[[], None]]) -> float:
    """Microseconds for one of the steps, each taken once."""
    started = time.thread_time_ns()
    for step in steps:
        step()
    return (time.thread_time_ns() - started) / len(steps) / 1000


def _issue() -> Row:
    made = claims(SystemClock().now(), name="Alice Example", email="alice@app.example")
    message = issue_access_token(made, KEY).encode()
    algorithm = ec.ECDSA(SHA256())
    bare, ours = [], []
    for _ in range(ROUNDS):  # in turns, so that a slower clock slows both alike
        bare.append(_batch(lambda: KEY._key.sign(message, algorithm)))
        ours.append(_batch(lambda: issue_access_token(made, KEY)))
    limit, value = statistics.median(bare), statistics.median(ours)
    return _beside("access token issue, in process", value, limit, most=1.6)


async def _app(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _receive() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _middleware() -> list[Row]:
    """The whole ASGI call: headers, token, identity, an application that answers at once."""
    with KeyServer(key_set(KEY)) as server:
        guarded = WatchwordMiddleware(_app, issuer=server.origin, audience=AUDIENCE, bearer_ok=True)
        statuses: set[int] = set()

        async def send(message: Any) -> None:
            if "status" in message:
                statuses.add(message["status"])

        async def path(scopes: list[dict[str, Any]]) -> float:
            started = time.thread_time_ns()
            for scope in scopes:
                await guarded(scope, _receive, send)
            return (time.thread_time_ns() - started) / len(scopes) / 1000

        await path(_scopes(server, 1, "first"))
        bare, never, seen = [], [], []
        for number in range(ROUNDS):
            scopes = _scopes(server, BATCH, str(number))
            gc.collect()
            gc.freeze()  # what the bench itself holds is not for the collector to walk during the measured calls
            verifications = [_bare_verification(scope) for scope in scopes]
            bare.append(_each(verifications))
            never.append(await path(scopes))
            seen.append(await path(scopes))
        assert statuses == {200}
    limit, value, again = (statistics.median(times) for times in (bare, never, seen))
    return [
        _beside("middleware, token never seen before", value, limit, most=1.5),
        _under("middleware, token seen before and unexpired", again, "µs", limit=15),
    ]


def _wsgi() -> list[Row]:
    """The whole WSGI call, as above."""
    statuses: set[str] = set()

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return []

    def start(status: str, _headers: Any, _cause: Any = None) -> Any:
        statuses.add(status)

    with KeyServer(key_set(KEY)) as server:
        guarded: Any = wsgi.WatchwordMiddleware(app, issuer=server.origin, audience=AUDIENCE, bearer_ok=True)

        def step(scope: dict[str, Any]) -> Callable[[], None]:
            named = {
                name.decode().upper().replace("-", "_"): value.decode() for name, value in scope["headers"]
            }
            environ = {f"HTTP_{name}": value for name, value in named.items()} | {"PATH_INFO": "/notes"}
            return lambda: guarded(environ, start)

        rows = _blocking("WSGI middleware", server, step, most=1.5)
    assert statuses == {"200 OK"}
    return rows


def _grpc() -> list[Row]:
    """What the interceptor and the call of the method take, without grpc's own work."""
    with KeyServer(key_set(KEY)) as server:
        guard = WatchwordInterceptor(issuer=server.origin, audience=AUDIENCE, bearer_ok=True)
        callers: set[bytes] = set()
        inner = grpc.unary_unary_rpc_method_handler(
            lambda _request, _context: current_identity().username.encode()
        )

        def step(scope: dict[str, Any]) -> Callable[[], None]:
            metadata = [(name.decode(), value.decode()) for name, value in scope["headers"]]
            details = SimpleNamespace(method="/notes.Notes/List", invocation_metadata=metadata)

            def one() -> None:
                handler = guard.intercept_service(lambda _details: inner, details)
                callers.add(handler.unary_unary(b"", None))

            return one

        rows = _blocking("gRPC interceptor", server, step, most=1.7)
    assert callers == {b"alice"}
    return rows


def _blocking(
    name: str, server: KeyServer, step: Callable[[dict[str, Any]], Callable[[], None]], *, most: float
) -> list[Row]:
    """Both rows of a blocking face, whose `step` makes a call that may be made again and again."""
    step(_scopes(server, 1, "first")[0])()
    bare, never, seen = [], [], []
    for number in range(ROUNDS):
        scopes = _scopes(server, BATCH, str(number))
        steps = [step(scope) for scope in scopes]
        verifications = [_bare_verification(scope) for scope in scopes]
        gc.collect()
        gc.freeze()
        bare.append(_each(verifications))
        never.append(_each(steps))
        seen.append(_each(steps))
    limit, value, again = (statistics.median(times) for times in (bare, never, seen))
    return [
        _beside(f"{name}, token never seen before", value, limit, most=most),
        _under(f"{name}, token seen before and unexpired", again, "µs", limit=20),
    ]


def _scopes(server: KeyServer, times: int, mark: str) -> list[dict[str, Any]]:
    now = SystemClock().now()
    # what a client sends beside the token
    others = [
        (b"user-agent", b"curl/8.0"),
        (b"accept", b"*/*"),
        (b"accept-encoding", b"gzip"),
        (b"x-a", b"b"),
    ]
    return [
        http_scope("/notes", [*others, *bearer(token(now, iss=server.origin, jti=f"{mark}-{number}"))])
        for number in range(times)
    ]


def _bare_verification(scope: dict[str, Any]) -> Callable[[], None]:
    text = next(value for name, value in scope["headers"] if name == b"authorization").partition(b" ")[2]
    message, _, last = text.rpartition(b".")
    raw = decode_b64u(last.decode())
    public, algorithm = KEY.public._key, ec.ECDSA(SHA256())

    def verify() -> None:
        """ES256 as it is: 64 bytes of signature, which OpenSSL wants in DER."""
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        public.verify(encode_dss_signature(r, s), message, algorithm)

    return verify


def _imports() -> Row:
    """`import watchword.middleware` over bare Python with its elliptic curves, each from compiled files."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"PYTHONPYCACHEPREFIX": cache, "PYTHONPATH": str(Path(__file__).parents[1] / "src")}

        def started(code: str) -> float:
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, env=environment)
            return (time.perf_counter() - begun) * 1000

        base, ours = [], []
        for turn in range(IMPORT_RUNS + 1):
            one, other = started(_BASE), started(f"{_BASE}, watchword.middleware")
            if turn:  # the first compiles
                base.append(one)
                ours.append(other)
    over = statistics.median(ours) - statistics.median(base)
    return _under("import watchword.middleware, over bare Python with ec", over, "ms", limit=60)
