"""What a person does at the pages from start to end, as several tests begin."""

from playwright.sync_api import expect
from tests.kits.visitor import Visitor

from watchword.testing.server import PASSWORD

REGISTER = "/register"
LOGIN = "/login"
DASHBOARD = "/dashboard"
CHANGE = "/password"


def sign_in(visitor: Visitor, identifier: str, password: str = PASSWORD) -> None:
    """Open the login page and come to the dashboard."""
    visitor.open(LOGIN)
    visitor.log_in(identifier, password)
    visitor.arrives(DASHBOARD)


def register(visitor: Visitor, username: str, password: str = PASSWORD, **more: str) -> str:
    """Open the registration page, make an account, keep its recovery key, come to the dashboard. Gives the key."""
    visitor.open(REGISTER)
    visitor.fill(username=username, password=password, **more)
    visitor.submit("register-form")
    key = recovery_key(visitor)
    enter_ending(visitor, key)
    visitor.arrives(DASHBOARD)
    return key


def recovery_key(visitor: Visitor) -> str:
    """The key, once it is shown."""
    shown = visitor.sees("#recovery-key")
    expect(shown).not_to_be_empty()
    return shown.inner_text().strip()


def enter_ending(visitor: Visitor, key: str) -> None:
    visitor.fill(ending=key[-4:])
    visitor.submit("recovery-form")


def change_password(visitor: Visitor, current: str, new: str) -> None:
    """Open the page and send the form. What comes of it is the caller's to wait for."""
    visitor.open(CHANGE)
    visitor.fill(current=current, next=new)
    visitor.submit("password-form")


def sessions_shown(visitor: Visitor) -> int:
    """How many sessions the dashboard that is open lists."""
    return visitor.page.locator("#sessions form[action='/dashboard/sessions/end']").count()


def refused(visitor: Visitor) -> str:
    """What the page says once it says that something went wrong."""
    return visitor.sees("#problem").inner_text()
