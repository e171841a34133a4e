"""A network and a machine that fail: the page stays of use, and says what happened."""

import re

import pytest
from playwright.sync_api import Route, expect
from tests.kits.journeys import DASHBOARD, LOGIN, REGISTER, refused
from tests.kits.stage import Visit

from watchword.server.http.page_headers import WORKER_HEADERS
from watchword.server.pages.assets import STATIC
from watchword.testing.server import PASSWORD, TestAccount

SCRIPT = re.compile(r"/assets/(login|register)-.*\.js")
WORKER = re.compile(r"/assets/worker-.*\.js")


def test_a_worker_that_cannot_be_loaded_is_told(visit: Visit, account: TestAccount) -> None:
    visitor = visit()
    visitor.allow("worker|net::ERR_FAILED")
    visitor.context.route(WORKER, lambda route: route.abort())
    visitor.open(LOGIN)
    visitor.log_in(account.username, PASSWORD)
    refused(visitor)
    assert visitor.input("identifier").input_value() == account.username


@pytest.mark.parametrize("path", [LOGIN, REGISTER])
@pytest.mark.parametrize("tampered", [False, True])
def test_a_page_whose_script_does_not_arrive_says_so_after_some_seconds(
    visit: Visit, path: str, tampered: bool
) -> None:
    """It never came, or is not what the page names by its digest."""
    visitor = visit()
    visitor.allow("net::ERR_FAILED|integrity")
    answer = {"body": "/* other */", "content_type": "text/javascript"}
    visitor.context.route(SCRIPT, lambda route: route.fulfill(**answer) if tampered else route.abort())
    visitor.open(path)
    late = visitor.page.locator("[data-late]")
    waits = late.evaluate("element => element.getAnimations().map(each => each.effect.getTiming().delay)")
    assert waits == [6000], "nothing is said while the script may still be on its way"
    late.evaluate("element => element.getAnimations().forEach(each => each.finish())")
    expect(late).to_be_visible()
    assert visitor.page.locator("form[data-sealed] button[type=submit]").is_disabled()
    visitor.context.unroute(SCRIPT)
    visitor.page.reload()
    expect(visitor.page.locator("form[data-sealed] button[type=submit]")).to_be_enabled()
    expect(late).to_have_count(0)


def gone(route: Route) -> None:
    """As a server answers that has been updated since."""
    route.fulfill(status=404, body="")


def test_a_page_from_before_an_update_asks_to_be_loaded_again(visit: Visit) -> None:
    visitor = visit()
    visitor.allow_status(404)
    visitor.allow("worker.*net::ERR_FAILED")  # so Chromium says of it
    visitor.context.route(WORKER, gone)
    visitor.open(LOGIN)
    assert "before an update" in refused(visitor)
    assert visitor.page.locator("#login-form button[type=submit]").is_disabled()
    visitor.context.unroute(WORKER)
    visitor.press("Load again")
    expect(visitor.page.locator("#login-form button[type=submit]")).to_be_enabled()


@pytest.mark.parametrize("part", ["worker-", "common_passwords-"])
def test_a_part_that_an_update_has_replaced_is_told_as_such(visit: Visit, part: str) -> None:
    """The worker runs already; what it loads later is gone, and so is its own script."""
    visitor = visit()
    visitor.allow_status(404)
    visitor.open(REGISTER)
    expect(visitor.page.locator("#register-form button[type=submit]")).to_be_enabled()
    visitor.eventually(lambda: any("/.well-known/" in each.url for each in visitor.sent))
    visitor.context.route(re.compile(rf"/assets/{part}"), gone)
    visitor.context.route(WORKER, gone)
    visitor.fill(username="nobody-yet", password=PASSWORD)
    visitor.submit("register-form")
    assert "before an update" in refused(visitor)


def test_a_worker_that_takes_long_does_not_hold_the_page(visit: Visit, account: TestAccount) -> None:
    visitor = visit()
    held: list[Route] = []

    def hold(route: Route) -> None:
        """The first one; further parts come when they are asked for."""
        if held:
            route.continue_()
        else:
            held.append(route)

    visitor.context.route(WORKER, hold)
    visitor.open(LOGIN)
    visitor.log_in(account.username, PASSWORD)
    visitor.eventually(lambda: bool(held))
    visitor.sees("#progress")
    assert visitor.page.evaluate("new Promise((done) => requestAnimationFrame(() => done(true)))")
    held[0].continue_()
    visitor.arrives(DASHBOARD)


def test_a_server_that_cannot_be_reached_is_told_and_the_next_try_works(
    visit: Visit, account: TestAccount
) -> None:
    visitor = visit()
    visitor.allow("net::ERR_INTERNET_DISCONNECTED|net::ERR_FAILED")
    visitor.open(LOGIN)
    expect(visitor.page.locator("#login-form button[type=submit]")).to_be_enabled()
    visitor.context.route("**/api/**", lambda route: route.abort("internetdisconnected"))
    visitor.log_in(account.username, PASSWORD)
    refused(visitor)
    visitor.context.unroute("**/api/**")
    visitor.fill(password=PASSWORD)
    visitor.submit("login-form")
    visitor.arrives(DASHBOARD)


def test_the_page_stays_responsive_while_the_password_is_stretched(
    visit: Visit, account: TestAccount
) -> None:
    """Frames go on: none is held for as long as a hash takes."""
    visitor = visit()
    visitor.open(LOGIN)
    visitor.page.evaluate(
        """() => { const frame = () => {
            self.painted = (self.painted ?? 0) + 1; requestAnimationFrame(frame); };
        requestAnimationFrame(frame); }"""
    )
    visitor.page.evaluate(
        """() => { self.values = []; new MutationObserver(() => {
            self.values.push(document.querySelector("#progress progress").value);
        }).observe(document.querySelector("#progress"), {subtree: true, attributes: true, childList: true}); }"""
    )
    visitor.fill(identifier=account.username, password="not the password at all")
    visitor.allow_status(401)
    visitor.submit("login-form")
    refused(visitor)
    kept = visitor.page.evaluate("self.values")
    assert visitor.page.evaluate("self.painted") > 3
    going = kept[: kept.index(max(kept)) + 1]  # then it was over, and the bar was put away
    assert going == sorted(going), "progress never jumps back"
    assert len(set(going)) > 2


def test_a_wrong_clock_is_told_before_a_password_is_typed(visit: Visit) -> None:
    """The worker's own, which is a month behind: the document of keys is not valid yet."""
    visitor = visit()

    def set_back(route: Route) -> None:
        script = (STATIC / route.request.url.rpartition("/")[2]).read_text()
        body = f"const today = Date.now; Date.now = () => today() - 40 * 86400000;\n{script}"
        route.fulfill(body=body, content_type="text/javascript", headers=dict(WORKER_HEADERS))

    visitor.context.route(WORKER, set_back)
    visitor.open(LOGIN)
    assert "clock" in refused(visitor)
    assert visitor.page.locator("form[data-sealed] button[type=submit]").is_disabled()
