"""Flask and Django as applications use them: what the matrix of faces does not see."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import flask
import pytest
from tests.kits.faces import django_settings
from tests.kits.tokens import KEY, KeyServer, call, http_scope, key_set, settings, token

from watchword.core.encoding import decode_json
from watchword.errors import ForbiddenError
from watchword.middleware import Identity, NoIdentityError, current_identity, identity, require
from watchword.middleware.flask import Watchword


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with KeyServer(key_set(KEY)) as running:
        yield running


def bearer(server: KeyServer, **changes: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(iss=server.origin, **changes)}"}


@pytest.fixture
def notes(server: KeyServer) -> flask.Flask:
    app = flask.Flask("notes")
    Watchword(app, **settings(server, public=["/open"]))

    @app.get("/open")
    def open_to_all() -> str:
        return str(flask.g.identity)

    @app.get("/stream")
    def stream() -> Iterator[str]:
        yield current_identity().username

    @app.get("/stream-in-context")
    def stream_in_context() -> flask.Response:
        def pieces() -> Iterator[str]:
            yield current_identity().username
            yield flask.g.identity.account

        return flask.Response(flask.stream_with_context(pieces()))

    @app.get("/waiting")
    @require(scope="notes.read")
    async def waiting() -> str:
        await asyncio.sleep(0)
        return current_identity().username

    @app.get("/own")
    def own() -> str:
        raise ForbiddenError("of the application, not of its caller")

    @app.errorhandler(404)
    def missing(_error: object) -> tuple[str, int]:
        return f"nothing here, {flask.g.identity.username}", 404

    return app


def test_flask_shows_the_caller_to_views_streams_coroutines_and_error_pages(server, notes):
    client = notes.test_client()
    good = bearer(server)
    assert client.get("/open", headers=good).text == "None"
    assert client.get("/stream", headers=good).text == "alice"
    assert client.get("/stream-in-context", headers=good).text.startswith("aliceacc_")
    assert client.get("/waiting", headers=good).text == "alice"
    assert client.get("/waiting", headers=bearer(server, scope=("a",))).status_code == 403
    assert client.get("/missing", headers=good).text == "nothing here, alice"
    assert client.get("/missing").status_code == 401  # which paths there are is told to callers alone
    assert client.get("/own", headers=good).status_code == 500  # no refusal of ours


def test_flask_in_debug_mode_refuses_in_the_same_words(server, notes):
    notes.debug = notes.testing = True
    client = notes.test_client()
    answer = client.get("/waiting", headers=bearer(server, scope=()) | {"X-Request-Id": "r-1"})
    assert (answer.status_code, answer.content_type) == (403, "application/problem+json")
    assert sorted(answer.headers.keys()) == [
        "Cache-Control",
        "Content-Length",
        "Content-Type",
        "Www-Authenticate",
    ]
    assert decode_json(answer.data)["request_id"] == "r-1"
    with pytest.raises(ForbiddenError):
        client.get("/own", headers=bearer(server))


def test_a_request_id_that_could_harm_a_log_is_replaced(server, notes):
    for wrong in ("a b", "x" * 65, "a\tb", "é", "", "<script>"):
        answer = notes.test_client().get("/", headers={"X-Request-Id": wrong})
        assert decode_json(answer.data)["request_id"].startswith("req_")


def django_views() -> dict[str, Any]:
    from django.http import HttpResponse, StreamingHttpResponse  # noqa: PLC0415  # slow to load, as below
    from django.utils.decorators import method_decorator  # noqa: PLC0415
    from django.views import View  # noqa: PLC0415

    def open_to_all(request: Any) -> HttpResponse:
        return HttpResponse(str(request.identity))

    def asks(_request: Any) -> HttpResponse:
        return HttpResponse(current_identity().username)

    class Notes(View):  # type: ignore[misc]  # Django has no types
        @method_decorator(require(scope="notes.read"))  # type: ignore[untyped-decorator]  # as above
        def get(self, request: Any) -> HttpResponse:
            return HttpResponse(request.identity.username)

    def stream(request: Any) -> StreamingHttpResponse:
        return StreamingHttpResponse(iter([request.identity.username]))

    def own(_request: Any) -> HttpResponse:
        raise ForbiddenError("of the application, not of its caller")

    return {
        "^open$": open_to_all, "^asks$": asks, "^notes$": Notes.as_view(), "^stream$": stream, "^own$": own,
    }  # fmt: skip


def test_django_shows_the_caller_to_views_classes_and_streams(server):
    from django.test import Client  # noqa: PLC0415  # slow to load

    with django_settings(django_views(), settings(server, public=["/open", "/asks"])):
        client = Client(raise_request_exception=False)
        good = bearer(server)
        assert client.get("/open", headers=good).content == b"None"
        assert client.get("/asks", headers=good).status_code == 401
        assert client.get("/notes", headers=good).content == b"alice"
        assert client.get("/notes", headers=bearer(server, scope=())).status_code == 403
        assert client.get("/stream", headers=good).getvalue() == b"alice"
        assert client.get("/missing", headers=good).status_code == 404
        assert client.get("/missing").status_code == 401
        assert client.get("/own", headers=good).status_code == 500
        answer = client.get("/notes", headers={"X-Request-Id": "r-1"})
        assert (answer["Content-Type"], answer["Cache-Control"]) == ("application/problem+json", "no-store")
        assert decode_json(answer.content)["request_id"] == "r-1"


def test_django_on_an_event_loop_runs_blocking_views_with_their_caller(server):
    from django.core.handlers.asgi import ASGIHandler  # noqa: PLC0415  # slow to load

    async def ask(path: str, headers: dict[str, str]) -> int:
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        return (await call(ASGIHandler(), http_scope(path, raw))).status

    async def all_of_them() -> list[int]:
        good = bearer(server)
        return [await ask("/notes", good), await ask("/asks", good), await ask("/notes", bearer(server, scope=())),
                await ask("/asks", {})]  # fmt: skip

    with django_settings(django_views(), settings(server)):
        assert asyncio.run(all_of_them()) == [200, 200, 403, 401]


def test_a_guarded_function_of_any_kind_is_refused_outside_of_requests():
    ran: list[str] = []

    @require()
    def direct() -> None:
        ran.append("direct")

    @require()
    async def waiting() -> None:
        ran.append("waiting")

    @require()
    async def streaming() -> AsyncIterator[int]:
        ran.append("streaming")
        yield 1

    @require()
    def yielding() -> Iterator[int]:
        ran.append("yielding")
        yield 1

    async def each() -> list[int]:
        return [piece async for piece in streaming()]

    for attempt in (
        direct,
        lambda: asyncio.run(waiting()),
        lambda: asyncio.run(each()),
        lambda: next(yielding()),
    ):
        with pytest.raises(NoIdentityError):
            attempt()
    assert ran == []


def test_documentation_of_fastapi_may_ask_for_a_token(server):
    from fastapi import Depends, FastAPI  # noqa: PLC0415  # slow to load, as below
    from fastapi.security import HTTPBearer  # noqa: PLC0415
    from starlette.requests import Request  # noqa: PLC0415

    app = FastAPI(dependencies=[Depends(HTTPBearer(auto_error=False))])

    @app.get("/")
    async def show(request: Request, caller: Annotated[Identity, Depends(require())]) -> str:
        return identity(request).username + caller.username

    assert app.openapi()["components"]["securitySchemes"] == {
        "HTTPBearer": {"type": "http", "scheme": "bearer"}
    }
    assert app.openapi()["paths"]["/"]["get"]["security"] == [{"HTTPBearer": []}]
