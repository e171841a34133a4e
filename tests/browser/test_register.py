"""Registering in the page: an account, a recovery key that is kept, a browser that is signed in."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.kits.journeys import (
    DASHBOARD,
    LOGIN,
    REGISTER,
    enter_ending,
    recovery_key,
    refused,
    register,
    sign_in,
)
from tests.kits.stage import Servers, Visit

from watchword.client.client import Client
from watchword.protocol.chest import RecoveryKey
from watchword.protocol.passwords import prepare
from watchword.server.operator.model import LocalOperator
from watchword.testing.server import PASSWORD, RunningServer, TestAccount


def test_req_P7_whoever_registers_in_the_page_is_signed_in(visit: Visit, new_name: Callable[[], str]) -> None:
    visitor, name = visit(), new_name()
    key = register(visitor, name, email=f"{name}@example.org", display_name="Ada Lovelace")
    RecoveryKey.parse(key)
    shown = visitor.page.inner_text("main")
    assert "Ada Lovelace" in shown
    assert f"{name}@example.org" in shown


def test_the_account_is_one_for_the_command_line_too(
    visit: Visit, new_name: Callable[[], str], server: RunningServer, tmp_path: Path
) -> None:
    visitor, name = visit(), new_name()
    register(visitor, name)
    with Client(server.trusted, tmp_path, password=prepare(PASSWORD)) as client:
        client.log_in(name)
        assert client.who_am_i().account.username == name
        assert len(client.list_sessions().sessions) == 2


def test_the_recovery_key_must_be_typed_again(visit: Visit, new_name: Callable[[], str]) -> None:
    visitor, name = visit(), new_name()
    visitor.open(REGISTER)
    visitor.fill(username=name, password=PASSWORD)
    visitor.submit("register-form")
    key = recovery_key(visitor)
    assert visitor.page.title().startswith("Keep your recovery key")
    wrong = "0000" if not key.endswith("0000") else "1111"
    enter_ending(visitor, wrong + wrong)
    expect(visitor.input("ending")).to_have_attribute("aria-invalid", "true")
    assert visitor.page.url == visitor.origin + REGISTER
    folded = key[-4:].lower().replace("1", "l").replace("0", "o")
    visitor.fill(ending=folded)
    visitor.submit("recovery-form")
    visitor.arrives(DASHBOARD)


def test_a_page_that_was_left_has_no_recovery_key_for_whoever_goes_back(
    visit: Visit, new_name: Callable[[], str]
) -> None:
    """Playwright's Chromium keeps no page that was left; such a page hears these two events."""
    visitor, name = visit(), new_name()
    visitor.open(REGISTER)
    visitor.fill(username=name, password=PASSWORD)
    visitor.submit("register-form")
    key = recovery_key(visitor)
    visitor.fill(ending=key[-4:])
    visitor.page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    assert key not in visitor.page.content()
    assert visitor.page.locator("#recovery, input[name=ending]").count() == 0
    visitor.page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    visitor.arrives(DASHBOARD)


def test_a_name_that_is_taken_is_told_and_what_was_typed_is_kept(visit: Visit, account: TestAccount) -> None:
    visitor = visit()
    visitor.allow_status(409, 422, 400, 403)
    visitor.open(REGISTER)
    visitor.fill(username=account.username, display_name="Somebody", password=PASSWORD)
    visitor.submit("register-form")
    refused(visitor)
    assert visitor.input("username").input_value() == account.username
    assert visitor.input("display_name").input_value() == "Somebody"
    assert visitor.input("password").input_value() == ""


def test_a_name_to_show_is_taken_as_people_type_it(visit: Visit, new_name: Callable[[], str]) -> None:
    visitor, name = visit(), new_name()
    register(visitor, name, display_name="Ana\u00a0Maria 👨\u200d👩\u200d👧")
    assert "Ana Maria 👨\u200d👩\u200d👧" in visitor.page.inner_text("main")


def test_a_name_that_cannot_be_shown_is_told_at_its_field(visit: Visit, new_name: Callable[[], str]) -> None:
    visitor = visit()
    visitor.open(REGISTER)
    visitor.fill(username=new_name(), display_name="Ada\u202eecalevoL", password=PASSWORD)
    visitor.submit("register-form")
    expect(visitor.input("display_name")).to_have_attribute("aria-invalid", "true")
    expect(visitor.page.locator("#display_name-error")).to_contain_text("cannot be shown")
    assert [sent.url for sent in visitor.sent if sent.method == "POST"] == []


@pytest.mark.parametrize("password", ["short", "passwordpassword"])
def test_a_weak_password_is_told_before_anything_is_sent(
    visit: Visit, new_name: Callable[[], str], password: str
) -> None:
    visitor = visit()
    visitor.open(REGISTER)
    visitor.fill(username=new_name(), password=password)
    visitor.submit("register-form")
    expect(visitor.input("password")).to_have_attribute("aria-invalid", "true")
    expect(visitor.page.locator("#password-error")).not_to_be_empty()
    assert [sent.url for sent in visitor.sent if sent.method == "POST"] == []


def test_sending_twice_makes_one_account(
    visit: Visit, new_name: Callable[[], str], server: RunningServer
) -> None:
    visitor, name = visit(), new_name()
    visitor.open(REGISTER)
    visitor.fill(username=name, password=PASSWORD)
    expect(visitor.page.locator("#register-form button[type=submit]")).to_be_enabled()
    visitor.page.locator("#register-form button[type=submit]").dblclick()
    enter_ending(visitor, recovery_key(visitor))
    visitor.arrives(DASHBOARD)
    posted = [sent.url.removeprefix(visitor.origin) for sent in visitor.sent if sent.method == "POST"]
    assert posted.count("/api/register") == 1
    assert posted.count("/api/devices") == 1


def test_reloading_while_it_registers_leaves_an_account_that_works_or_none(
    visit: Visit, new_name: Callable[[], str]
) -> None:
    visitor, name = visit(), new_name()
    visitor.open(REGISTER)
    visitor.fill(username=name, password=PASSWORD)
    visitor.submit("register-form")
    visitor.sees("#progress")
    visitor.page.reload()
    visitor.sees("#register-form")
    visitor.allow_status(400, 401, 403, 409, 422)
    visitor.fill(username=name, password=PASSWORD)
    visitor.submit("register-form")
    visitor.page.locator("#recovery:visible, #problem:visible").first.wait_for()
    if visitor.page.locator("#problem").is_visible():
        sign_in(visitor, name)
    else:
        enter_ending(visitor, recovery_key(visitor))
        visitor.arrives(DASHBOARD)


def test_where_registration_is_closed_the_page_says_who_decides(visit: Visit, servers: Servers) -> None:
    visitor = visit(servers.closed)
    answer = visitor.open(REGISTER)
    assert answer.status in {200, 403}
    assert visitor.page.locator("#register-form").count() == 0
    assert visitor.page.get_by_role("link", name=re.compile("Sign in")).count() > 0
    assert visitor.open(LOGIN).status == 200
    assert visitor.page.locator("a[href='/register']").count() == 0


def test_whoever_is_invited_registers_at_the_level_of_the_invitation(
    visit: Visit, servers: Servers, new_name: Callable[[], str]
) -> None:
    server, name = servers.invite, new_name()
    by = LocalOperator(uid=0)
    invitation = server.run(lambda services: services.operator.invite(by, level=2)).text
    visitor = visit(server)
    visitor.open(REGISTER)
    visitor.fill(username=name, password=PASSWORD, invitation="not one")
    visitor.submit("register-form")
    refused(visitor)
    visitor.fill(password=PASSWORD, invitation=invitation)
    visitor.submit("register-form")
    enter_ending(visitor, recovery_key(visitor))
    visitor.arrives(DASHBOARD)
    assert "Level\n2" in re.sub(r"\s*\n\s*", "\n", visitor.page.inner_text("main"))
