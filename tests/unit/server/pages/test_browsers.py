"""Browsers by the names that people know, whatever is sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.client.line import USER_AGENT
from watchword.server.pages.browsers import Browser, describe_browser, name_device, parse_browser

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT}"
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
_LINUX = f"Mozilla/5.0 (X11; Linux x86_64) {_WEBKIT}"
_PHONE = f"Mozilla/5.0 (Linux; Android 10; K) {_WEBKIT}"
_IPHONE = f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {_APPLE}"
_IPAD = f"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) {_APPLE}"


@pytest.mark.parametrize(
    ("user_agent", "said"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0", "Firefox 141 on Linux"),
        (
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox 140 on Linux",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:141.0) Gecko/20100101 Firefox/141.0",
            "Firefox 141 on Windows",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:141.0) Gecko/20100101 Firefox/141.0",
            "Firefox 141 on macOS",
        ),
        ("Mozilla/5.0 (Android 15; Mobile; rv:141.0) Gecko/141.0 Firefox/141.0", "Firefox 141 on Android"),
        (f"{_IPHONE} FxiOS/141.0 Mobile/15E148 Safari/605.1.15", "Firefox 141 on iOS"),
        (f"{_LINUX} Chrome/138.0.0.0 Safari/537.36", "Chrome 138 on Linux"),
        (f"{_LINUX} HeadlessChrome/138.0.0.0 Safari/537.36", "Chrome 138 on Linux"),
        (f"{_LINUX} Ubuntu Chromium/128.0.0.0 Chrome/128.0.0.0 Safari/537.36", "Chromium 128 on Linux"),
        (f"{_WINDOWS} Chrome/138.0.0.0 Safari/537.36", "Chrome 138 on Windows"),
        (f"{_MAC} {_WEBKIT} Chrome/138.0.0.0 Safari/537.36", "Chrome 138 on macOS"),
        (f"{_PHONE} Chrome/138.0.0.0 Mobile Safari/537.36", "Chrome 138 on Android"),
        (f"{_IPHONE} CriOS/138.0.7204.119 Mobile/15E148 Safari/604.1", "Chrome 138 on iOS"),
        (
            f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {_WEBKIT} Chrome/138.0.0.0 Safari/537.36",
            "Chrome 138 on ChromeOS",
        ),
        (f"{_WINDOWS} Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0", "Edge 138 on Windows"),
        (f"{_PHONE} Chrome/138.0.0.0 Mobile Safari/537.36 EdgA/138.0.0.0", "Edge 138 on Android"),
        (f"{_IPHONE} Version/18.0 EdgiOS/138.0.3351.65 Mobile/15E148 Safari/604.1", "Edge 138 on iOS"),
        (f"{_WINDOWS} Chrome/137.0.0.0 Safari/537.36 OPR/120.0.0.0", "Opera 120 on Windows"),
        (f"{_LINUX} Chrome/136.0.0.0 Safari/537.36 Vivaldi/7.4.3684.55", "Vivaldi 7 on Linux"),
        (
            f"{_PHONE} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
            "Samsung Internet 28 on Android",
        ),
        (f"{_MAC} {_APPLE} Version/18.5 Safari/605.1.15", "Safari 18 on macOS"),
        (f"{_MAC} {_APPLE} Version/18.5 Safari/605.1.15 Ddg/18.5", "DuckDuckGo 18 on macOS"),
        (f"{_IPHONE} Version/18.5 Mobile/15E148 Safari/604.1", "Safari 18 on iOS"),
        (f"{_IPAD} Version/18.5 Mobile/15E148 Safari/604.1", "Safari 18 on iPadOS"),
        (f"{_IPHONE} GSA/377.0.777 Mobile/15E148 Safari/604.1", "Google app 377 on iOS"),
        (USER_AGENT, f"Watchword command line {USER_AGENT.removeprefix('watchword/')}"),
        ("curl/8.14.1", "curl 8.14.1"),
        ("python-httpx/0.28.1", "Python"),
    ],
)
def test_browsers_of_today_are_named(user_agent: str, said: str) -> None:
    assert describe_browser(user_agent) == said


@pytest.mark.parametrize(
    ("user_agent", "said"),
    [
        ("", ""),
        ("Mozilla/5.0", ""),
        ("Mozilla/5.0 (X11; Linux x86_64)", "Linux"),
        ("<script>alert(1)</script>", ""),
        ("Firefox/<b>", "Firefox"),
        ("Firefox/141<img src=x>", "Firefox 141"),
        ("Firefox/99999", "Firefox"),
        ("Firefox/\u0661\u0664\u0661", "Firefox"),
        ("NotFirefox/141", ""),
        ("Firefox/{system} Linux", "Firefox on Linux"),
        ("Version/18 " * 40 + "Safari", ""),
    ],
)
def test_what_is_not_known_is_not_repeated(user_agent: str, said: str) -> None:
    assert describe_browser(user_agent) == said


@given(
    st.text(max_size=600)
    | st.from_regex(r"(Firefox|Edg|Version|watchword|curl)/.{0,20}( Safari/.{0,9})? (Linux|iPad)?")
)
def test_only_our_own_words_and_digits_come_out(user_agent: str) -> None:
    said = describe_browser(user_agent)
    assert said.isascii()
    assert all(sign.isalnum() or sign in " ." for sign in said)
    assert len(said) < 60


def test_a_long_text_costs_no_more_than_a_short_one() -> None:
    assert parse_browser("Version/1" * 100_000 + " Firefox/141") == Browser("", "", "")


def test_the_sentence_is_the_readers() -> None:
    chrome = f"{_LINUX} Chrome/138.0.0.0 Safari/537.36"
    assert describe_browser(chrome, "{browser} unter {system}") == "Chrome 138 unter Linux"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0", "Firefox on Linux"),
        ("something else", "Browser"),
        ("", "Browser"),
    ],
)
def test_a_device_is_named_without_a_version(user_agent: str, name: str) -> None:
    assert name_device(user_agent) == name
