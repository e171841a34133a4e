"""Changing the password in the page, and what that means for the browser and the command line."""

from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.kits.entering import enter
from tests.kits.journeys import (
    CHANGE,
    DASHBOARD,
    LOGIN,
    change_password,
    refused,
    sessions_shown,
    sign_in,
)
from tests.kits.stage import Visit

from watchword.client.client import Client
from watchword.errors import WatchwordError
from watchword.protocol.passwords import prepare
from watchword.testing.server import PASSWORD, RunningServer, TestAccount

NEW = "amber teapot climbs ladders"


def test_a_new_password_counts_everywhere_and_the_old_one_nowhere(
    visit: Visit, account: TestAccount, server: RunningServer, tmp_path: Path
) -> None:
    visitor, other = visit(), visit()
    enter(other, account)
    sign_in(visitor, account.username)
    change_password(visitor, PASSWORD, NEW)
    visitor.arrives(DASHBOARD)
    visitor.sees("#done")
    assert sessions_shown(visitor) == 1
    other.open(DASHBOARD)
    other.arrives(LOGIN)
    other.allow_status(401)
    other.log_in(account.username, PASSWORD)
    refused(other)
    other.fill(password=NEW)
    other.submit("login-form")
    other.arrives(DASHBOARD)
    with (
        Client(server.trusted, tmp_path / "old", password=prepare(PASSWORD)) as client,
        pytest.raises(WatchwordError),
    ):
        client.log_in(account.username)
    with Client(server.trusted, tmp_path / "new", password=prepare(NEW)) as client:
        client.log_in(account.username)


def test_a_password_changed_by_the_command_line_counts_in_the_browser(
    visit: Visit, account: TestAccount
) -> None:
    visitor = visit()
    sign_in(visitor, account.username)
    account.client.change_password(NEW)
    visitor.open(DASHBOARD)
    visitor.arrives(LOGIN)
    visitor.log_in(account.username, NEW)
    visitor.arrives(DASHBOARD)
    visitor.press("Sign out")
    sign_in(visitor, account.username, NEW)


def test_a_wrong_current_password_changes_nothing(visit: Visit, account: TestAccount) -> None:
    visitor = visit()
    visitor.allow_status(401)
    enter(visitor, account)
    change_password(visitor, "not the password at all", NEW)
    visitor.page.locator("#problem:visible, #current-error:not(:empty)").first.wait_for()
    assert visitor.input("current").input_value() == ""
    assert visitor.page.url == visitor.origin + CHANGE
    visitor.open(DASHBOARD)
    visitor.arrives(DASHBOARD)
    sign_in(visit(), account.username, PASSWORD)


def test_whose_password_it_is_cannot_be_edited_after_coming_back(
    visit: Visit, shared_account: TestAccount
) -> None:
    visitor = visit()
    enter(visitor, shared_account)
    visitor.open(CHANGE)
    expect(visitor.page.locator("#password-form button[type=submit]")).to_be_enabled()
    visitor.page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    expect(visitor.input("username")).not_to_be_editable()
    expect(visitor.input("current")).to_be_editable()


def test_a_new_password_is_judged_in_the_page(visit: Visit, shared_account: TestAccount) -> None:
    visitor = visit()
    enter(visitor, shared_account)
    posted = len([sent for sent in visitor.sent if sent.method == "POST"])
    for weak in ("short", f"{shared_account.username} {shared_account.username}"):
        change_password(visitor, PASSWORD, weak)
        expect(visitor.input("next")).to_have_attribute("aria-invalid", "true")
        expect(visitor.page.locator("#next-error")).not_to_be_empty()
    assert len([sent for sent in visitor.sent if sent.method == "POST"]) == posted
