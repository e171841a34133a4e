"""A network and a machine that fail: the page stays of use, and says what happened."""

import re

from playwright.sync_api import Route, expect
from tests.kits.journeys import DASHBOARD, LOGIN, refused
from tests.kits.stage import Visit

from watchword.testing.server import PASSWORD, TestAccount

WORKER = re.compile(r"/assets/worker-.*\.js")


def test_a_worker_that_cannot_be_loaded_is_told(visit: Visit, account: TestAccount) -> None:
    visitor = visit()
    visitor.allow("worker|net::ERR_FAILED")
    visitor.context.route(WORKER, lambda route: route.abort())
    visitor.open(LOGIN)
    visitor.log_in(account.username, PASSWORD)
    refused(visitor)
    assert visitor.input("identifier").input_value() == account.username


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
