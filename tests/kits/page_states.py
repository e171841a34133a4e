"""Every page in every state that looks different: what axe, screenshots and eyes go through.

Each function brings a visitor who is signed out to its state; `account` is somebody at that server.
"""

from collections.abc import Callable, Mapping
from typing import Final

from playwright.sync_api import expect
from tests.kits.entering import enter
from tests.kits.journeys import CHANGE, LOGIN, REGISTER, change_password, recovery_key, refused
from tests.kits.visitor import Visitor

from watchword.testing.server import PASSWORD, TestAccount

State = Callable[[Visitor, TestAccount], None]
_WRONG: Final = "not the password at all"


def login(visitor: Visitor, _account: TestAccount) -> None:
    visitor.open(LOGIN)


def login_refused(visitor: Visitor, account: TestAccount) -> None:
    visitor.allow_status(401)
    visitor.open(LOGIN)
    visitor.log_in(account.username, _WRONG)
    refused(visitor)


def registration(visitor: Visitor, _account: TestAccount) -> None:
    visitor.open(REGISTER)


def registration_refused(visitor: Visitor, _account: TestAccount) -> None:
    visitor.open(REGISTER)
    visitor.fill(username="x", password="short")
    visitor.submit("register-form")
    expect(visitor.input("password")).to_have_attribute("aria-invalid", "true")


def recovery(visitor: Visitor, account: TestAccount) -> None:
    visitor.open(REGISTER)
    visitor.fill(username=f"{account.username}-too", password=PASSWORD)
    visitor.submit("register-form")
    recovery_key(visitor)


def dashboard(visitor: Visitor, account: TestAccount) -> None:
    enter(visitor, account)


def dashboard_done(visitor: Visitor, account: TestAccount) -> None:
    """All that can be unfolded is, and something was done."""
    enter(visitor, account)
    visitor.page.locator("#others summary").click()
    visitor.page.locator("form[action='/dashboard/sessions/end-others'] button").click()
    visitor.sees("#done")
    for summary in visitor.page.locator("summary").all():
        summary.click()


def password(visitor: Visitor, account: TestAccount) -> None:
    enter(visitor, account)
    visitor.open(CHANGE)


def password_refused(visitor: Visitor, account: TestAccount) -> None:
    enter(visitor, account)
    change_password(visitor, PASSWORD, "short")
    expect(visitor.input("next")).to_have_attribute("aria-invalid", "true")


def signed_out(visitor: Visitor, account: TestAccount) -> None:
    enter(visitor, account)
    visitor.press("Sign out")
    visitor.sees("#done")


def not_found(visitor: Visitor, account: TestAccount) -> None:
    visitor.allow_status(404)
    enter(visitor, account)
    visitor.open("/no/such/page")


def styleguide(visitor: Visitor, _account: TestAccount) -> None:
    """Where the settings allow it."""
    visitor.open("/styleguide")


USUAL: Final[Mapping[str, State]] = {
    "login": login,
    "login-refused": login_refused,
    "register": registration,
    "register-refused": registration_refused,
    "register-recovery": recovery,
    "dashboard": dashboard,
    "dashboard-done": dashboard_done,
    "password": password,
    "password-refused": password_refused,
    "signed-out": signed_out,
    "not-found": not_found,
}
"""With the settings that everybody has who sets none."""
