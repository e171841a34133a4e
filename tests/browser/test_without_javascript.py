"""A browser in which no script runs."""

from collections.abc import Callable

import pytest
from tests.kits.axe import findings
from tests.kits.entering import enter
from tests.kits.journeys import CHANGE, DASHBOARD, LOGIN, REGISTER, sessions_shown
from tests.kits.stage import Servers, Visit

from watchword.testing.server import PASSWORD, TestAccount


@pytest.fixture
def plain(visit: Visit):
    def opened(server=None):
        return visit(server, java_script_enabled=False)

    return opened


@pytest.mark.parametrize("path", [LOGIN, REGISTER])
def test_the_page_says_what_is_missing(plain: Visit, path: str) -> None:
    visitor = plain()
    visitor.open(path)
    said = visitor.page.inner_text("main")
    assert "JavaScript" in said
    assert "watchword" in said  # the command that does the same
    for button in visitor.page.locator("form[data-sealed] button[type=submit]").all():
        assert button.is_disabled()


def test_what_stands_in_the_dashboard_works(visit: Visit, plain: Visit, account: TestAccount) -> None:
    scripted, visitor = visit(), plain()
    enter(scripted, account)
    visitor.take_session_of(scripted)
    visitor.open(DASHBOARD)
    assert sessions_shown(visitor) == 2
    visitor.page.locator("#others summary").click()
    visitor.page.locator("form[action='/dashboard/sessions/end-others'] button").click()
    visitor.sees("#done")
    assert sessions_shown(visitor) == 1
    visitor.press("Sign out")
    visitor.arrives(LOGIN)
    scripted.open(DASHBOARD)
    scripted.arrives(LOGIN)


def test_the_form_that_the_operator_allows_signs_in(
    plain: Visit, servers: Servers, new_name: Callable[[], str]
) -> None:
    account = servers.lenient.register(new_name())
    visitor = plain(servers.lenient)
    visitor.open(CHANGE)
    visitor.arrives(LOGIN)
    form = visitor.page.locator("form:has(input[name=password]:visible)").last
    corner = form.locator("input[name=password]").evaluate(
        "each => getComputedStyle(each).borderTopRightRadius"
    )
    assert corner != "0px", "no button stands beside it"
    form.locator("input[name=identifier]").fill(account.username)
    form.locator("input[name=password]").fill(PASSWORD)
    form.locator("button[type=submit]").click()
    visitor.arrives(CHANGE)
    visitor.open(DASHBOARD)
    assert sessions_shown(visitor) == 2


def test_the_form_says_the_same_of_a_wrong_password_and_an_unknown_name(
    plain: Visit, servers: Servers, new_name: Callable[[], str]
) -> None:
    account = servers.lenient.register(new_name())
    visitor = plain(servers.lenient)
    visitor.allow_status(403)
    told = []
    for name in (account.username, new_name()):
        visitor.open(LOGIN)
        form = visitor.page.locator("form:has(input[name=password]:visible)").last
        form.locator("input[name=identifier]").fill(name)
        form.locator("input[name=password]").fill("not the password at all")
        form.locator("button[type=submit]").click()
        visitor.sees(".notice-bad:visible")
        assert visitor.cookie is None
        text = visitor.page.inner_text("main")
        told.append(text.replace(visitor.page.locator("main code").first.inner_text(), "REQUEST"))
    assert told[0] == told[1]


def test_a_browser_with_scripts_never_offers_that_form(visit: Visit, servers: Servers) -> None:
    visitor = visit(servers.lenient)
    visitor.open(LOGIN)
    assert visitor.page.locator("form:has(input[name=password])").count() == 1


def test_it_is_accessible_as_well(plain: Visit, visit: Visit, servers: Servers) -> None:
    """axe itself is a script, which a browser without them cannot run: its markup is looked at in one that can."""
    visitor, scripted = plain(servers.lenient), visit()
    visitor.open(LOGIN)
    scripted.open(LOGIN)
    assert visitor.page.locator("label:visible").count() >= 2
    assert findings(scripted.page) == []
