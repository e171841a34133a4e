"""Other people's pages, other people's texts, and a browser that forgets."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import ViewportSize
from tests.kits.axe import findings
from tests.kits.entering import enter
from tests.kits.journeys import DASHBOARD, register, sessions_shown, sign_in
from tests.kits.neighbour import NO_ICON, neighbour
from tests.kits.stage import Visit

from watchword.testing.server import RunningServer, TestAccount

EVIL = "https://evil.example"
HOSTILE = "<img src=x onerror=alert(1)>"


def test_what_a_browser_calls_itself_is_text_and_breaks_no_page(visit: Visit, account: TestAccount) -> None:
    """Browsers with hostile names, and one that looks at them."""
    for name in ("W" * 300, f"{HOSTILE}{{{{ 7 * 7 }}}}</script><script>alert(1)</script>"):
        sign_in(visit(user_agent=f"Mozilla/5.0 {name}"), account.username)
    narrow: ViewportSize = {"width": 320, "height": 640}
    visitor = visit(viewport=narrow)
    enter(visitor, account)
    assert sessions_shown(visitor) == 4
    assert visitor.page.locator("main img, main script").count() == 0
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= narrow["width"]
    assert findings(visitor.page) == []


def test_a_name_to_show_is_text(visit: Visit, new_name: Callable[[], str]) -> None:
    visitor, name = visit(), new_name()
    register(visitor, name, display_name=HOSTILE)
    assert HOSTILE in visitor.page.inner_text("h1")
    assert visitor.page.locator("main img").count() == 0


def test_fault_A14_a_form_of_another_site_ends_no_session(visit: Visit, account: TestAccount) -> None:
    visitor = visit()
    visitor.allow("evil.example")
    visitor.allow_status(403)
    enter(visitor, account)
    page, paths = visitor.tab(), ("/logout", "/dashboard/sessions/end-all")
    forms = "".join(
        f"<form method=post action='{visitor.origin}{path}'><button name=csrf value=guessed>x</button></form>"
        for path in paths
    )
    page.route(f"{EVIL}/**", lambda route: route.fulfill(body=forms, content_type="text/html"))
    for number in range(len(paths)):
        page.goto(f"{EVIL}/")
        page.locator("button").nth(number).click()
        page.wait_for_url(lambda url: not url.startswith(EVIL))
    visitor.open(DASHBOARD)
    visitor.arrives(DASHBOARD)
    assert sessions_shown(visitor) == 2


@pytest.fixture
def framing(server: RunningServer) -> Iterator[str]:
    """The origin of somebody who shows our dashboard in a frame. It is of this machine too, or Chromium would not get
    as far as our policy."""
    with neighbour({"/": f'{NO_ICON}<iframe src="{server.url}{DASHBOARD}"></iframe>'}) as origin:
        yield origin


def test_no_other_origin_shows_a_page_of_ours_in_a_frame(
    framing: str, visit: Visit, account: TestAccount
) -> None:
    visitor = visit()
    visitor.allow("frame-ancestors|ERR_BLOCKED_BY_RESPONSE|another origin|ERR_BLOCKED_BY_CSP")
    enter(visitor, account)
    page = visitor.tab()
    page.goto(f"{framing}/")
    visitor.eventually(lambda: any("frame-ancestors 'none'" in each for each in visitor.noted))
    assert all(account.username not in frame.content() for frame in page.frames)


def test_a_browser_that_forgot_its_keys_is_enrolled_anew(visit: Visit, account: TestAccount) -> None:
    visitor = visit()
    sign_in(visitor, account.username)
    debugger = visitor.context.new_cdp_session(visitor.page)
    debugger.send("Storage.clearDataForOrigin", {"origin": visitor.origin, "storageTypes": "all"})
    assert visitor.cookie is None
    sign_in(visitor, account.username)
    assert sessions_shown(visitor) == 3
