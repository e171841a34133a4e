"""Other people's pages, other people's texts, and a browser that forgets."""

from collections.abc import Callable

import pytest
from playwright.sync_api import ViewportSize
from tests.kits.axe import findings
from tests.kits.journeys import DASHBOARD, sessions_shown, sign_in
from tests.kits.neighbour import neighbour
from tests.kits.stage import Visit

from watchword.testing.server import PASSWORD, RunningServer, TestAccount

EVIL = "https://evil.example"
HOSTILE = "<img src=x onerror=alert(1)>"
TURNED = "\u202egnitseretni \U0001f9d1\u200d\U0001f680 " + "W" * 60


@pytest.mark.parametrize("name", [HOSTILE, TURNED, "{{ 7 * 7 }}</script><script>alert(1)</script>"])
def test_what_a_browser_calls_itself_is_text_and_breaks_no_page(
    visit: Visit, account: TestAccount, name: str
) -> None:
    """Two browsers: one with the hostile name, one that looks at it."""
    sign_in(visit(user_agent=f"Mozilla/5.0 {name.encode('ascii', 'replace').decode()}"), account.username)
    narrow: ViewportSize = {"width": 320, "height": 640}
    visitor = visit(viewport=narrow)
    sign_in(visitor, account.username)
    assert visitor.page.locator("main img, main script").count() == 0
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= narrow["width"]
    assert findings(visitor.page) == []


def test_a_name_to_show_is_text(visit: Visit, server: RunningServer, new_name: Callable[[], str]) -> None:
    visitor, name = visit(), new_name()
    visitor.open("/register")
    visitor.fill(username=name, password=PASSWORD, display_name=HOSTILE)
    visitor.submit("register-form")
    key = visitor.sees("#recovery-key")
    visitor.eventually(lambda: len(key.inner_text()) > 0)
    visitor.fill(ending=key.inner_text().strip()[-4:])
    visitor.submit("recovery-form")
    visitor.arrives(DASHBOARD)
    assert HOSTILE in visitor.page.inner_text("h1")
    assert visitor.page.locator("main img").count() == 0


@pytest.mark.parametrize("path", ["/logout", "/dashboard/sessions/end-all"])
def test_fault_A14_a_form_of_another_site_ends_no_session(
    visit: Visit, account: TestAccount, path: str
) -> None:
    visitor = visit()
    visitor.allow("evil.example")
    visitor.allow_status(403)
    sign_in(visitor, account.username)
    form = (
        f'<form method=post action="{visitor.origin}{path}"><button name=csrf value=guessed>x</button></form>'
    )
    page = visitor.tab()
    page.route(f"{EVIL}/**", lambda route: route.fulfill(body=form, content_type="text/html"))
    page.goto(f"{EVIL}/")
    page.locator("button").click()
    page.wait_for_url(lambda url: not url.startswith(EVIL))
    visitor.open(DASHBOARD)
    visitor.arrives(DASHBOARD)
    assert sessions_shown(visitor) == 2


def test_no_other_origin_shows_a_page_of_ours_in_a_frame(visit: Visit, account: TestAccount) -> None:
    """The other page is of this machine too, or Chromium would not get as far as our policy."""
    visitor = visit()
    visitor.allow("frame-ancestors|ERR_BLOCKED_BY_RESPONSE|another origin|ERR_BLOCKED_BY_CSP")
    sign_in(visitor, account.username)
    page = visitor.tab()
    with neighbour({"/": f'<iframe src="{visitor.origin}{DASHBOARD}"></iframe>'}) as origin:
        page.goto(f"{origin}/")
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
