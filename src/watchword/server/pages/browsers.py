"""Which browser a `User-Agent` names, as people call it. Whoever sends it may lie: it is a reminder, no proof.

What comes out is put together from our own names and ASCII digits alone, whatever went in.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_LONGEST: Final = 512
"""Characters that are looked at; real ones have less than 300."""
_PRODUCT: Final = re.compile(r"(?:^| )([A-Za-z-]{1,24})/([0-9.]{0,20})")
_WORD: Final = re.compile(r"[A-Za-z]+")
_NUMBER: Final = re.compile(r"[0-9]{1,4}")

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
_WHOLE_VERSION: Final = frozenset({"watchword", "curl", "Wget"})
_NO_VERSION: Final = frozenset({"python-requests", "python-httpx", "Go-http-client"})  # theirs is a library's
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


@lru_cache(maxsize=512)  # a page shows the same few again and again
def parse_browser(user_agent: str) -> Browser:
    """What `user_agent` says, if it is one that we know."""
    text = user_agent[:_LONGEST]
    words = frozenset(_WORD.findall(text))
    system = next((name for word, name in _SYSTEMS if word in words), "")
    said = dict(_PRODUCT.findall(text))
    for product, name in _PRODUCTS:
        if product in said:
            return Browser(name, _version(product, said[product]), system)
    if said.keys() >= {"Version", "Safari"}:
        return Browser("Safari", _version("Version", said["Version"]), system)
    return Browser("", "", system)


def _version(product: str, digits: str) -> str:
    """The number that people know: the first, or the first three; "" for what is none."""
    numbers = digits.split(".")[: 3 if product in _WHOLE_VERSION else 1]
    known = product not in _NO_VERSION and all(map(_NUMBER.fullmatch, numbers))
    return ".".join(numbers) if known else ""


def describe_browser(user_agent: str, form: str = "{browser} on {system}") -> str:
    """As in “Firefox 141 on Linux”; "" where nothing is known. `form` is the sentence in the reader's language."""
    found = parse_browser(user_agent)
    browser = f"{found.name} {found.version}".strip()
    if browser and found.system:
        return form.replace("{browser}", browser).replace("{system}", found.system)
    return browser or found.system


def name_device(user_agent: str) -> str:
    """What a browser is called as a device, as in “Firefox on Linux”: without a version, which changes under it."""
    found = parse_browser(user_agent)
    name = found.name or "Browser"
    return f"{name} on {found.system}" if found.system else name
