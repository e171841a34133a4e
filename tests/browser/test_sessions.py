"""The dashboard: sessions of two browsers, ending them, and what is seen after."""

from collections.abc import Callable

from playwright.sync_api import Route
from tests.kits.entering import enter
from tests.kits.journeys import CHANGE, DASHBOARD, LOGIN, refused, sessions_shown, sign_in
from tests.kits.stage import BEHIND, Servers, Visit
from tests.kits.visitor import Visitor

from watchword.testing.server import PASSWORD, RunningServer, TestAccount

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)


def two_browsers(visit: Visit, account: TestAccount) -> tuple[Visitor, Visitor]:
    """Signed in, the second one's dashboard showing both."""
    first, second = visit(user_agent=FIREFOX), visit(user_agent=SAFARI)
    for visitor in (first, second):
        enter(visitor, account)
    return first, second


def end_the_session_of(visitor: Visitor, browser: str) -> None:
    item = visitor.page.locator("#sessions li", has_text=browser)
    item.locator("form button").click()
    visitor.sees("#done")


def test_req_M3_the_dashboard_lists_both_browsers_and_marks_this_one(
    visit: Visit, account: TestAccount
) -> None:
    first, second = visit(user_agent=FIREFOX), visit(user_agent=SAFARI)
    for visitor in (first, second):
        sign_in(visitor, account.username)
    shown = second.page.inner_text("#sessions")
    assert "Firefox 141" in shown
    assert "Safari" in shown
    assert "127.0.0.1" in shown
    marked = second.page.locator("#sessions li.item-good")
    assert marked.count() == 1
    assert "Safari" in marked.inner_text()
    assert sessions_shown(second) == 3  # the one of the command line, too


def test_a_session_that_is_ended_elsewhere_is_over_at_the_next_click(
    visit: Visit, account: TestAccount
) -> None:
    first, second = two_browsers(visit, account)
    end_the_session_of(second, "Firefox 141")
    assert sessions_shown(second) == 2
    first.open(DASHBOARD)
    first.arrives(LOGIN)
    second.open(DASHBOARD)
    second.arrives(DASHBOARD)


def test_signing_out_everywhere_signs_out_every_browser_and_the_command_line(
    visit: Visit, account: TestAccount
) -> None:
    first, second = two_browsers(visit, account)
    second.page.locator("#signing-out summary").last.click()
    second.page.locator("form[action='/dashboard/sessions/end-all'] button").click()
    second.arrives(LOGIN)
    for visitor in (first, second):
        visitor.open(DASHBOARD)
        visitor.arrives(LOGIN)


def test_ending_the_others_leaves_this_one(visit: Visit, account: TestAccount) -> None:
    first, second = two_browsers(visit, account)
    second.page.locator("#others summary").click()
    second.page.locator("form[action='/dashboard/sessions/end-others'] button").click()
    second.sees("#done")
    assert sessions_shown(second) == 1
    first.open(DASHBOARD)
    first.arrives(LOGIN)


def test_a_sign_out_that_was_stopped_on_the_way_can_be_pressed_again(
    visit: Visit, account: TestAccount
) -> None:
    visitor = visit()
    enter(visitor, account)
    stopped: list[str] = []

    def stop(route: Route) -> None:
        """As the browser's own button does: the page stays as it is."""
        stopped.append(route.request.url)
        route.abort("aborted")

    visitor.context.route("**/logout", stop)
    visitor.press("Sign out")
    visitor.eventually(lambda: bool(stopped))
    visitor.context.unroute("**/logout")
    visitor.press("Sign out")
    visitor.arrives(LOGIN)
    assert visitor.cookie is None


def test_who_is_suspended_is_signed_out_at_the_next_click(
    visit: Visit, account: TestAccount, server: RunningServer
) -> None:
    visitor = visit()
    enter(visitor, account)
    server.suspend(account.username)
    visitor.page.get_by_role("link", name="Change password").click()
    visitor.arrives(LOGIN)
    visitor.log_in(account.username, PASSWORD)
    assert "not right" in refused(visitor)


def test_pressing_twice_does_no_harm(visit: Visit, account: TestAccount) -> None:
    first, second = two_browsers(visit, account)
    second.page.locator("#sessions li", has_text="Firefox 141").locator("form button").dblclick()
    second.sees("#done")
    assert sessions_shown(second) == 2
    second.page.get_by_role("button", name="Sign out", exact=True).dblclick()
    second.arrives(LOGIN)
    first.open(DASHBOARD)
    first.arrives(LOGIN)


def test_back_after_signing_out_shows_nothing(visit: Visit, account: TestAccount) -> None:
    visitor = visit()
    enter(visitor, account)
    visitor.press("Sign out")
    visitor.sees("#done")
    visitor.eventually(lambda: visitor.page.url == visitor.origin + LOGIN)  # a reload does not say it again
    assert visitor.cookie is None
    visitor.page.go_back()
    visitor.arrives(LOGIN)
    assert "127.0.0.1" not in visitor.page.inner_text("body")


def test_the_notice_of_what_was_done_is_gone_at_a_reload(visit: Visit, account: TestAccount) -> None:
    visitor = visit()
    enter(visitor, account)
    visitor.page.locator("#others summary").click()
    visitor.page.locator("form[action='/dashboard/sessions/end-others'] button").click()
    visitor.sees("#done")
    visitor.eventually(lambda: visitor.page.url == visitor.origin + DASHBOARD)
    visitor.page.reload()
    assert visitor.page.locator("#done").count() == 0


def test_a_session_that_has_expired_leads_to_the_login_and_back(
    visit: Visit, servers: Servers, new_name: Callable[[], str]
) -> None:
    """The one test that lets the time of this server pass."""
    account = servers.behind.register(new_name())
    visitor = visit(servers.behind)
    enter(visitor, account)
    servers.behind.clock.advance(BEHIND)
    visitor.open(CHANGE)
    visitor.arrives(LOGIN)
    visitor.log_in(account.username, PASSWORD)
    visitor.arrives(CHANGE)
    visitor.open(DASHBOARD)
    assert sessions_shown(visitor) == 1
