"""docs/protocol/browser.md, section 5: what is a path to go on to, and that nothing else is."""

import random
import string
from urllib.parse import urljoin, urlsplit

import pytest

from watchword.server.http.return_path import login_location, return_path_of, safe_return_path
from watchword.testing.counts import count

OURS = "https://id.example.org"
GOOD = [
    "/",
    "/dashboard",
    "/dashboards/sessions",
    "/a.b/~c/d_e-f",
    "/...",
    "/.git",
    "/.a",
    "/a..",
    "/dashboard?done=password",
    "/authorize?client=a&redirect_uri=https%3A%2F%2Fapp.example%2Fback&scope=a+b",
    "/x?y=//evil.example",
    "/apiary",
    "/logins",
]
E23 = [
    "",
    "dashboard",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/%5cevil.example",
    "/%5Cevil.example",
    "/%2fevil.example",
    "/.//evil.example",
    "/a//evil.example",
    "/./evil",
    "/../evil",
    "/a/../evil",
    "/a/..",
    "/a/.",
    "/..",
    "/.",
    "/..?x",
    "/./?x",
    "/a/",
    "https:evil.example",
    "https://evil.example",
    "https:/evil.example",
    "HTTPS://evil.example/",
    "javascript:alert(1)",
    "/javascript:alert(1)",
    "data:text/html,x",
    "/\tevil",
    "\t//evil.example",
    " //evil.example",
    "/ /evil.example",
    "/\r\nSet-Cookie: a=b",
    "/a\n",
    "/a\r",
    "/a\0",
    "/a?b\r\nc",
    "/a?",
    "/a?b%0",
    "/a?b%zz",
    "/a?b\\c",
    "/a?b#c",
    "/#//evil.example",
    "/a;b",
    "/@evil.example",
    "//user@evil.example",
    "/a@evil.example",
    "https://id.example.org@evil.example/",
    "//id.example.org@evil.example",
    "/\u3002evil",
    "/\uff0fevil.example",
    "\uff0f\uff0fevil.example",
    "/\u2215evil",
    "/a\u2028b",
    "/\u202eevil",
    "/\uff0e\uff0e/evil",
    "/%E3%80%82",
    "/" + "a" * 2000,
    "/a?" + "b" * 2000,
    "?return=/dashboard",
    "*",
    "/login",
    "/login?return=/login",
    "/LOGIN",
    "/logout",
    "/dashboard/sessions/end",
    "/dashboard/sessions/end-all?done=welcome",
    "/dashboard/nowhere",
    "/Dashboard/sessions/end",
    "/register",
    "/api",
    "/api/me",
    "/API/me",
    "/assets/login.js",
    "/health/live",
    "/.well-known/jwks.json",
]


@pytest.mark.parametrize("text", GOOD)
def test_a_plain_path_of_ours_is_gone_on_to(text: str) -> None:
    assert safe_return_path(text) == text


@pytest.mark.parametrize("text", E23)
def test_fault_E23_what_is_no_plain_path_of_ours_is_not_gone_on_to(text: str) -> None:
    assert safe_return_path(text) is None
    assert login_location(text) == "/login"


def test_fault_E23_the_longest_has_512_characters() -> None:
    assert safe_return_path("/" + "a" * 511) is not None
    assert safe_return_path("/" + "a" * 512) is None


def test_the_way_to_sign_in_brings_the_path_and_never_its_query() -> None:
    assert return_path_of("/dashboard") == "/dashboard"
    assert login_location("/dashboard") == "/login?return=/dashboard"
    assert return_path_of("/dashboard?password=hunter2") is None
    assert login_location("/dashboard?password=hunter2") == "/login"


def test_fault_E23_whatever_passes_stays_on_our_origin_as_it_is() -> None:
    """Texts made of what such tricks are made of; those that pass are not changed by resolving them."""
    source = random.Random("E23")
    pieces = [*"/\\.:?#@%;&= \t\r\n", "..", "//", "%2e", "%5c", "evil.example", "https:", "a", "b", "\u3002"]
    passed = 0
    for _ in range(count(20_000, 1_000_000)):
        text = "/" * source.randint(0, 1) + "".join(source.choices(pieces, k=source.randint(0, 5)))
        if safe_return_path(text) is None:
            continue
        passed += 1
        assert urljoin(f"{OURS}/login", text) == OURS + text
        assert urlsplit(urljoin(f"{OURS}/login", text)).netloc == "id.example.org"
        assert not set(text) - set(string.printable) | set(text) & set(string.whitespace)
    assert passed > 100
