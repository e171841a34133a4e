"""The security headers of every answer: every route of the server, every error, every redirect, every refusal."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from tests.edges.harness import RunningServer, running_server
from tests.kits.browser_session import open_browser
from tests.kits.pages import FORM, HTML, SIGNED_IN, TestPages
from tests.kits.sealed import sign_in
from tests.kits.world import World, open_world

from watchword.server.http.endpoint import METHODS
from watchword.server.http.page_headers import PAGE_HEADERS, WORKER_HEADERS
from watchword.server.pages.assets import STATIC, Assets

ALWAYS = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
FOR_PROGRAMS = "default-src 'none'; frame-ancestors 'none'"
NEVER = re.compile(r"unsafe-inline|unsafe-eval(?!')|\*|http:|https:|data:|blob:|strict-dynamic")


def check(headers: Mapping[str, str], what: object) -> None:
    """What holds for every answer, whatever it is."""
    assert {name: headers.get(name) for name in ALWAYS} == ALWAYS, what
    policy = headers["content-security-policy"]
    directives = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    assert directives["default-src"] == directives["frame-ancestors"] == "'none'", what
    assert not NEVER.search(policy.replace("'wasm-unsafe-eval'", "")), what
    for name, value in directives.items():
        assert set(value.split()) <= ALLOWED.get(name, {"'none'", "'self'"}), (what, name)
    assert headers["referrer-policy"] in {"no-referrer", "same-origin"}, what
    assert headers["cache-control"], what
    assert headers["x-request-id"].startswith("req_"), what
    assert not [name for name in headers if name.startswith("access-control")], what
    assert not {"server", "x-powered-by", "via"} & headers.keys(), what
    if headers.get("content-type", "").startswith("text/html"):
        check_page(headers, what)
    if policy == FOR_PROGRAMS:
        assert headers["referrer-policy"] == "no-referrer", what


ALLOWED = {
    "script-src": {"'self'", "'wasm-unsafe-eval'"},
    "require-trusted-types-for": {"'script'"},
    "trusted-types": {"watchword", "'none'"},
}


def check_page(headers: Mapping[str, str], what: object) -> None:
    for name, value in PAGE_HEADERS.items():
        assert headers[name] == value, (what, name)
    assert "wasm" not in headers["content-security-policy"], what


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as found:
        yield found


@pytest.mark.anyio
async def test_every_answer_of_every_route_has_its_headers(world: World) -> None:
    """Each path with every method, as a program and as a person, and paths where nothing is."""
    services = world.services
    paths = {route.path for route in [*services.routes, *services.page_routes]}
    paths |= {"/health/live", "/health/ready", "/nowhere", "/api/nowhere", "/%2e%2e/x", "/assets/nowhere"}
    statuses = set()
    for path in sorted(paths):
        for method in sorted(METHODS | {"HEAD", "OPTIONS", "TRACE"}):
            for accept in ("text/html", "*/*"):
                asked = path.replace("{session}", "ses_01j00000000000000000000000")
                answer = await world.call(method, asked, headers={"accept": accept})
                check(answer.headers, (method, path, accept, answer.status_code))
                statuses.add(answer.status_code)
    assert statuses >= {200, 401, 404, 405, 415}


@pytest.mark.anyio
async def test_every_route_has_its_headers_for_who_is_signed_in(world: World) -> None:
    services = world.services
    browser = await open_browser(world, await sign_in(world, "anna"))
    paths = {each.path for each in [*services.routes, *services.page_routes] if each.method == "GET"}
    built = Assets.load()
    files = {built.url(name) for name in json.loads((STATIC / "manifest.json").read_text())}
    for path in sorted(paths - {"/assets/{file}"} | files):
        answer = await world.call("GET", path, token=browser.grant.access_token, headers=browser.headers)
        assert answer.status_code < 400, path
        check(answer.headers, (path, answer.status_code))
        if path.startswith("/assets/"):
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable", path
            policy = (
                WORKER_HEADERS["content-security-policy"] if path == built.url("worker.js") else FOR_PROGRAMS
            )
            assert answer.headers["content-security-policy"] == policy, path


@pytest.fixture(scope="module", params=[0, 1], ids=["alone", "behind a front"])
def server(request: pytest.FixtureRequest):
    pages = TestPages()
    with running_server(routes=pages.routes(), pages=pages, fronts=request.param) as running:
        yield running


def test_the_answers_of_pages_have_their_headers(server: RunningServer) -> None:
    asked = {
        ("GET", "/login", HTML): 200,
        ("GET", "/dashboard", HTML): 303,
        ("GET", "/dashboard", SIGNED_IN): 200,
        ("GET", "/nowhere", HTML): 303,
        ("GET", "/gone", HTML): 404,
        ("GET", "/busy", HTML): 503,
        ("PUT", "/login", HTML): 405,
        ("HEAD", "/login", HTML): 200,
    }
    for (method, path, header), status in asked.items():
        answer = server.request(method, path, None, [header])
        assert answer.status == status
        check(answer.headers, (method, path))
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"] == PAGE_HEADERS["content-security-policy"]
        assert answer.headers["permissions-policy"] == PAGE_HEADERS["permissions-policy"]
    for body, status in ((b"session=a", 303), (b"x" * 70_000, 413), (b"other=1", 400)):
        answer = server.request("POST", "/dashboard/end", body, [FORM, SIGNED_IN, HTML])
        assert answer.status == status
        check(answer.headers, body[:10])
        assert answer.headers["referrer-policy"] == "same-origin"


def test_the_worker_alone_may_compile(server: RunningServer) -> None:
    answer = server.request("GET", "/assets/worker.js")
    check(answer.headers, "worker")
    assert answer.headers["content-security-policy"] == WORKER_HEADERS["content-security-policy"]
    assert "'wasm-unsafe-eval'" in answer.headers["content-security-policy"]
    assert "wasm" not in server.request("GET", "/login").headers["content-security-policy"]


def test_what_is_refused_before_it_is_a_request_has_its_headers(server: RunningServer) -> None:
    host = b"Host: localhost:%d\r\n" % server.port
    refused = {
        b"nonsense\r\n\r\n": 400,
        b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\n" + host + b"\r\n": 414,
        b"GET /dashboard HTTP/1.1\r\n" + host + b"X: " + b"a" * 20_000 + b"\r\n\r\n": 431,
        b"GET /dashboard HTTP/1.1\r\n\r\n": 400,
        b"GET /dashboard HTTP/1.1\r\nHost: evil.example\r\nAccept: text/html\r\n\r\n": 421,
    }
    for data, status in refused.items():
        answer = server.raw(data)
        assert answer.status == status
        check(answer.headers, data[:40])


def test_what_comes_too_slowly_is_answered_with_the_same_headers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the connection alone: a front has its own, which is the same code."""
    for name in ("HEAD_S", "_TICK_S"):
        monkeypatch.setattr(f"watchword.server.http.protocol.{name}", 0.05)
    with running_server(fronts=0) as running:
        answer = running.raw(b"GET /dashboard HTTP/1.1\r\n")
    assert answer.status == 408
    check(answer.headers, 408)
