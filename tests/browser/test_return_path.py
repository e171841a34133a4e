"""Where a login leads: to the page that was asked for, and never off this server."""

import json
from urllib.parse import quote

from tests.kits.journeys import CHANGE, DASHBOARD, LOGIN
from tests.kits.stage import Visit

from watchword.testing.server import PASSWORD, TestAccount

ELSEWHERE = [
    "//evil.example/",
    "https://evil.example/",
    "https:evil.example",
    "/\\evil.example/",
    "/%5cevil.example/",
    "javascript:alert(1)",
    "/dashboard\r\nSet-Cookie: a=b",
    "//user@evil.example/",
    "/./..//evil.example",
]


def test_the_page_that_was_asked_for_is_shown_after_the_login(visit: Visit, account: TestAccount) -> None:
    visitor = visit()
    visitor.open(CHANGE)
    visitor.arrives(LOGIN)
    visitor.log_in(account.username, PASSWORD)
    visitor.arrives(CHANGE)


def test_what_stood_behind_a_question_mark_is_left_behind(visit: Visit) -> None:
    """People put passwords there; it must not live on in another address."""
    visitor = visit()
    visitor.open(f"{CHANGE}?password=violet")
    assert visitor.page.url == f"{visitor.origin}{LOGIN}?return={CHANGE}"


def test_a_page_that_is_not_there_is_a_login_first_and_not_found_after(
    visit: Visit, account: TestAccount
) -> None:
    visitor = visit()
    visitor.allow_status(404)
    visitor.open("/no/such/page")
    visitor.arrives(LOGIN)
    visitor.log_in(account.username, PASSWORD)
    visitor.arrives("/no/such/page")
    assert visitor.sees("main code").inner_text().startswith("req_")


def test_fault_E23_the_page_is_told_of_no_place_but_ours(visit: Visit) -> None:
    visitor = visit(java_script_enabled=False)
    for path in ELSEWHERE:
        visitor.open(f"{LOGIN}?return={quote(path, safe='')}")
        facts = json.loads(visitor.page.locator("#facts").inner_html())
        assert facts["returnPath"] == DASHBOARD, path


def test_fault_E23_a_login_never_leads_off_this_server(visit: Visit, account: TestAccount) -> None:
    visitor = visit()
    visitor.open(f"{LOGIN}?return={quote(ELSEWHERE[0], safe='')}")
    visitor.log_in(account.username, PASSWORD)
    visitor.arrives(DASHBOARD)
    assert all(sent.url.startswith(visitor.origin + "/") for sent in visitor.sent)
