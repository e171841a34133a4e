"""FAULTS A9 to A15, C22, E23, N4 in a browser's terms: at every page and form that the server has."""

import base64
import itertools
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from tests.faults.test_http_A import FOREIGN
from tests.kits.browser_session import BrowserSession, open_browser
from tests.kits.sealed import OPERATOR, everything_stored, sign_in, whole_state
from tests.kits.world import ORIGIN, World, open_world
from tests.unit.server.http.test_return_path import E23

from watchword.core.encoding import encode_json
from watchword.core.ids import AccountId
from watchword.server.http import Route
from watchword.server.sessions.sql import SQLSessionStore

pytestmark = pytest.mark.anyio
HTML = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
SAME = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}
CANARY = "canary-hunter2-plain"
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT")
OWN = {"x-request-id", "location"}
"""Headers that each answer has of its own."""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path, pages__styleguide="true") as found:
        yield found


@pytest.fixture
async def browser(world: World) -> BrowserSession:
    return await open_browser(world, await sign_in(world, "anna"))


def forms_of(world: World) -> list[Route]:
    found = [route for route in world.services.page_routes if route.form is not None and route.auth]
    assert len(found) >= 4
    return found


def pages_of(world: World) -> list[str]:
    """Paths of pages that need somebody signed in."""
    found = [each.path for each in world.services.page_routes if each.auth and each.method == "GET"]
    assert {"/dashboard", "/password"} <= set(found)
    return found


async def fields_of(world: World, route: Route, browser: BrowserSession) -> dict[str, str]:
    """What the form of `route` would post, if it were sent by its page."""
    now = world.clock.now()
    account = AccountId.parse(
        (await world.call("GET", "/api/me", token=browser.grant.access_token)).json()["account"]["id"]
    )
    live = await world.services.sessions.list_live(account, now)
    mine = next(each for each in live if str(each.id) == browser.grant.session.id)
    values = {"csrf": world.services.cookies.csrf_token(mine), "session": str(mine.id)}
    assert route.form is not None
    return {name: values[name] for name in route.form.__struct_fields__}


def same_bytes(answer: httpx.Response) -> tuple[Any, ...]:
    kept = {name: value for name, value in answer.headers.items() if name not in OWN}
    return answer.status_code, answer.content, kept


# A client library mends some spellings before they are sent; those are in tests/edges/test_http_pages.py.
A9 = [
    "/nowhere",
    "/dashboard/",
    "/DASHBOARD",
    "/dashboard;x=y",
    "/dashboard%00",
    "/%64ashboard",
    "/%2e%2e/dashboard",
    "/%252e%252e/dashboard",
    "/%c0%ae/dashboard",
    "/dashboard%5c",
    "/dashboard/nowhere",
    "/.git/config",
]


async def test_fault_A9_signed_out_all_paths_are_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes but the return path, and the same reads, whether there is a page or not, by every method."""
    reads = []
    honest = SQLSessionStore.find_with_account

    async def counted(self: SQLSessionStore, session_id: Any) -> Any:
        reads.append(session_id)
        return await honest(self, session_id)

    browser = await open_browser(world, await sign_in(world, "anna"))
    await world.services.operator.suspend("anna", OPERATOR)
    monkeypatch.setattr(SQLSessionStore, "find_with_account", counted)
    seen: dict[bool, set[str]] = {True: set(), False: set()}
    paths = [*pages_of(world), *(route.path for route in forms_of(world)), *A9]
    for path, method, headers in itertools.product(paths, METHODS, (HTML, browser.headers)):
        before = len(reads)
        answer = await world.call(method, path, headers=headers)
        safe = method in {"GET", "HEAD"}
        assert answer.headers["location"] in {"/login", f"/login?return={path}" if safe else ""}, (
            method,
            path,
        )
        assert len(reads) - before == int(headers is not HTML), (method, path)
        seen[safe].add(repr(same_bytes(answer)))
    assert [len(answers) for answers in seen.values()] == [1, 1]


async def test_fault_A9_the_api_is_one_for_every_method_too(world: World) -> None:
    """Without a token a method that is used nowhere says nothing of a path either."""
    for method in METHODS:
        here, nowhere = await world.call(method, "/api/me"), await world.call(method, "/api/nowhere")
        assert here.status_code == nowhere.status_code == 401, method
        assert {name: here.headers[name] for name in here.headers if name not in OWN} == {
            name: nowhere.headers[name] for name in nowhere.headers if name not in OWN
        }


async def test_fault_A9_signed_in_another_spelling_is_no_page(world: World, browser: BrowserSession) -> None:
    for path in A9:
        answer = await world.call("GET", path, headers=browser.headers)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8"), path
        assert (await world.call("GET", path)).status_code == 404


async def test_fault_A11_pages_and_forms_have_their_own_methods(
    world: World, browser: BrowserSession
) -> None:
    before = await whole_state(world)
    places: dict[str, set[str]] = {}
    for route in world.services.page_routes:
        places.setdefault(route.path.replace("{file}", "x.js"), set()).add(route.method)
    for path, own in places.items():
        for method in {"PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "GET", "POST"} - own:
            for override in ({}, {"x-http-method-override": "POST"}):
                answer = await world.call(method, path, headers={**browser.headers, **SAME, **override})
                assert answer.status_code == 405, (method, path)
                assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == own
                assert browser.cookie not in answer.text
    assert await whole_state(world) == before


async def test_fault_A11_head_of_every_page_changes_nothing(world: World, browser: BrowserSession) -> None:
    before = await whole_state(world)
    for route in world.services.page_routes:
        if "{" not in route.path:
            answer = await world.call("HEAD", route.path, headers=browser.headers)
            assert answer.content == b""
            assert answer.status_code == (405 if route.method == "POST" else answer.status_code)
            assert answer.status_code < 500
    assert await whole_state(world) == before


STRANGE: list[tuple[dict[str, str], int]] = [
    *(({"origin": origin}, 403) for origin in FOREIGN),
    ({"sec-fetch-site": "cross-site"}, 403),
    ({"sec-fetch-site": "same-site"}, 403),
    ({**SAME, "content-type": "text/plain"}, 415),
    ({**SAME, "content-type": "application/json"}, 415),
    ({**SAME, "content-type": "multipart/form-data; boundary=x"}, 415),
    ({**SAME, "content-encoding": "gzip"}, 415),
]


async def test_fault_A13_no_other_site_sends_a_form_of_ours(world: World, browser: BrowserSession) -> None:
    """Each form, with a good cookie and even its good token, as another site's page could send it."""
    before = await whole_state(world)
    for route in forms_of(world):
        body = urlencode(await fields_of(world, route, browser)).encode()
        for strange, status in STRANGE:
            headers = {**browser.headers, **FORM, **strange}
            answer = await world.call(route.method, route.path, headers=headers, content=body)
            assert answer.status_code == status, (route.path, strange)
            assert not [name for name in answer.headers if name.startswith("access-control")]
    assert await whole_state(world) == before


async def test_fault_A13_every_form_needs_its_sessions_token(world: World, browser: BrowserSession) -> None:
    other = await open_browser(world, await sign_in(world, "bob"))
    before = await whole_state(world)
    for route in forms_of(world):
        good = await fields_of(world, route, browser)
        theirs = (await fields_of(world, route, other))["csrf"]
        for token in ("", "x", theirs, good["csrf"][:-1], browser.cookie.partition("=")[2]):
            headers = {**browser.headers, **FORM, **SAME}
            body = urlencode({**good, "csrf": token}).encode()
            answer = await world.call(route.method, route.path, headers=headers, content=body)
            assert answer.status_code == 403, (route.path, token)
    assert await whole_state(world) == before


async def test_a_cookie_sends_no_form_to_the_api(world: World, browser: BrowserSession) -> None:
    before = await whole_state(world)
    for route in world.services.routes:
        if route.auth:
            path = route.path.replace("{session}", browser.grant.session.id)
            content = None if route.body is None else encode_json({"audience": ORIGIN, "bearer": True})
            headers = {**browser.headers, **SAME}
            answer = await world.call(route.method, path, headers=headers, content=content)
            bare = await world.call(route.method, path, content=content)
            assert answer.status_code == bare.status_code == 401, path
            assert {**answer.json(), "request_id": ""} == {**bare.json(), "request_id": ""}
    assert await whole_state(world) == before


async def test_fault_E23_the_way_on_stays_here(world: World, browser: BrowserSession) -> None:
    for text in E23:
        path = f"/login?return={quote(text, safe='')}"
        answer = await world.call("GET", path, headers=browser.headers)
        assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard"), text
        shown = await world.call("GET", path, headers=HTML)
        assert shown.status_code == 200
        assert "evil" not in shown.text
        assert "set-cookie" not in {*answer.headers, *shown.headers}


async def test_fault_E23_every_path_that_is_brought_leads_back_to_itself(world: World) -> None:
    browser = await open_browser(world, await sign_in(world, "anna"))
    for path in [*pages_of(world), *A9]:
        there = (await world.call("GET", path, headers=HTML)).headers["location"]
        back = await world.call("GET", there, headers=browser.headers)
        assert back.headers["location"] in {path, "/dashboard"}
        assert (back.headers["location"] == path) == (there == f"/login?return={path}")


async def test_fault_C22_a_plain_password_is_ignored_everywhere_and_kept_nowhere(
    world: World, browser: BrowserSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    basic = {"authorization": "Basic " + base64.b64encode(f"anna:{CANARY}".encode()).decode()}
    query = f"?username=anna&password={CANARY}"
    answers = []
    for path in [*(route.path for route in world.services.page_routes), "/nowhere"]:
        for headers in (HTML, browser.headers):
            answers += [
                await world.call("GET", path + query, headers=headers),
                await world.call("GET", path, headers={**headers, **basic}),
                await world.call("POST", path + query, headers={**headers, **FORM, **SAME}, content=b""),
                await world.call(
                    "POST", path, headers={**headers, **FORM, **SAME}, content=query[1:].encode()
                ),
            ]
    assert {answer.status_code for answer in answers} <= {200, 303, 400, 404, 405}
    for answer in answers:
        assert CANARY not in f"{answer.headers}{answer.text}"
        assert "www-authenticate" not in answer.headers
    lines = "".join(f"{each.__dict__}" for each in caplog.records if each.name.startswith("watchword"))
    assert "http.request" in lines
    for text in (lines, await everything_stored(world)):
        assert CANARY not in text
    stored = await world.call("GET", "/dashboard", headers=browser.headers)
    assert stored.status_code == 200, "nobody was signed out by it"


@pytest.mark.parametrize(
    "path",
    ["/debug", "/docs", "/redoc", "/.git/config", "/metrics", "/openapi.json", "/server-status", "/.env", "/static/x"],
)  # fmt: skip
async def test_fault_N4_nothing_of_the_machinery_is_a_page(
    world: World, browser: BrowserSession, path: str
) -> None:
    out = await world.call("GET", path, headers=HTML)
    inside = await world.call("GET", path, headers=browser.headers)
    assert (out.status_code, out.headers["location"]) == (303, f"/login?return={path}")
    assert (inside.status_code, inside.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert (await world.call("GET", path)).status_code == 404
    for answer in (out, inside):
        assert not {"server", "x-powered-by", "via"} & {*answer.headers}
        assert "ersion" not in answer.text
