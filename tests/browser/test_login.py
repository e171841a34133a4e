"""Logging in in the page."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from tests.kits.entering import enter
from tests.kits.journeys import DASHBOARD, LOGIN, refused, sessions_shown, sign_in
from tests.kits.stage import Visit
from tests.kits.visitor import Visitor

from watchword.testing.server import PASSWORD, RunningServer, TestAccount

_REQUEST_ID = re.compile(r"[0-9A-Za-z_-]{16,}")


def test_req_P7_an_account_of_the_command_line_logs_in_in_the_browser(
    visit: Visit, account: TestAccount
) -> None:
    visitor = visit()
    sign_in(visitor, account.username)
    assert account.username in visitor.page.inner_text("main")
    assert sessions_shown(visitor) == 2


def test_one_may_log_in_by_the_address(
    visit: Visit, server: RunningServer, new_name: Callable[[], str]
) -> None:
    name = new_name()
    server.register(name, email=f"{name}@example.org")
    sign_in(visit(), f"{name}@example.org")


def test_a_browser_that_was_here_before_is_the_same_device(visit: Visit, account: TestAccount) -> None:
    visitor = visit()
    sign_in(visitor, account.username)
    visitor.press("Sign out")
    visitor.arrives(LOGIN)
    visitor.sent.clear()
    sign_in(visitor, account.username)
    posted = [sent.url.removeprefix(visitor.origin) for sent in visitor.sent if sent.method == "POST"]
    assert "/api/devices" not in posted
    assert sessions_shown(visitor) == 2


def test_a_wrong_password_keeps_the_name_and_clears_the_password(visit: Visit, account: TestAccount) -> None:
    visitor = visit()
    visitor.allow_status(401)
    visitor.open(LOGIN)
    visitor.log_in(account.username, "not the password at all")
    refused(visitor)
    assert _REQUEST_ID.search(visitor.page.inner_text("#problem code"))
    assert visitor.input("identifier").input_value() == account.username
    assert visitor.input("password").input_value() == ""
    expect(visitor.input("password")).to_be_focused()
    assert visitor.cookie is None
    visitor.fill(password=PASSWORD)
    visitor.submit("login-form")
    visitor.arrives(DASHBOARD)


def test_an_unknown_name_is_told_the_very_same(
    visit: Visit, account: TestAccount, new_name: Callable[[], str]
) -> None:
    told = []
    for name, password in ((account.username, "not the password at all"), (new_name(), PASSWORD)):
        visitor = visit()
        visitor.allow_status(401)
        visitor.open(LOGIN)
        visitor.log_in(name, password)
        text = refused(visitor).replace(visitor.page.inner_text("#problem code"), "REQUEST")
        told.append((text, [sent.url for sent in visitor.sent if sent.method == "POST"]))
    assert told[0] == told[1]


def test_sending_twice_makes_one_session(visit: Visit, account: TestAccount) -> None:
    visitor = visit()
    visitor.open(LOGIN)
    visitor.fill(identifier=account.username, password=PASSWORD)
    expect(visitor.page.locator("#login-form button[type=submit]")).to_be_enabled()
    visitor.page.locator("#login-form button[type=submit]").dblclick()
    visitor.arrives(DASHBOARD)
    assert sessions_shown(visitor) == 2
    posted = [sent.url.removeprefix(visitor.origin) for sent in visitor.sent if sent.method == "POST"]
    assert posted.count("/api/login") == 1


def test_reloading_while_it_logs_in_does_no_harm(visit: Visit, account: TestAccount) -> None:
    visitor = visit()
    visitor.open(LOGIN)
    visitor.log_in(account.username, PASSWORD)
    visitor.sees("#progress")
    visitor.page.reload()
    visitor.page.locator("#login-form, #sessions").first.wait_for()
    sign_in_or_there(visitor, account.username)
    assert sessions_shown(visitor) in {2, 3}


def sign_in_or_there(visitor: Visitor, name: str) -> None:
    """The login may have been done just when the page was reloaded."""
    visitor.open(LOGIN)
    if visitor.page.url.startswith(visitor.origin + DASHBOARD):
        return
    visitor.log_in(name, PASSWORD)
    visitor.arrives(DASHBOARD)


def test_two_tabs_that_log_in_at_once_are_one_device(visit: Visit, account: TestAccount) -> None:
    visitor = visit()
    tabs = [visitor.page, visitor.tab()]
    for tab in tabs:
        tab.goto(visitor.origin + LOGIN)
        tab.locator("input[name=identifier]").fill(account.username)
        tab.locator("input[name=password]").fill(PASSWORD)
    for tab in tabs:
        tab.locator("#login-form button[type=submit]").click()
    for tab in tabs:
        expect(tab).to_have_url(visitor.origin + DASHBOARD)
    visitor.open(DASHBOARD)
    assert account.username in visitor.page.inner_text("main")
    names = {session.device for session in account.client.list_sessions().sessions}
    assert len(names) == 2


@pytest.mark.parametrize("path", [LOGIN, "/register"])
def test_whoever_is_signed_in_is_led_on(visit: Visit, shared_account: TestAccount, path: str) -> None:
    visitor = visit()
    enter(visitor, shared_account)
    visitor.open(path)
    visitor.arrives(DASHBOARD)
