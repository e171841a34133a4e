"""One small application behind every face of the middleware, called in process; each answers in one form."""

import asyncio
import dataclasses
import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Annotated, Any, Protocol
from wsgiref.util import setup_testing_defaults

import flask
import grpc
from tests.kits.tokens import call, http_scope

from watchword.middleware import Identity, Requirement, WatchwordMiddleware, current_identity, require
from watchword.middleware.flask import Watchword
from watchword.middleware.grpc import WatchwordAioInterceptor, WatchwordInterceptor
from watchword.middleware.wsgi import WatchwordMiddleware as WsgiMiddleware

GRPC_STATUS = {3: 400, 16: 401, 7: 403, 14: 503, 0: 200}
"""gRPC status to that of HTTP."""
Servicer = Any
"""A `grpc.GenericRpcHandler`, generic in its stubs alone."""
KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a caller sees, whatever the face: status, challenge, and the body (the username, or the problem)."""

    status: int
    challenge: str | None
    retry_after: str | None
    body: bytes


class Ask(Protocol):
    def __call__(self, authorization: list[str], path: str = "/") -> Seen:
        """Call the application with these `Authorization` values and the request id "r-1"."""
        ...


def _ask_asgi(app: Any) -> Ask:
    def ask(authorization: list[str], path: str = "/") -> Seen:
        headers = [(b"x-request-id", b"r-1"), *((b"authorization", one.encode()) for one in authorization)]
        answer = asyncio.run(call(app, http_scope(path, headers)))
        named = {key.decode().lower(): value.decode() for key, value in answer.messages[0]["headers"]}
        return Seen(answer.status, named.get("www-authenticate"), named.get("retry-after"), answer.body)

    return ask


def asgi(requirement: Requirement, settings: dict[str, Any]) -> Iterator[Ask]:
    @requirement
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": current_identity().username.encode()})

    guarded = WatchwordMiddleware(app, **settings)

    yield _ask_asgi(guarded)


def fastapi(requirement: Requirement, settings: dict[str, Any]) -> Iterator[Ask]:
    from fastapi import Depends, FastAPI, Response  # noqa: PLC0415  # slow to load

    app = FastAPI()
    app.add_middleware(WatchwordMiddleware, **settings)

    @app.get("/{path:path}")
    def show(caller: Annotated[Identity, Depends(requirement)]) -> Response:
        return Response(caller.username)

    yield _ask_asgi(app)


def _ask_wsgi(app: Any) -> Ask:
    def ask(authorization: list[str], path: str = "/") -> Seen:
        environ: dict[str, Any] = {"PATH_INFO": path, "HTTP_X_REQUEST_ID": "r-1", "wsgi.input": io.BytesIO()}
        setup_testing_defaults(environ)
        if authorization:
            environ["HTTP_AUTHORIZATION"] = ",".join(authorization)  # as servers do (RFC 9110, section 5.3)
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], _cause: Any = None) -> Callable[[bytes], None]:
            started.append((status, headers))
            return lambda _piece: None

        pieces = app(environ, start)
        body = b"".join(pieces)
        if hasattr(pieces, "close"):
            pieces.close()
        status, headers = started[-1]
        named = {name.lower(): value for name, value in headers}
        return Seen(int(status[:3]), named.get("www-authenticate"), named.get("retry-after"), body)

    return ask


def wsgi(requirement: Requirement, settings: dict[str, Any]) -> Iterator[Ask]:
    @requirement
    def app(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [current_identity().username.encode()]

    yield _ask_wsgi(WsgiMiddleware(app, **settings))


def in_flask(requirement: Requirement, settings: dict[str, Any]) -> Iterator[Ask]:
    app = flask.Flask("notes")
    Watchword(app, **settings)

    @app.get("/", defaults={"path": ""})
    @app.get("/<path:path>")
    @requirement
    def show(path: str) -> str:
        return str(flask.g.identity.username)

    yield _ask_wsgi(app)


@contextmanager
def django_settings(views: dict[str, Any], settings: dict[str, Any]) -> Iterator[None]:
    """Django configured with these views, by path, behind the middleware; Django keeps its settings for a process."""
    from django.conf import settings as kept  # noqa: PLC0415  # slow to load, as below
    from django.test.utils import override_settings  # noqa: PLC0415
    from django.urls import re_path  # noqa: PLC0415

    if not kept.configured:
        kept.configure(ALLOWED_HOSTS=["*"], DEBUG=False, DATABASES={}, USE_I18N=False, LOGGING_CONFIG=None)
    urls = type("Urls", (), {"urlpatterns": [re_path(path, view) for path, view in views.items()]})
    name = "watchword.middleware.django.WatchwordMiddleware"
    with override_settings(ROOT_URLCONF=urls, MIDDLEWARE=[name], WATCHWORD=settings):
        yield


def in_django(requirement: Requirement, settings: dict[str, Any]) -> Iterator[Ask]:
    from django.core.handlers.wsgi import WSGIHandler  # noqa: PLC0415  # slow to load, as below
    from django.http import HttpResponse  # noqa: PLC0415

    @requirement
    def show(request: Any) -> HttpResponse:
        return HttpResponse(request.identity.username)

    with django_settings({"": show}, {name.upper(): value for name, value in settings.items()}):
        yield _ask_wsgi(WSGIHandler())


def in_async_django(requirement: Requirement, settings: dict[str, Any]) -> Iterator[Ask]:
    from django.core.handlers.asgi import ASGIHandler  # noqa: PLC0415  # slow to load, as below
    from django.http import HttpResponse  # noqa: PLC0415

    @requirement
    async def show(_request: Any) -> HttpResponse:
        return HttpResponse(current_identity().username)

    with django_settings({"": show}, settings):
        yield _ask_asgi(ASGIHandler())


def echo(requirement: Requirement) -> Servicer:
    """Servicer "notes.Notes" with a blocking method of each kind, which all answer the caller's name."""

    @requirement
    def one(_request: Any, _context: Any) -> bytes:
        return current_identity().username.encode()

    @requirement
    def many(_request: Any, _context: Any) -> Iterator[bytes]:
        yield current_identity().username.encode()

    return _servicer(one, many)


def echo_async(requirement: Requirement) -> Servicer:
    """The same, as coroutines and asynchronous generators."""

    @requirement
    async def one(_request: Any, _context: Any) -> bytes:
        return current_identity().username.encode()

    @requirement
    async def many(_request: Any, _context: Any) -> Any:
        yield current_identity().username.encode()

    return _servicer(one, many)


def _servicer(one: Any, many: Any) -> Servicer:
    return grpc.method_handlers_generic_handler(
        "notes.Notes",
        {
            kind: getattr(grpc, f"{kind}_rpc_method_handler")(many if kind.endswith("stream") else one)
            for kind in KINDS
        },
    )


def ask_grpc(port: int, kind: str, metadata: list[tuple[str, str]], path: str | None = None) -> Seen:
    """One call of this kind over a connection of its own."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        method = getattr(channel, kind)(path or f"/notes.Notes/{kind}")
        sent = iter([b"x"]) if kind.startswith("stream") else b"x"
        try:
            if kind.endswith("stream"):
                body = b"".join(method(sent, metadata=metadata, timeout=60))
            else:
                body = method(sent, metadata=metadata, timeout=60)
        except grpc.RpcError as error:
            return _refused(error)
        return Seen(200, None, None, body)


def _refused(error: Any) -> Seen:
    trailing = dict(error.trailing_metadata() or ())
    body = trailing.get("watchword-problem-bin", error.details().encode())
    status = GRPC_STATUS.get(error.code().value[0], 0)
    return Seen(status, trailing.get("www-authenticate"), trailing.get("retry-after"), body)


@contextmanager
def grpc_server(servicer: Servicer, settings: dict[str, Any]) -> Iterator[int]:
    """A blocking server on loopback; gives its port."""
    server = grpc.server(ThreadPoolExecutor(4), interceptors=[WatchwordInterceptor(**settings)])
    server.add_generic_rpc_handlers((servicer,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait(60)


@contextmanager
def grpc_aio_server(servicer: Servicer, settings: dict[str, Any]) -> Iterator[int]:
    """The same on an event loop, which has a thread of its own."""
    ports: list[int] = []
    ready = threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        server = grpc.aio.server(interceptors=[WatchwordAioInterceptor(**settings)])
        server.add_generic_rpc_handlers((servicer,))
        ports.append(server.add_insecure_port("127.0.0.1:0"))
        await server.start()
        over = asyncio.Event()
        loops.append((asyncio.get_running_loop(), over))
        ready.set()
        await over.wait()
        await server.stop(None)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(60)
    try:
        yield ports[0]
    finally:
        loop, over = loops[0]
        loop.call_soon_threadsafe(over.set)
        thread.join(60)


def _ask_grpc_of(port: int, kind: str) -> Ask:
    def ask(authorization: list[str], path: str = "/") -> Seen:
        metadata = [("x-request-id", "r-1"), *(("authorization", one) for one in authorization)]
        return ask_grpc(port, kind, metadata, None if path == "/" else path)

    return ask


def in_grpc(kind: str) -> Callable[[Requirement, dict[str, Any]], Iterator[Ask]]:
    def face(requirement: Requirement, settings: dict[str, Any]) -> Iterator[Ask]:
        with grpc_server(echo(requirement), settings) as port:
            yield _ask_grpc_of(port, kind)

    return face


def in_grpc_aio(kind: str) -> Callable[[Requirement, dict[str, Any]], Iterator[Ask]]:
    def face(requirement: Requirement, settings: dict[str, Any]) -> Iterator[Ask]:
        with grpc_aio_server(echo_async(requirement), settings) as port:
            yield _ask_grpc_of(port, kind)

    return face


FACES: dict[str, Callable[[Requirement, dict[str, Any]], Iterator[Ask]]] = {
    "asgi": asgi,
    "fastapi": fastapi,
    "wsgi": wsgi,
    "flask": in_flask,
    "django": in_django,
    "django async": in_async_django,
    **{f"grpc {kind}": in_grpc(kind) for kind in KINDS},
    **{f"grpc.aio {kind}": in_grpc_aio(kind) for kind in KINDS},
}


@contextmanager
def face(name: str, requirement: Requirement | None = None, **settings: Any) -> Iterator[Ask]:
    """The application behind this face."""
    yield from FACES[name](requirement or require(), settings)
