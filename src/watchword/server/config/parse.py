"""One parser for each kind of value. Each raises `MalformedError` with what to write instead."""

import enum
import ipaddress
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from watchword.core.secret import Secret
from watchword.errors import MalformedError
from watchword.server.addresses import parse_network
from watchword.server.config.model import HTTPS_PORT, DatabaseURL, Listen, RedisURL, UnixListen
from watchword.server.http.proxies import UNIX
from watchword.server.http.sockets import UNIX_SCHEME
from watchword.server.limits.model import Rate
from watchword.server.redis.url import OPTIONS, has_unknown_options
from watchword.server.unix_socket import MAX_PATH

Parser = Callable[[Any], Any]
Choice = TypeVar("Choice", bound=enum.StrEnum)

_AUTO: Final = "auto"
_MAX_PORT: Final = 65535
_MAX_TEXT: Final = 2048
_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_MAX_NAME: Final = 253
_DIGITS: Final = re.compile(r"[0-9]{1,9}")
_RATIO: Final = re.compile(r"[01](?:\.[0-9]{1,9})?")
_SWITCH: Final = {"true": True, "false": False}
_PLACEHOLDER: Final = re.compile(r"\$\{|\$\(|<[^>]*>|\{\{")
_MODE: Final = re.compile(r"[0-7]{3}")
_OTHERS: Final = 0o007
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_RATE: Final = re.compile(r"([0-9]{1,9})/([0-9]{1,9})([smh])")
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600}
_MAX_ALLOWED: Final = 10_000
_MAX_BURST: Final = 1_000_000
_MAX_WINDOW_S: Final = 86_400
_EVERYBODY: Final = frozenset({"*", "all", "any", "true", "yes"})
_LEAST_PREFIX: Final = {4: 8, 6: 7}
"""Bits: the widest networks that are anybody's own, 10.0.0.0/8 and fc00::/7."""
_DEFAULT_PASSWORDS: Final = frozenset(
    {
        "",
        "admin",
        "change-me",
        "change_me",
        "changeme",
        "example",
        "password",
        "postgres",
        "secret",
        "watchword",
    }
)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise MalformedError(f"is {_kind(value)}; it must be text in quotes")
    if not value.strip():
        raise MalformedError("is empty; remove it for the default")
    if len(value) > _MAX_TEXT or not value.isprintable():
        raise MalformedError(f"is longer than {_MAX_TEXT} characters, or holds some that do not print")
    return value


def _kind(value: Any) -> str:
    names: dict[type, str] = {bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "a table" if isinstance(value, dict) else type(value).__name__)


def parse_path(value: Any) -> Path:
    return Path(_text(value)).expanduser()


def parse_port(text: str) -> int:
    if not _DIGITS.fullmatch(text) or int(text) > _MAX_PORT:
        raise MalformedError(f"has no port from 0 to {_MAX_PORT}")
    return int(text)


def parse_listen(value: Any) -> Listen | UnixListen:
    """`HOST:PORT` or `unix:PATH`. A name other than localhost is refused: it may change, or stand for several."""
    text = _text(value)
    if text.startswith(UNIX_SCHEME):
        return UnixListen(_parse_socket(text.removeprefix(UNIX_SCHEME)))
    return parse_host_port(text)


def parse_host_port(value: Any) -> Listen:
    """`HOST:PORT`, as in `parse_listen`."""
    text = _text(value)
    host, separator, port = text.rpartition(":")
    if not separator:
        raise MalformedError("is not HOST:PORT, like 127.0.0.1:8443 or [::1]:8443, nor unix:/PATH")
    bracketed = host.startswith("[") and host.endswith("]")
    if host == "localhost":
        return Listen(host, parse_port(port))
    try:
        address = ipaddress.IPv6Address(host[1:-1]) if bracketed else ipaddress.IPv4Address(host)
    except ValueError:
        hint = "write IPv6 addresses in brackets" if ":" in host else "give an IP address or localhost"
        raise MalformedError(f"“{host}” is not an address: {hint}") from None
    if "%" in host:
        raise MalformedError("names a network interface: give an address without “%”")
    return Listen(str(address), parse_port(port))


def _parse_socket(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute() or path.name in {"", ".", ".."}:
        raise MalformedError("names no socket: write its whole path, like unix:/run/watchword/http.sock")
    if len(os.fsencode(path)) > MAX_PATH:
        raise MalformedError(f"has a path longer than {MAX_PATH} bytes, which no Unix socket can have")
    return path


class Mode(int):
    """Permission bits, shown as they are written."""

    def __str__(self) -> str:
        return f"{int(self):03o}"


def parse_mode(value: Any) -> Mode:
    """Permission bits of a socket, in octal digits. Others on the machine never get any."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value)
    if not _MODE.fullmatch(text):
        raise MalformedError("is not three octal digits, like 660")
    mode = Mode(text, 8)
    if mode & _OTHERS:
        raise MalformedError(
            "lets everybody on this machine pretend to be the proxy: end it with 0, and set the group"
        )
    return mode


def parse_name(value: Any) -> str:
    return _text(value).strip()


def parse_proxies(value: Any) -> tuple[str, ...]:
    """Addresses, networks and "unix". What would trust everybody is refused."""
    return tuple(dict.fromkeys(_parse_proxy(_text(item).strip()) for item in _items(value, "addresses")))


def _parse_proxy(text: str) -> str:
    if text == UNIX:
        return text
    if text.lower() in _EVERYBODY:
        raise MalformedError(f"holds “{text}”, which would let everybody choose an address: name the proxies")
    found = parse_network(text)
    network = ipaddress.ip_network(found)
    if network.prefixlen < _LEAST_PREFIX[network.version]:
        raise MalformedError(f"holds “{text}”, which is wider than any network of proxies: name them")
    return found


def parse_header(value: Any) -> str:
    """The name of one header that lists addresses."""
    text = _text(value)
    if not _HEADER.fullmatch(text):
        raise MalformedError("is not the name of a header, like X-Forwarded-For")
    return text


def parse_origin(value: Any) -> str:
    """`https://host` or `https://host:port`, in the one spelling that browsers send."""
    text = _text(value)
    if text.lower().startswith("http://"):
        raise MalformedError(
            "is plain http; an origin is https:// (behind a proxy too: it is what callers see)"
        )
    if not text.startswith("https://"):
        raise MalformedError("is not an origin: write https://host or https://host:port, in lower case")
    return f"https://{parse_authority(text.removeprefix('https://'))}"


def parse_authority(text: str) -> str:
    """A lower-case host with an optional port, as it stands in a `Host` header and in an origin."""
    if not text.isascii():
        raise MalformedError("has characters beyond ASCII: write the host in its xn-- form")
    parts = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?", text)
    if parts is None:
        raise MalformedError("is a host and a port, without user, path or “/” at the end")
    host = _canonical_host(parts[1])
    if host != parts[1]:
        raise MalformedError(f"has the host in another spelling than callers send: write {host}")
    if parts[2] is None:
        return host
    port = parse_port(parts[2])
    if not port or str(port) != parts[2]:
        raise MalformedError("has a port that is not from 1 to 65535")
    if port == HTTPS_PORT:
        raise MalformedError("names port 443, which is the default: leave “:443” away")
    return f"{host}:{port}"


def _canonical_host(text: str) -> str:
    try:
        if text.startswith("["):
            return f"[{ipaddress.IPv6Address(text[1:-1])}]"
        if text.replace(".", "").isdigit():
            return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise MalformedError("holds no valid IP address") from None
    host = text.lower()
    if len(host) > _MAX_NAME or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise MalformedError("holds no valid host name")
    return host


def parse_hosts(value: Any) -> tuple[str, ...]:
    """A list in the file; separated by commas in a variable."""
    return tuple(parse_authority(_text(item).strip()) for item in _items(value, "hosts"))


def _items(value: Any, what: str) -> list[Any]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list):
        raise MalformedError(f"is {_kind(value)}; it must be a list of {what}")
    return items


def parse_database(value: Any) -> DatabaseURL:
    """A PostgreSQL URL. Its text never appears in an error: it may hold a password."""
    text = _text(value)
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"postgresql", "postgres"} and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise MalformedError("is not a postgresql://user@host/name URL (leave it away for SQLite)")
    if _PLACEHOLDER.search(text):
        raise MalformedError("holds a placeholder where a secret should stand; nothing is filled in here")
    asked = [parts.password, *(value for name, value in parse_qsl(parts.query, True) if name == "password")]
    if any(found is not None and unquote(found).lower() in _DEFAULT_PASSWORDS for found in asked):
        raise MalformedError("holds no password or one that everybody knows; set another in PostgreSQL")
    return DatabaseURL(Secret.from_text(text))


def parse_redis(value: Any) -> RedisURL:
    """A Redis URL. Its text never appears in an error: it may hold a password."""
    text = _text(value)
    try:
        parts = urlsplit(text)
        good = (
            parts.scheme in {"redis", "rediss"}
            and bool(parts.hostname)
            and (parts.port is None or parts.port > 0)
        )
        good = good or (parts.scheme == "unix" and parts.path.startswith("/"))
    except ValueError:
        good = False
    if not good:
        raise MalformedError("is not a redis://host:6379, rediss://host:6379 (TLS) or unix:///path URL")
    if _PLACEHOLDER.search(text):
        raise MalformedError("holds a placeholder where a secret should stand; nothing is filled in here")
    if has_unknown_options(text):
        raise MalformedError(f"has other options than {', '.join(sorted(OPTIONS))}")
    return RedisURL(Secret.from_text(text))


def parse_rate(value: Any) -> Rate:
    """`COUNT/TIME`, like 300/60s, 30/15m or 1000/1h."""
    found = _RATE.fullmatch(_text(value))
    if found is None:
        raise MalformedError("is not COUNT/TIME, like 300/60s, 30/15m or 1000/1h")
    burst, window_s = int(found[1]), int(found[2]) * _UNITS_S[found[3]]
    if not 1 <= burst <= _MAX_BURST or not 1 <= window_s <= _MAX_WINDOW_S:
        raise MalformedError(f"must be from 1 to {_MAX_BURST:,} requests, in 1 second to 24 hours")
    return Rate(burst, window_s * 1000)


def parse_allowed(value: Any) -> tuple[str, ...]:
    """Addresses and networks; an empty list is good."""
    items = [] if isinstance(value, str) and not value.strip() else _items(value, "addresses and networks")
    if len(items) > _MAX_ALLOWED:
        raise MalformedError(f"holds {len(items):,} addresses and networks: {_MAX_ALLOWED:,} at most")
    return tuple(dict.fromkeys(_parse_allowed(_text(item).strip()) for item in items))


def _parse_allowed(text: str) -> str:
    found = parse_network(text)
    if found.endswith("/0"):
        raise MalformedError(f"holds “{text}”, which is everybody: set bans.policy = “off” instead")
    return found


def parse_whole_or(word: str, least: int, most: int) -> Parser:
    """As `parse_whole`; `word` gives None."""
    whole = parse_whole(least, most)

    def parse(value: Any) -> int | None:
        if value == word:
            return None
        try:
            number: int = whole(value)
        except MalformedError as error:
            raise MalformedError(f'{error.detail}, or "{word}"') from None
        return number

    return parse


def parse_whole(least: int, most: int) -> Parser:
    """A parser of whole numbers in a range; digits in a variable."""

    def parse(value: Any) -> int:
        number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
        if isinstance(number, bool) or not isinstance(number, int):
            raise MalformedError(
                f"is {'text' if isinstance(value, str) else _kind(value)}; it must be a whole number"
            )
        if not least <= number <= most:
            raise MalformedError(f"is {number}; it must be from {least} to {most}")
        return number

    return parse


def parse_switch(value: Any) -> bool:
    """True or false; the words in a variable."""
    found = _SWITCH.get(value) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise MalformedError("is neither true nor false")
    return found


def parse_collector(value: Any) -> str:
    """An http or https URL without user and password: what is secret would show where the value is shown."""
    text = _text(value)
    try:
        parts = urlsplit(text)
        good = (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        good = False
    if not good:
        raise MalformedError("is not a URL like http://127.0.0.1:4318/v1/traces")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise MalformedError("holds a user, a query or a fragment: give the plain URL")
    return text


def parse_ratio(value: Any) -> float:
    """A number from 0 to 1; digits in a variable."""
    if isinstance(value, str) and _RATIO.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise MalformedError("is not a number from 0 to 1, like 0.01")
    return float(value)


def parse_whole_or_auto(least: int, most: int) -> Parser:
    """As `parse_whole`; "auto" gives None."""
    return parse_whole_or(_AUTO, least, most)


def parse_choice(kind: type[Choice]) -> Parser:
    """A parser of one word of an enumeration."""
    words = [member.value for member in kind]

    def parse(value: Any) -> Choice:
        text = _text(value)
        if text not in words:
            raise MalformedError(f"is “{text}”; it must be one of {', '.join(words)}")
        return kind(text)

    return parse
