"""Any cookie, form, query and path at the pages: never a fault of the server, and never a way elsewhere."""

import asyncio
from collections.abc import Iterator, Mapping

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kits.browser_session import BrowserSession, open_browser
from tests.kits.fuzzing import ANY_TEXT, bytes_for, fuzzed
from tests.kits.sealed import sign_in
from tests.kits.world import ORIGIN, World, open_world

from watchword.errors import MalformedError
from watchword.server.http.accept import accepts_html
from watchword.server.http.endpoint import Route
from watchword.server.http.form import decode_form
from watchword.server.http.return_path import login_location, safe_return_path

FORM = {"content-type": "application/x-www-form-urlencoded", "origin": ORIGIN}
PRINTABLE = st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=200)


class Site:
    """A node whose pages a browser looks at, on a loop of its own."""

    def __init__(self, runner: asyncio.Runner, world: World) -> None:
        self._runner = runner
        self._world = world
        self.browser: BrowserSession = runner.run(self._open())
        self.form: Route = next(each for each in world.services.page_routes if each.path == "/logout")

    async def _open(self) -> BrowserSession:
        return await open_browser(self._world, await sign_in(self._world, "anna"))

    def call(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes | None = None
    ) -> httpx.Response:
        answer = self._runner.run(self._world.call(method, path, headers=headers, content=content))
        self._world.seen.clear()
        return answer


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with asyncio.Runner() as runner:
        world = open_world(tmp_path_factory.mktemp("site") / "data")
        yield Site(runner, runner.run(world.__aenter__()))
        runner.run(world.__aexit__(None, None, None))


@fuzzed(quick=60)
@given(before=PRINTABLE, after=PRINTABLE, keep=st.booleans())
def test_any_cookie_is_nobodys_or_the_one_that_was_given(
    site: Site, before: str, after: str, keep: bool
) -> None:
    value = f"{before};{site.browser.cookie if keep else ''};{after}"
    answer = site.call("GET", "/dashboard", {"accept": "text/html", "cookie": value})
    mine = keep and "__Host-watchword" not in before + after
    assert answer.status_code == (200 if mine else 303)


@fuzzed(quick=60)
@given(body=bytes_for(b"csrf=wbf_AAAA"))
def test_any_form_is_refused_and_ends_nothing(site: Site, body: bytes) -> None:
    answer = site.call("POST", "/logout", {**site.browser.headers, **FORM}, body)
    assert answer.status_code in {400, 403}
    assert site.call("GET", "/dashboard", site.browser.headers).status_code == 200


@fuzzed(quick=100)
@given(body=bytes_for(b"csrf=wbf_AAAA"))
def test_any_form_is_read_one_way_or_not_at_all(site: Site, body: bytes) -> None:
    assert site.form.form is not None
    try:
        found = decode_form(body, site.form.form, max_size=65_536)
    except MalformedError:
        return
    assert body.startswith((b"c", b"%"))
    assert isinstance(found.csrf, str)


@fuzzed(quick=60)
@given(query=ANY_TEXT)
def test_any_query_leaves_a_page_a_page(site: Site, query: str) -> None:
    sent = httpx.QueryParams({"return": query, query: "x"})
    answer = site.call("GET", f"/login?{sent}", {"accept": "text/html"})
    assert answer.status_code == 200
    going_on = site.call("GET", f"/login?{sent}", site.browser.headers)
    assert going_on.headers["location"] == (safe_return_path(query) or "/dashboard")


@fuzzed(quick=300)
@given(text=st.one_of(ANY_TEXT, ANY_TEXT.map("/".__add__), st.text(alphabet="/.\\%?#:@a2e", max_size=12)))
def test_any_text_is_a_path_of_ours_or_no_way_on(text: str) -> None:
    found = safe_return_path(text)
    assert found in {None, text}
    if found is not None:
        there = httpx.URL(ORIGIN).join(found)
        assert str(there) == ORIGIN + found
    location = login_location(text)
    assert location in {"/login", f"/login?return={text}"}
    assert location.isascii()
    assert location.isprintable()


@fuzzed(quick=100)
@given(accept=st.one_of(PRINTABLE, st.none()))
def test_any_accept_is_a_yes_or_a_no(accept: str | None) -> None:
    found = accepts_html(accept)
    assert not found or "text/html" in (accept or "").lower()
