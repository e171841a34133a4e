"""Pages that everybody can use: axe on each of them, keyboard alone, password managers, small screens, large type."""

import re
from collections.abc import Callable
from typing import Final, Literal

import pytest
from playwright.sync_api import Page, ViewportSize, expect
from tests.kits.axe import findings
from tests.kits.entering import enter
from tests.kits.journeys import (
    CHANGE,
    DASHBOARD,
    LOGIN,
    REGISTER,
    recovery_key,
    refused,
)
from tests.kits.page_states import USUAL
from tests.kits.stage import Servers, Visit

from watchword.testing.counts import count
from watchword.testing.server import PASSWORD, TestAccount

PHONE: Final[ViewportSize] = {"width": 360, "height": 740}
DESK: Final[ViewportSize] = {"width": 1280, "height": 800}
LOOKS: Final[list[tuple[Literal["light", "dark"], ViewportSize]]] = [
    ("light", PHONE),
    ("dark", DESK),
    ("light", DESK),
    ("dark", PHONE),
]
NARROW: Final[ViewportSize] = {"width": 320, "height": 640}


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    found: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found


@pytest.mark.parametrize(("first", "state"), list(enumerate(USUAL)))
def test_axe_finds_nothing_and_nothing_overflows(
    visit: Visit, shared_account: TestAccount, first: int, state: str
) -> None:
    """In all looks under soak; else in one, another for each state, so that each look is seen."""
    visitor = visit(reduced_motion="reduce")
    USUAL[state](visitor, shared_account)
    page = visitor.page
    for look in range(count(1, 4)):
        theme, size = LOOKS[(first + look) % len(LOOKS)]
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size(size)
        assert findings(page) == [], f"{theme} {size}"
    page.set_viewport_size(NARROW)
    assert overflow(page) <= 0


def test_axe_finds_nothing_in_all_that_pages_are_made_of(visit: Visit, servers: Servers) -> None:
    visitor = visit(servers.lenient, reduced_motion="reduce")
    visitor.open("/styleguide")
    for theme, size in LOOKS[:2]:
        visitor.page.emulate_media(color_scheme=theme)
        visitor.page.set_viewport_size(size)
        assert findings(visitor.page) == [], theme


def test_axe_finds_nothing_where_registration_is_limited(visit: Visit, servers: Servers) -> None:
    for server in (servers.closed, servers.invite):
        visitor = visit(server)
        visitor.open(REGISTER)
        assert findings(visitor.page) == []


def focused(page: Page) -> str:
    """Where the keyboard is: a field's name, or what a button or link says."""
    found: str = page.evaluate(
        "(() => { const it = document.activeElement;"
        " return it.name || it.getAttribute('aria-label') || it.textContent.trim(); })()"
    )
    return found


def tabs_to(page: Page, name: str) -> None:
    """Press Tab until the keyboard is there; it may not take forever."""
    for _ in range(40):
        if focused(page) == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no Tab leads to {name}")


def test_logging_in_takes_a_keyboard_and_nothing_else(visit: Visit, account: TestAccount) -> None:
    visitor = visit()
    visitor.open(LOGIN)
    page = visitor.page
    expect(page.locator("#login-form button[type=submit]")).to_be_enabled()
    tabs_to(page, "identifier")
    page.keyboard.type(account.username)
    tabs_to(page, "password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    visitor.arrives(DASHBOARD)


def test_registering_takes_a_keyboard_and_nothing_else(visit: Visit, new_name: Callable[[], str]) -> None:
    visitor = visit()
    visitor.open(REGISTER)
    page = visitor.page
    expect(page.locator("#register-form button[type=submit]")).to_be_enabled()
    tabs_to(page, "username")
    page.keyboard.type(new_name())
    tabs_to(page, "password")
    page.keyboard.type(PASSWORD)
    tabs_to(page, page.locator("#register-form button[type=submit]").inner_text())
    page.keyboard.press("Space")
    key = recovery_key(visitor)
    tabs_to(page, "ending")
    page.keyboard.type(key[-4:])
    page.keyboard.press("Enter")
    visitor.arrives(DASHBOARD)


@pytest.mark.parametrize("path", [LOGIN, REGISTER])
def test_the_keyboard_is_never_trapped(visit: Visit, path: str) -> None:
    visitor = visit()
    visitor.open(path)
    page = visitor.page
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                "(() => { const it = document.activeElement;"
                " return it === document.body ? '' : it.outerHTML.slice(0, 120); })()"
            )
        )
        if seen[-1] in seen[:-1]:
            break
    else:
        raise AssertionError(f"Tab never came around: {seen}")
    assert len(set(seen)) > 3


@pytest.mark.parametrize(
    ("path", "tokens"),
    [
        (LOGIN, {"identifier": "username", "password": "current-password"}),
        (
            REGISTER,
            {"username": "username", "email": "email", "display_name": "name", "password": "new-password"},
        ),
        (CHANGE, {"username": "username", "current": "current-password", "next": "new-password"}),
    ],
)
def test_password_managers_are_told_what_each_field_is(
    visit: Visit, shared_account: TestAccount, path: str, tokens: dict[str, str]
) -> None:
    visitor = visit()
    if path == CHANGE:
        enter(visitor, shared_account)
    visitor.open(path)
    for name, token in tokens.items():
        found = visitor.input(name)
        assert found.get_attribute("autocomplete") == token
        assert found.evaluate("input => input.form !== null && input.form.method === 'post'")
        if "password" in token:
            assert found.get_attribute("type") == "password"
    if path == CHANGE:
        assert visitor.input("username").input_value() == shared_account.username


def test_what_a_password_manager_fills_in_is_sent(visit: Visit, account: TestAccount) -> None:
    """It sets values and fires `input` and `change`; nobody types."""
    visitor = visit()
    visitor.open(LOGIN)
    for name, value in (("identifier", account.username), ("password", PASSWORD)):
        visitor.input(name).evaluate(
            "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', {bubbles: true}));"
            " input.dispatchEvent(new Event('change', {bubbles: true})); }",
            value,
        )
    visitor.submit("login-form")
    visitor.arrives(DASHBOARD)


def test_a_password_can_be_looked_at(visit: Visit) -> None:
    visitor = visit()
    visitor.open(LOGIN)
    button = visitor.page.locator("[data-show-password=password]")
    button.click()
    expect(visitor.input("password")).to_have_attribute("type", "text")
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    expect(visitor.input("password")).to_have_attribute("type", "password")


def test_what_is_touched_is_large_enough(visit: Visit, shared_account: TestAccount) -> None:
    visitor = visit(viewport=PHONE, has_touch=True)
    enter(visitor, shared_account)
    for path in (LOGIN, REGISTER, DASHBOARD, CHANGE):
        visitor.open(path)
        for target in visitor.page.locator(
            "main button:visible, main .input:visible, main summary:visible"
        ).all():
            box = target.bounding_box()
            assert box is not None
            assert box["height"] >= 24, target.evaluate("it => it.outerHTML")


def test_pages_speak_german_to_whoever_reads_german(visit: Visit, account: TestAccount) -> None:
    visitor = visit(locale="de-DE")
    visitor.allow_status(401)
    visitor.open(LOGIN)
    page = visitor.page
    assert page.locator("html").get_attribute("lang") == "de"
    assert re.search("Anmelden", page.inner_text("main"))
    visitor.log_in(account.username, "not the password at all")
    said = refused(visitor)
    assert "Passwort" in said
    visitor.fill(password=PASSWORD)
    visitor.submit("login-form")
    visitor.arrives(DASHBOARD)
    assert "Sign out" not in page.inner_text("body")
    assert findings(page) == []
