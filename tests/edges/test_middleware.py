"""The whole middleware, as a server of an application calls it: statuses, challenges, and what the application sees."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
from tests.kits.tokens import (
    AUDIENCE,
    KEY,
    NOW,
    Answer,
    KeyServer,
    bearer,
    call,
    http_scope,
    key_set,
    payload,
    signed,
    token,
)

from watchword.core.encoding import decode_json
from watchword.crypto.signing import TokenSigningKey
from watchword.errors import (
    ErrorCode,
    ForbiddenError,
    InvalidConfigError,
    OverloadedError,
    UnauthenticatedError,
)
from watchword.middleware import (
    Identity,
    InsufficientError,
    NoIdentityError,
    Proof,
    WatchwordMiddleware,
    identity,
    require,
)
from watchword.middleware.denial import denial_of
from watchword.testing import FixedClock

pytestmark = pytest.mark.anyio
REALM = f'Bearer realm="{AUDIENCE}"'


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with KeyServer(key_set(KEY)) as running:
        yield running


class Seen:
    """An application that keeps what it was given, and answers 200."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        kind = "websocket.accept" if scope["type"] == "websocket" else "http.response.start"
        await send({"type": kind, "status": 200, "headers": []})
        if scope["type"] == "http":
            await send({"type": "http.response.body", "body": b"hello"})


def guarded(server: KeyServer, app: Any = None, **more: Any) -> WatchwordMiddleware:
    options: dict[str, Any] = {
        "issuer": server.origin,
        "audience": AUDIENCE,
        "bearer_ok": True,
        "clock": FixedClock(),
    } | more
    return WatchwordMiddleware(Seen() if app is None else app, **options)


def ours(server: KeyServer, **changes: Any) -> str:
    return token(iss=server.origin, **changes)


def problem(answer: Answer) -> Any:
    assert answer.header("content-type") == "application/problem+json"
    assert answer.header("cache-control") == "no-store"
    assert answer.header("content-length") == str(len(answer.body))
    document = decode_json(answer.body)
    assert document["status"] == answer.status
    return document


async def test_a_good_token_gives_the_identity_to_the_application(server):
    app = Seen()
    answer = await call(guarded(server, app), http_scope(headers=bearer(ours(server, email="a@b.example"))))
    assert (answer.status, answer.body) == (200, b"hello")
    caller = app.scopes[0]["watchword.identity"]
    assert caller is app.scopes[0]["state"]["identity"]
    assert isinstance(caller, Identity)
    made = payload()
    assert (caller.account, caller.session, caller.device) == (made["sub"], made["sid"], made["device"])
    assert (caller.username, caller.level, caller.proof) == ("alice", 1, Proof.BEARER)
    assert caller.scopes == {"notes.read", "notes.write"}
    assert (caller.name, caller.email, caller.methods) == (None, "a@b.example", ("pwd",))
    assert (caller.authenticated_at, caller.expires_at) == (NOW - 60_000, NOW + 600_000)
    assert caller.claims.jti == made["jti"]


async def test_the_scope_of_the_server_is_not_changed(server):
    scope = http_scope(headers=bearer(ours(server)), state={"shared": 1})
    before = dict(scope)
    app = Seen()
    await call(guarded(server, app), scope)
    assert scope == before
    assert scope["state"] == {"shared": 1}
    assert app.scopes[0]["state"]["shared"] == 1


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"Basic YTpi",
        b"DPoP abc",
        b"Ticket abc",
        b"Bearerabc",
        b"Token abc",
        b"Bearer,x",
        b'Digest a="b", c="d"',
    ],
)
async def test_no_credentials_or_another_scheme_is_401_without_an_error(server, value):
    app = Seen()
    headers = [] if value is None else [(b"authorization", value)]
    answer = await call(guarded(server, app), http_scope(headers=headers))
    assert (answer.status, answer.header("www-authenticate")) == (401, REALM)
    assert problem(answer)["code"] == "unauthenticated"
    assert app.scopes == []
    assert server.requests == []


async def test_a_bad_token_is_401_invalid_token_and_says_no_more(server):
    good = ours(server)
    bad = [
        "", "x", "a.b.c", good + "A", " " + good, good + " ", "  " + good, good + ",", "\u00e9", "\u00ff" * 9000,
        good.rsplit(".", 1)[0] + ".", ours(server, aud="https://other.example"), token(),
        ours(server, exp=NOW // 1000 - 61, iat=NOW // 1000 - 600), ours(server, cnf={"jkt": "x" * 43}),
        ours(server, key=TokenSigningKey.generate()),
    ]  # fmt: skip
    app = Seen()
    middleware = guarded(server, app)
    answers = [await call(middleware, http_scope(headers=bearer(one))) for one in bad]
    assert {answer.status for answer in answers} == {401}
    assert {answer.header("www-authenticate") for answer in answers} == {f'{REALM}, error="invalid_token"'}
    shown = [problem(answer) for answer in answers]
    assert len({one.pop("request_id") for one in shown}) == len(bad)
    assert all(one == shown[0] for one in shown)
    assert app.scopes == []


async def test_the_name_of_the_scheme_has_no_case(server):
    for scheme in (b"bearer", b"BEARER", b"Bearer"):
        headers = [(b"authorization", scheme + b" " + ours(server).encode())]
        assert (await call(guarded(server), http_scope(headers=headers))).status == 200


async def test_two_authorization_headers_are_400_even_when_both_are_good(server):
    app = Seen()
    headers = bearer(ours(server))
    for second in (headers[1], (b"authorization", b"Basic YTpi"), (b"authorization", b"")):
        answer = await call(guarded(server, app), http_scope(headers=[*headers, second]))
        assert (answer.status, answer.header("www-authenticate")) == (
            400,
            f'{REALM}, error="invalid_request"',
        )
        assert problem(answer)["code"] == "malformed"
    good = b"Bearer " + ours(server).encode()
    joined = [
        good + b"," + good,
        good + b", Basic YTpi",
        b"Basic YTpi,\t" + good,
        b"Bearer x,Bearer y",
    ]  # as WSGI has it
    for value in joined:
        answer = await call(guarded(server, app), http_scope(headers=[(b"authorization", value)]))
        assert (answer.status, problem(answer)["code"]) == (400, "malformed")
    assert app.scopes == []


async def test_a_token_in_query_or_body_is_not_looked_at(server):
    good = ours(server)
    app = Seen()
    scope = http_scope(query_string=f"access_token={good}".encode(), method="POST")
    scope["headers"] = [
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"cookie", f"token={good}".encode()),
    ]
    answer = await call(
        guarded(server, app), scope, {"type": "http.request", "body": f"access_token={good}".encode()}
    )
    assert (answer.status, answer.header("www-authenticate"), app.scopes) == (401, REALM, [])


async def test_a_bound_token_is_never_a_bearer_token_and_an_unbound_one_only_where_declared(server):
    bound, unbound = ours(server, cnf={"jkt": "x" * 43}), ours(server)
    for bearer_ok, text, status in (
        (True, bound, 401),
        (False, bound, 401),
        (False, unbound, 401),
        (True, unbound, 200),
    ):
        middleware = guarded(server, bearer_ok=bearer_ok)
        for _ in range(2):  # not remembered as good either
            assert (await call(middleware, http_scope(headers=bearer(text)))).status == status


async def test_level_and_scope_too_low_are_403_and_say_what_is_needed(server):
    cases: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
        ({"least_level": 2}, {"level": 1}, {"level": 2, "scope": ""}),
        ({"scopes": ["a", "b"]}, {"scope": ("a",)}, {"level": 0, "scope": "a b"}),
        ({"scopes": "a b"}, {"scope": ()}, {"level": 0, "scope": "a b"}),
    ]
    for options, changes, wanted in cases:
        app = Seen()
        answer = await call(
            guarded(server, app, **options), http_scope(headers=bearer(ours(server, **changes)))
        )
        scope = f', scope="{wanted["scope"]}"' if wanted["scope"] else ""
        assert answer.status == 403
        assert answer.header("www-authenticate") == f'{REALM}, error="insufficient_scope"{scope}'
        document = problem(answer)
        assert {name: document[name] for name in wanted} == wanted
        assert app.scopes == []
    for options, changes in (
        ({"least_level": 2}, {"level": 2}),
        ({"scopes": ["b", "a"]}, {"scope": ("a", "b", "c")}),
    ):
        assert (
            await call(guarded(server, **options), http_scope(headers=bearer(ours(server, **changes))))
        ).status == 200


async def test_keys_never_reached_are_503_with_retry_after_and_recover():
    clock = FixedClock()
    with KeyServer(key_set(KEY)) as server:
        server.status = 500
        middleware = guarded(server, clock=clock)
        scope = http_scope(headers=bearer(ours(server)))
        answer = await call(middleware, scope)
        assert (answer.status, answer.header("retry-after"), answer.header("www-authenticate")) == (
            503,
            "1",
            None,
        )
        assert problem(answer)["code"] == "unavailable"
        server.status = 200
        clock.advance(1000)
        assert (await call(middleware, scope)).status == 200


async def test_a_hundred_first_requests_fetch_the_keys_once(server):
    server.delay = 0.05
    middleware = guarded(server)
    answers = await asyncio.gather(
        *(call(middleware, http_scope(headers=bearer(ours(server, jti=f"t{n}")))) for n in range(100))
    )
    assert {answer.status for answer in answers} == {200}
    assert len(server.requests) == 1


async def test_works_while_the_server_is_down(server):
    clock = FixedClock()
    middleware = guarded(server, clock=clock)
    assert (await call(middleware, http_scope(headers=bearer(ours(server))))).status == 200
    server.stop()
    for number in range(10):
        clock.advance(600_000)
        later = ours(server, now=clock.now(), jti=f"t{number}")
        for _ in range(2):
            assert (await call(middleware, http_scope(headers=bearer(later)))).status == 200


async def test_a_token_seen_before_ends_when_it_says(server):
    clock = FixedClock()
    middleware = guarded(server, clock=clock)
    scope = http_scope(headers=bearer(ours(server)))
    assert (await call(middleware, scope)).status == 200
    clock.advance(600_000 + 60_000 - 1)
    assert (await call(middleware, scope)).status == 200
    clock.advance(1)
    assert (await call(middleware, scope)).status == 401


async def test_a_token_seen_before_dies_with_its_key(server):
    clock = FixedClock()
    middleware = guarded(server, clock=clock)
    scope = http_scope(headers=bearer(ours(server)))
    assert (await call(middleware, scope)).status == 200
    server.body = key_set(TokenSigningKey.generate())
    clock.advance(360_000)
    assert (await call(middleware, scope)).status == 401
    server.body = key_set(KEY)


async def test_a_jump_of_the_wall_clock_is_survived(server):
    clock = FixedClock()
    middleware = guarded(server, clock=clock)
    scope = http_scope(headers=bearer(ours(server)))
    assert (await call(middleware, scope)).status == 200
    clock.jump(3_600_000)
    assert (await call(middleware, scope)).status == 401
    clock.jump(-3_600_000)
    assert (await call(middleware, scope)).status == 200
    assert len(server.requests) == 1


async def test_further_checks_run_for_every_request_also_for_a_token_seen_before(server):
    ended: set[str] = set()

    def not_ended(caller: Identity) -> None:
        if caller.session in ended:
            raise UnauthenticatedError("session_ended")

    middleware = guarded(server, checks=[not_ended])
    scope = http_scope(headers=bearer(ours(server)))
    assert (await call(middleware, scope)).status == 200
    ended.add(payload()["sid"])
    answer = await call(middleware, scope)
    assert (answer.status, answer.header("www-authenticate")) == (401, f'{REALM}, error="invalid_token"')


def websocket(headers: list[tuple[bytes, bytes]], **more: Any) -> dict[str, Any]:
    return http_scope(headers=headers, **more) | {"type": "websocket", "scheme": "wss"}


async def test_a_websocket_is_refused_before_it_is_accepted(server):
    app = Seen()
    middleware = guarded(server, app)
    connect = {"type": "websocket.connect"}
    answer = await call(middleware, websocket([]), connect)
    assert answer.messages == [{"type": "websocket.close", "code": 1008}]
    answer = await call(middleware, websocket([], extensions={"websocket.http.response": {}}), connect)
    assert (answer.messages[0]["type"], answer.status) == ("websocket.http.response.start", 401)
    assert answer.header("www-authenticate") == REALM
    assert app.scopes == []
    answer = await call(middleware, websocket(bearer(ours(server))), connect)
    assert answer.messages[0]["type"] == "websocket.accept"
    assert app.scopes[0]["watchword.identity"].username == "alice"


async def test_lifespan_passes_and_an_unknown_kind_of_connection_does_not(server):
    reached: list[str] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        reached.append(scope["type"])

    middleware = guarded(server, app)
    await middleware({"type": "lifespan"}, None, None)  # type: ignore[arg-type]  # the application uses neither
    with pytest.raises(RuntimeError, match="webtransport"):
        await middleware({"type": "webtransport"}, None, None)  # type: ignore[arg-type]  # as above
    assert reached == ["lifespan"]


@pytest.mark.parametrize(
    ("path", "open_"),
    [
        ("/health", True), ("/static/a/b.css", True), ("/static/", True),
        ("/", False), ("/static", False), ("/healthy", False), ("/health/", False), ("/HEALTH", False),
        ("//health", False),
        ("/./health", False), ("/health;x=y", False), ("/health%00", False), ("/health\0", False),
        ("/x/../health", False),
        ("/static/../secret", False), ("/static/..", False), ("/static/./a", False), ("/static//secret", False),
        ("/static/%2e%2e/secret", False), ("/static/%252e", False), ("/static/..\\secret", False),
        ("/static/a;x", False),
        ("/static/\0", False), ("/static/\u2025/secret", False), ("/statica", False), ("", False),
    ],
)  # fmt: skip
async def test_public_paths_are_public_in_one_spelling_fault_A9(server, path, open_):
    app = Seen()
    middleware = guarded(server, app, public=["/health", "/static/"])
    for scope in (http_scope(path), http_scope(path, headers=[(b"authorization", b"Bearer x")])):
        assert (await call(middleware, scope)).status == (200 if open_ else 401)
    assert len(app.scopes) == (2 if open_ else 0)


async def test_nobody_is_known_on_a_public_path_whatever_stood_in_the_scope(server):
    app = Seen()
    scope = http_scope("/health", headers=bearer(ours(server)))
    scope |= {"watchword.identity": "planted", "state": {"identity": "planted", "kept": 1}}
    await call(guarded(server, app, public=["/health"]), scope)
    assert "watchword.identity" not in app.scopes[0]
    assert app.scopes[0]["state"] == {"kept": 1}


@pytest.mark.parametrize(
    "public", [["health"], ["/a//b"], ["/../x"], ["/a/."], ["/%61"], [""], ["*"], "health"]
)
def test_a_public_path_of_another_form_is_refused_at_start(public):
    with pytest.raises(InvalidConfigError):
        WatchwordMiddleware(Seen(), issuer="https://id.example", audience=AUDIENCE, public=public)


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://id.example/"}, {"issuer": "http://id.example"}, {"audience": "app"},
        {"audience": AUDIENCE + "/x"},
        {"least_level": -1}, {"least_level": 10}, {"scopes": ["a b"]}, {"scopes": [""]},
        {"ca_file": "/nonexistent.pem"},
        {"pin": "x"},
    ],
)  # fmt: skip
def test_a_wrong_setting_is_told_at_start(wrong):
    options: dict[str, Any] = {"issuer": "https://id.example", "audience": AUDIENCE} | wrong
    with pytest.raises(InvalidConfigError):
        WatchwordMiddleware(Seen(), **options)


def test_the_ca_file_is_taken_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("WATCHWORD_CA", str(tmp_path / "absent.pem"))
    with pytest.raises(InvalidConfigError, match=r"absent\.pem"):
        WatchwordMiddleware(Seen(), issuer="https://id.example", audience=AUDIENCE)


# Routes, in Starlette and FastAPI.


@pytest.fixture
def starlette(server: KeyServer) -> Any:
    from starlette.applications import Starlette  # noqa: PLC0415  # used here alone, as below
    from starlette.middleware import Middleware  # noqa: PLC0415
    from starlette.requests import Request  # noqa: PLC0415
    from starlette.responses import PlainTextResponse, StreamingResponse  # noqa: PLC0415
    from starlette.routing import Route, WebSocketRoute  # noqa: PLC0415
    from starlette.websockets import WebSocket  # noqa: PLC0415

    @require(level=2)
    async def high(request: Request) -> PlainTextResponse:
        return PlainTextResponse(identity(request).username + request.state.identity.username)

    @require(scope="notes.read")
    def threaded(request: Request) -> PlainTextResponse:
        return PlainTextResponse(identity(request).account)

    async def inside(request: Request) -> PlainTextResponse:
        return PlainTextResponse(require(scope="admin")(request).username)

    async def late(_request: Request) -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"begun"
            raise NoIdentityError

        return StreamingResponse(pieces())

    async def own_error(_request: Request) -> PlainTextResponse:
        raise ForbiddenError("of the application, not of its caller")

    @require(level=2)
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()

    routes = [
        Route("/high", high),
        Route("/threaded", threaded),
        Route("/inside", inside),
        Route("/late", late),
    ]
    routes += [Route("/public", high), Route("/own", own_error)]
    options: dict[str, Any] = {
        "issuer": server.origin,
        "audience": AUDIENCE,
        "bearer_ok": True,
        "clock": FixedClock(),
    }
    return Starlette(
        routes=[*routes, WebSocketRoute("/socket", socket)],
        middleware=[Middleware(WatchwordMiddleware, **options, public=["/public"])],
    )


async def test_routes_of_starlette_require_by_decorator_or_inside(server, starlette):
    one, two = bearer(ours(server, level=1)), bearer(ours(server, level=2, jti="two"))
    answer = await call(starlette, http_scope("/high", headers=two))
    assert (answer.status, answer.body) == (200, b"alicealice")
    answer = await call(starlette, http_scope("/high", headers=one))
    assert (answer.status, answer.header("www-authenticate")) == (403, f'{REALM}, error="insufficient_scope"')
    assert (await call(starlette, http_scope("/threaded", headers=one))).body == payload()["sub"].encode()
    answer = await call(starlette, http_scope("/inside", headers=two))
    assert answer.header("www-authenticate") == f'{REALM}, error="insufficient_scope", scope="admin"'
    answer = await call(starlette, http_scope("/public", headers=two))
    assert (answer.status, answer.header("www-authenticate")) == (401, f'{REALM}, error="invalid_token"')


async def test_a_websocket_route_requires_too(server, starlette):
    connect = {"type": "websocket.connect"}
    answer = await call(starlette, websocket(bearer(ours(server, level=2)), path="/socket"), connect)
    assert answer.messages[0]["type"] == "websocket.accept"
    answer = await call(starlette, websocket(bearer(ours(server, level=1)), path="/socket"), connect)
    assert [message["type"] for message in answer.messages] == ["websocket.close"]


async def test_an_answer_that_has_begun_and_the_applications_own_errors_are_not_turned_into_ours(
    server, starlette
):
    good = bearer(ours(server, level=2))
    with pytest.raises(NoIdentityError):
        await call(starlette, http_scope("/late", headers=good))
    with pytest.raises(ForbiddenError):
        await call(starlette, http_scope("/own", headers=good))


async def test_routes_of_fastapi_require_by_depends(server):
    from fastapi import Depends, FastAPI, WebSocket  # noqa: PLC0415  # used here alone

    app = FastAPI()
    options: dict[str, Any] = {
        "issuer": server.origin,
        "audience": AUDIENCE,
        "bearer_ok": True,
        "clock": FixedClock(),
    }
    app.add_middleware(WatchwordMiddleware, **options)

    @app.get("/me")
    async def me(who: Annotated[Identity, Depends(require())]) -> dict[str, str]:
        return {"username": who.username}

    @app.get("/high", dependencies=[Depends(require(level=2, scope=["a"]))])
    async def high() -> dict[str, str]:
        return {}

    @app.websocket("/socket")
    async def socket(connection: WebSocket, who: Annotated[Identity, Depends(require(level=1))]) -> None:
        await connection.accept()
        await connection.send_text(who.username)

    answer = await call(app, http_scope("/me", headers=bearer(ours(server))))
    assert (answer.status, answer.body) == (200, b'{"username":"alice"}')
    answer = await call(app, http_scope("/high", headers=bearer(ours(server, level=2))))
    assert (answer.status, problem(answer)["scope"]) == (403, "a")
    answer = await call(app, http_scope("/high", headers=bearer(ours(server, level=2, scope=("a",)))))
    assert answer.status == 200
    answer = await call(app, websocket(bearer(ours(server)), path="/socket"), {"type": "websocket.connect"})
    assert answer.messages[1]["text"] == "alice"
    answer = await call(
        app, websocket(bearer(ours(server, level=0)), path="/socket"), {"type": "websocket.connect"}
    )
    assert [message["type"] for message in answer.messages] == ["websocket.close"]


def test_a_class_cannot_be_guarded_as_a_route():
    with pytest.raises(InvalidConfigError):

        @require(level=1)
        class View:
            pass


def test_without_the_middleware_nobody_is_known():
    from starlette.requests import Request  # noqa: PLC0415  # used here alone

    with pytest.raises(NoIdentityError):
        identity(Request(http_scope()))
    with pytest.raises(NoIdentityError):
        require()(Request(http_scope() | {"watchword.identity": {"account": "planted"}}))


def test_a_code_that_the_middleware_has_no_rule_for_is_500_and_tells_nothing():
    told = {ErrorCode.MALFORMED, ErrorCode.UNAUTHENTICATED, ErrorCode.FORBIDDEN, ErrorCode.UNAVAILABLE}
    denial = denial_of(OverloadedError(), realm=AUDIENCE, request_id="r")
    assert denial.status == 500
    assert not any(name == b"www-authenticate" for name, _ in denial.headers)
    assert OverloadedError.code not in told
    assert denial_of(InsufficientError(require(level=3)), realm=AUDIENCE, request_id="r").status == 403


async def test_a_refusal_is_logged_with_its_step_and_without_the_token(server, caplog):
    caplog.set_level("INFO", logger="watchword.middleware")
    bad = signed(body=payload() | {"iss": "https://evil.example"})
    await call(guarded(server), http_scope(headers=bearer(bad)))
    assert "refused http: issuer" in caplog.text
    assert not any(part in caplog.text for part in bad.split("."))
