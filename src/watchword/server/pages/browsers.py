"""Which browser a `User-Agent` names, as people call it. Whoever sends it may lie: it is a reminder, no proof.

What comes out is put together from our own names and ASCII digits alone, whatever went in.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_LONGEST: Final = 512
"""Characters that are looked at; real ones have less than 300."""
_MAJOR: Final = r"(?P<version>[0-9]{1,4})(?![0-9])"
_WHOLE: Final = r"(?P<version>[0-9]{1,4}(?:\.[0-9]{1,4}){0,2})(?![0-9.])"
_NONE: Final = r"(?P<version>)"

# The first that is named is meant: nearly all say that they are Chrome or Safari too.
_PRODUCTS: Final = (
    ("watchword", "Watchword command line"),
    ("Edg", "Edge"),
    ("EdgA", "Edge"),
    ("EdgiOS", "Edge"),
    ("OPR", "Opera"),
    ("OPT", "Opera"),
    ("OPX", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Vivaldi", "Vivaldi"),
    ("YaBrowser", "Yandex Browser"),
    ("DuckDuckGo", "DuckDuckGo"),
    ("Ddg", "DuckDuckGo"),
    ("Epiphany", "GNOME Web"),
    ("Falkon", "Falkon"),
    ("SeaMonkey", "SeaMonkey"),
    ("FxiOS", "Firefox"),
    ("Focus", "Firefox Focus"),
    ("Firefox", "Firefox"),
    ("GSA", "Google app"),
    ("CriOS", "Chrome"),
    ("HeadlessChrome", "Chrome"),
    ("Chromium", "Chromium"),
    ("Chrome", "Chrome"),
    ("curl", "curl"),
    ("Wget", "Wget"),
    ("python-requests", "Python"),
    ("python-httpx", "Python"),
    ("Go-http-client", "Go"),
)
_VERSIONS: Final = {
    **dict.fromkeys(("watchword", "curl", "Wget"), _WHOLE),
    **dict.fromkeys(("python-requests", "python-httpx", "Go-http-client"), _NONE),  # that of the library
}
_SAFARI: Final = re.compile(rf"(?:^| )Version/{_MAJOR}\S* (?:Mobile/\S+ )?Safari/")
_SYSTEMS: Final = (
    ("iPhone", "iOS"),
    ("iPod", "iOS"),
    ("iPad", "iPadOS"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("FreeBSD", "FreeBSD"),
    ("OpenBSD", "OpenBSD"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class Browser:
    """Names and numbers, the same in every language; "" for what is not known."""

    name: str
    version: str
    system: str


def _pattern(product: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^| ){re.escape(product)}/(?:{_VERSIONS.get(product, _MAJOR)})?")


_PATTERNS: Final = tuple((_pattern(product), name) for product, name in _PRODUCTS)


@lru_cache(maxsize=512)  # a page shows the same few again and again
def parse_browser(user_agent: str) -> Browser:
    """What `user_agent` says, if it is one that we know."""
    text = user_agent[:_LONGEST]
    system = next((name for word, name in _SYSTEMS if re.search(rf"\b{word}\b", text)), "")
    for pattern, name in _PATTERNS:
        found = pattern.search(text)
        if found is not None:
            return Browser(name, found["version"] or "", system)
    safari = _SAFARI.search(text)
    return Browser("Safari", safari["version"], system) if safari else Browser("", "", system)


def describe_browser(user_agent: str, form: str = "{browser} on {system}") -> str:
    """As in “Firefox 141 on Linux”; "" where nothing is known. `form` is the sentence in the reader's language."""
    found = parse_browser(user_agent)
    browser = f"{found.name} {found.version}".strip()
    if browser and found.system:
        return form.replace("{browser}", browser).replace("{system}", found.system)
    return browser or found.system
