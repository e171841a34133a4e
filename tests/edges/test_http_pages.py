"""What the edge does for people: pages by a cookie, errors as pages, and one way to sign in for every path.

docs/protocol/browser.md. Each test runs with the connection in the server itself, and behind a front.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.edges.harness import ORIGIN, Answer, RunningServer, running_server
from tests.edges.test_http_server import events
from tests.faults.test_http_A import A9_SPELLINGS, FOREIGN
from tests.kits.pages import FORM, GOOD_COOKIE, HTML, SIGNED_IN, TOKEN, TestPages

from watchword.server.measures import RequestMeasures

__all__ = ["events"]
CANARY = "canary-hunter2"


@dataclass(frozen=True, kw_only=True)
class Scene:
    caller: RunningServer
    pages: TestPages
    measures: RequestMeasures

    def get(self, path: str, *headers: tuple[str, str], method: str = "GET") -> Answer:
        return self.caller.request(method, path, None, headers)

    def post(self, path: str, body: bytes, *headers: tuple[str, str], method: str = "POST") -> Answer:
        named = {name for name, _ in headers}
        return self.caller.request(
            method, path, body, headers if "Content-Type" in named else [FORM, *headers]
        )


@pytest.fixture(scope="module", params=[0, 1], ids=["alone", "behind a front"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    pages, measures = TestPages(), RequestMeasures()
    with running_server(
        routes=pages.routes(),
        pages=pages,
        measures=measures,
        account_of=lambda identity: f"account of {identity}",
        fronts=request.param,
    ) as running:
        yield Scene(caller=running, pages=pages, measures=measures)


def same_bytes(answer: Answer) -> tuple[object, ...]:
    """All of an answer but what every answer has of its own."""
    own = {"date", "x-request-id"}
    return (
        answer.status,
        answer.body,
        {name: value for name, value in answer.headers.items() if name not in own},
    )


# Who is signed out


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS", "TRACE"])
def test_signed_out_every_path_answers_the_same_but_for_itself(scene: Scene, method: str) -> None:
    def outside(path: str) -> tuple[object, ...]:
        answer = scene.get(path, HTML, method=method)
        location = answer.headers.pop("location")
        assert location in {f"/login?return={path}", "/login"}
        return same_bytes(answer)

    there = outside("/dashboard")
    assert there[:2] == (303, b"")
    for path in ("/nowhere", "/broken", "/dashboard/end", "/dashboard/nowhere", "/", "/.git/config"):
        assert outside(path) == there, path


def test_signed_out_every_path_costs_the_same_looks(scene: Scene) -> None:
    for path in ("/dashboard", "/nowhere", "//nowhere", "/%2e%2e/dashboard", "/dashboard/end", "/broken"):
        before = scene.pages.looks
        assert scene.get(path, HTML, ("Cookie", "__Host-watchword=bad")).status == 303
        assert scene.pages.looks == before + 1, path


A9_PAGES = [
    "//dashboard",
    "/dashboard/",
    "/./dashboard",
    "/x/../dashboard",
    "/../dashboard",
    "/%2e%2e/dashboard",
    "/%64ashboard",
    "/dashboard%2fend",
    "/%252e%252e/dashboard",
    "/dashboard;x=y",
    "/dashboard\\end",
    "/dashboard%00",
    "/dashboard%20",
    "/%c0%ae%c0%ae/dashboard",
    "/DASHBOARD",
    "/Dashboard",
    "/dashboard%23",
    "/dashboard.html",
    "/dashboard.",
    "/dashboard/..",
    "/dashboard/end/..",
]


@pytest.mark.parametrize("path", A9_PAGES)
def test_fault_A9_no_spelling_of_a_page_is_told_from_another(scene: Scene, path: str) -> None:
    answer = scene.get(path, HTML)
    assert (answer.status, answer.body) == (303, b"")
    assert answer.headers["location"] in {"/login", f"/login?return={path}"}
    assert scene.get(path).status == 404
    assert scene.get(path, HTML, SIGNED_IN).status == 404


@pytest.mark.parametrize("path", A9_SPELLINGS)
@pytest.mark.parametrize("more", [[], [SIGNED_IN]], ids=["no cookie", "a good cookie"])
def test_the_api_is_the_same_for_people_and_reads_no_cookie(
    scene: Scene, path: str, more: list[tuple[str, str]]
) -> None:
    if path.lower().startswith("/api/"):
        bare, answer = scene.get(path), scene.get(path, HTML, *more)
        assert answer.status == bare.status in {400, 401}
        assert answer.headers["content-type"] == "application/problem+json"
        assert "location" not in answer.headers


def test_below_the_api_a_cookie_opens_nothing(scene: Scene) -> None:
    for method, path in [("GET", "/api/me"), ("DELETE", "/api/sessions/x"), ("GET", "/api/nowhere")]:
        with_cookie = scene.get(path, HTML, SIGNED_IN, method=method)
        without = scene.get(path, method=method)
        assert with_cookie.status == without.status == 401
        assert {**with_cookie.json(), "request_id": ""} == {**without.json(), "request_id": ""}
    assert scene.get("/api/me", TOKEN).status == 200


@pytest.mark.parametrize(
    "accept", [None, "*/*", "application/json", "text/*", "text/html;q=0", "text/html; q=0.000"]
)
def test_who_does_not_ask_for_html_gets_documents(scene: Scene, accept: str | None) -> None:
    headers = [("Accept", accept)] if accept else []
    assert scene.get("/nowhere", *headers).status == 404
    answer = scene.get("/dashboard", *headers)
    assert (answer.status, answer.headers["content-type"]) == (401, "application/problem+json")
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "accept", ["text/html", "TEXT/HTML;q=0.1", "application/json, text/html", " text/html ; level=1"]
)
def test_html_is_asked_for_by_its_name(scene: Scene, accept: str) -> None:
    assert scene.get("/nowhere", ("Accept", accept)).status == 303


@pytest.mark.parametrize(
    "path", ["/health/live", "/health/nowhere", "/.well-known/nowhere", "/assets/nowhere.js", "/assets/../x"]
)
def test_public_places_answer_everybody_alike(scene: Scene, path: str) -> None:
    bare, answer = scene.get(path), scene.get(path, HTML, SIGNED_IN)
    assert answer.status == bare.status in {200, 404}
    assert answer.headers["content-type"] == bare.headers["content-type"]
    assert "location" not in answer.headers


def test_a_public_page_is_shown_to_everybody(scene: Scene) -> None:
    assert scene.get("/login", HTML).status == 200
    assert scene.get("/login").status == 200
    assert scene.get("/login?return=/dashboard", HTML).body == b"<p>log in, then True"


def test_signed_in_a_path_that_leads_nowhere_is_a_page(scene: Scene) -> None:
    answer = scene.get("/nowhere", HTML, SIGNED_IN)
    assert (answer.status, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert answer.headers["x-request-id"].encode() in answer.body
    assert scene.get("/dashboard", HTML, SIGNED_IN).body == b"<p>dashboard of somebody, "


N4 = [
    "/debug",
    "/docs",
    "/.git",
    "/.git/HEAD",
    "/metrics",
    "/openapi.json",
    "/server-status",
    "/redoc",
    "/.env",
]


@pytest.mark.parametrize("path", N4)
def test_fault_N4_nothing_of_the_machinery_is_there(scene: Scene, path: str) -> None:
    answer = scene.get(path, HTML)
    assert (answer.status, answer.headers["location"]) == (303, f"/login?return={path}")
    assert scene.get(path).status == 404
    assert scene.get(path, HTML, SIGNED_IN).status == 404
    for each in (answer, scene.get("/login", HTML)):
        assert not {"server", "x-powered-by", "via", "x-aspnet-version"} & each.headers.keys()


# Errors as pages


def test_a_fault_of_ours_is_a_page_that_says_an_id_and_nothing_else(
    scene: Scene, events: io.StringIO
) -> None:
    answer = scene.get("/broken", HTML, SIGNED_IN)
    assert answer.status == 500
    assert answer.body == b"<p>internal " + answer.headers["x-request-id"].encode()
    assert "canary" not in events.getvalue()
    assert GOOD_COOKIE not in events.getvalue()


def test_what_passes_says_when_to_come_again(scene: Scene) -> None:
    answer = scene.get("/busy", HTML)
    assert (answer.status, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert int(answer.headers["retry-after"]) > 0
    assert scene.get("/busy").headers["content-type"] == "application/problem+json"


def test_a_page_of_an_error_that_fails_hides_nothing(monkeypatch: pytest.MonkeyPatch, scene: Scene) -> None:
    def problem(*_: object) -> None:
        raise ZeroDivisionError("canary-4711")

    monkeypatch.setattr(TestPages, "problem", problem)
    answer = scene.get("/gone", HTML)
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    assert b"canary" not in answer.body


# Methods


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST", "OPTIONS", "TRACE", "PROPFIND"])
def test_fault_A11_a_page_has_its_own_methods_alone(scene: Scene, method: str) -> None:
    for path in ("/login", "/dashboard"):
        answer = scene.get(path, HTML, SIGNED_IN, method=method)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
        assert b"__Host" not in answer.body
    assert scene.get("/dashboard", HTML, method=method).headers["location"] == "/login"
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "_method"):
        answer = scene.get("/dashboard/end", HTML, SIGNED_IN, (name, "POST"))
        assert answer.status == 405


def test_fault_A11_connect_leads_nowhere(scene: Scene) -> None:
    host = b"Host: localhost:%d\r\n" % scene.caller.port
    data = b"CONNECT localhost:22 HTTP/1.1\r\n" + host + b"Accept: text/html\r\nCookie: secret\r\n\r\n"
    answer = scene.caller.raw(data)
    assert (answer.status, answer.headers["location"], answer.body) == (303, "/login", b"")
    answer = scene.caller.raw(data.replace(b"Cookie: secret", b"Cookie: " + GOOD_COOKIE.encode()))
    assert (answer.status, answer.headers["allow"]) == (405, "")
    assert b"__Host" not in answer.body


def test_fault_A11_head_of_a_page_is_its_head(scene: Scene) -> None:
    before = list(scene.pages.changes)
    get, head = (
        scene.get("/dashboard", HTML, SIGNED_IN),
        scene.get("/dashboard", HTML, SIGNED_IN, method="HEAD"),
    )
    assert (head.status, head.body) == (200, b"")
    assert same_bytes(get)[2] == same_bytes(head)[2]
    assert scene.get("/dashboard/end", HTML, SIGNED_IN, method="HEAD").status == 405
    assert scene.pages.changes == before


# Forms


def test_a_form_is_read_and_answered_with_a_way_on(scene: Scene) -> None:
    answer = scene.post("/dashboard/end", b"session=ses_1&csrf=a%2Bb+c", SIGNED_IN, HTML, ("Origin", ORIGIN))
    assert (answer.status, answer.headers["location"], answer.body) == (303, "/dashboard?done=ended", b"")
    assert scene.pages.changes[-1] == "ses_1"
    media = ("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
    assert (
        scene.post(
            "/dashboard/end", "session=ä".encode().replace(b"\xc3\xa4", b"%C3%A4"), SIGNED_IN, media
        ).status
        == 303
    )
    assert scene.pages.changes[-1] == "ä"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"session",
        b"csrf=x",
        b"session=a&session=b",
        b"session=a&session=a",
        b"session=a&other=" + CANARY.encode(),
        b"session=%ff",
        b"session=\xc3\xa4",
        b"session=%ed%a0%80",
        b"session=a&&&csrf",
        b"&".join(b"f%d=1" % number for number in range(40)),
        b'{"session":"a"}',
    ],
)
def test_a_form_of_another_shape_is_refused_and_not_repeated(scene: Scene, body: bytes) -> None:
    before = list(scene.pages.changes)
    answer = scene.post("/dashboard/end", body, SIGNED_IN, HTML)
    assert answer.status == 400
    assert CANARY.encode() not in answer.body
    assert scene.pages.changes == before


def test_fault_A5_a_large_form_is_refused_by_size(scene: Scene) -> None:
    assert scene.post("/dashboard/end", b"&".join([b"f=1"] * 100_000), SIGNED_IN, HTML).status == 413
    assert scene.post("/dashboard/end", b"session=" + b"x" * 70_000, SIGNED_IN, HTML).status == 413


@pytest.mark.parametrize(
    "media",
    ["text/plain", "application/json", "multipart/form-data; boundary=x", "", "text/x-www-form-urlencoded"],
)
def test_fault_A13_a_form_comes_as_a_form(scene: Scene, media: str) -> None:
    before = list(scene.pages.changes)
    answer = scene.post("/dashboard/end", b"session=a", SIGNED_IN, HTML, ("Content-Type", media))
    assert answer.status == 415
    assert scene.pages.changes == before


@pytest.mark.parametrize("origin", FOREIGN)
def test_fault_A13_a_form_of_another_origin_changes_nothing(scene: Scene, origin: str) -> None:
    before = list(scene.pages.changes)
    answer = scene.post("/dashboard/end", b"session=a", SIGNED_IN, HTML, ("Origin", origin))
    assert answer.status == 403
    assert scene.pages.changes == before
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("header", [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")])
@pytest.mark.parametrize("more", [[], [SIGNED_IN]], ids=["no cookie", "a good cookie"])
def test_fault_A13_another_origin_cannot_tell_one_path_from_another(
    scene: Scene, header: tuple[str, str], more: list[tuple[str, str]]
) -> None:
    paths = ("/dashboard", "/dashboard/end", "/dashboard/nothing", "/login", "/nothing", "/")
    assert {scene.post(path, b"session=a", HTML, header, *more).status for path in paths} == {403}


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_fault_A13_without_an_origin_the_browser_is_believed(scene: Scene, site: str) -> None:
    before = list(scene.pages.changes)
    assert scene.post("/dashboard/end", b"session=a", SIGNED_IN, HTML, ("Sec-Fetch-Site", site)).status == 403
    assert scene.pages.changes == before


@pytest.mark.parametrize("origin", FOREIGN)
def test_fault_A14_no_page_is_shared_with_another_origin(scene: Scene, origin: str) -> None:
    asked = [("Origin", origin), ("Access-Control-Request-Method", "POST")]
    answers = [
        scene.get("/dashboard", HTML, SIGNED_IN, *asked),
        scene.get("/dashboard", HTML, *asked),
        scene.get("/dashboard/end", HTML, SIGNED_IN, *asked, method="OPTIONS"),
        scene.get("/login", HTML, *asked, method="OPTIONS"),
    ]
    assert [answer.status for answer in answers] == [200, 303, 403, 403]
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_form_of_nobody_leads_to_the_beginning(scene: Scene) -> None:
    before = list(scene.pages.changes)
    answer = scene.post("/dashboard/end", b"session=a", HTML)
    assert (answer.status, answer.headers["location"]) == (303, "/login")
    assert scene.post("/nowhere", b"session=a", HTML).headers["location"] == "/login"
    assert scene.post("/dashboard/end", b"session=a").status == 401
    assert scene.pages.changes == before


# What is put where it does not belong


def test_fault_A15_nothing_of_a_request_splits_a_redirect(scene: Scene) -> None:
    for path in ("/a%0d%0aset-cookie:%20x=1", "/%0d%0a", "/a%00", "/%E5%98%8A%E5%98%8Dset-cookie:x"):
        answer = scene.get(path, HTML)
        assert (answer.status, answer.headers["location"]) == (303, "/login")
        assert "set-cookie" not in answer.headers
    answer = scene.get("/agent", HTML, ("User-Agent", "a\x85b<\xa0c"))
    assert answer.status == 200
    assert answer.body.decode().isprintable()
    for name in (b"Cookie", b"Accept", b"User-Agent"):
        head = b"GET /dashboard HTTP/1.1\r\nHost: localhost:%d\r\n%b: a\rb\r\n\r\n" % (
            scene.caller.port,
            name,
        )
        assert scene.caller.raw(head).status == 400


def test_fault_A10_redirects_name_no_host(scene: Scene) -> None:
    lies = [(name, "evil.example") for name in ("X-Forwarded-Host", "Forwarded", "X-Original-URL", "Referer")]
    for host in (f"localhost:{scene.caller.port}", "id.example.org", "other.example.org"):
        answer = scene.get("/dashboard", HTML, ("Host", host), *lies)
        assert (answer.status, answer.headers["location"]) == (303, "/login?return=/dashboard")
    target = f"https://localhost:{scene.caller.port}/dashboard"
    assert scene.get(target, HTML).headers["location"] == "/login?return=/dashboard"
    assert scene.get("/dashboard", HTML, ("Host", "evil.example")).status == 421


def test_a_cookie_header_stands_once(scene: Scene) -> None:
    assert scene.get("/dashboard", HTML, SIGNED_IN, SIGNED_IN).status == 400
    assert scene.get("/health/live", SIGNED_IN, ("cookie", "b=c")).status == 400


def test_fault_C22_a_password_where_it_does_not_belong_is_ignored_and_counted(
    scene: Scene, events: io.StringIO
) -> None:
    before = dict(scene.measures.misplaced)
    basic = ("Authorization", f"Basic {CANARY}")
    query = f"?username=anna&password={CANARY}&{CANARY}"
    answers = [
        scene.get(f"/login{query}", HTML),
        scene.get(f"/dashboard{query}", HTML),
        scene.get(f"/dashboard{query}&done=ended", HTML, SIGNED_IN),
        scene.get("/login", HTML, basic),
        scene.get("/dashboard", HTML, basic),
        scene.get(f"/nowhere{query}", HTML),
        scene.get(f"/login{query}", HTML, method="HEAD"),
        scene.post(f"/dashboard/end{query}", f"password={CANARY}".encode(), HTML, SIGNED_IN),
        scene.get("/dashboard", HTML, ("Cookie", f"__Host-watchword={CANARY}")),
    ]
    assert [answer.status for answer in answers] == [200, 303, 200, 200, 303, 303, 200, 400, 303]
    assert answers[2].body == b"<p>dashboard of somebody, ended"
    for answer in answers:
        assert CANARY not in f"{answer.headers}{answer.body!r}"
    assert CANARY not in events.getvalue()
    after = scene.measures.misplaced
    assert (after["query"] - before["query"], after["authorization"] - before["authorization"]) == (5, 2)


def test_a_page_takes_of_its_query_what_it_knows_and_what_stands_once(scene: Scene) -> None:
    for query in ("?done=a&done=b", "?done=%0d", "?done=%ff", "?%", "?" + "&".join(["x=1"] * 100), "?utm=1"):
        assert scene.get(f"/dashboard{query}", HTML, SIGNED_IN).body == b"<p>dashboard of somebody, "
    assert scene.get("/dashboard?utm=1&done=b", HTML, SIGNED_IN).body == b"<p>dashboard of somebody, b"


# Log and measures


def test_lines_name_pages_by_their_template_and_who_is_signed_in(scene: Scene, events: io.StringIO) -> None:
    scene.get("/dashboard?x=1", HTML, SIGNED_IN)
    scene.get("/nowhere?x=1", HTML, SIGNED_IN)
    scene.get("/nowhere?x=1", HTML)
    scene.caller.is_well()  # the lines before its own are written
    lines = [line for line in events.getvalue().splitlines() if '"http.request"' in line]
    assert re.search(r'"route":\s*"/dashboard"', lines[0])
    assert "account of somebody" in lines[0]
    assert "account of somebody" in lines[1]
    assert "nowhere" not in events.getvalue()
    assert "x=1" not in events.getvalue()
    assert ("other", "other") in scene.measures.rows
    assert ("/dashboard", "GET") in scene.measures.rows


def test_being_sent_to_sign_in_is_no_error(scene: Scene) -> None:
    before = dict(scene.measures.errors)
    assert scene.get("/dashboard", HTML).status == 303
    assert scene.measures.errors == before
