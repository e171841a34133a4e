"""The audience of a token: the origin of an application, in one spelling (RFC 6454, section 6.2).

An audience is compared byte for byte, so whoever asks for a token and whoever demands one must arrive at the
same text. What another reader of URLs might take for another host is refused, not repaired.
"""

import re
from typing import Final

from watchword.errors import MalformedError

_MAX_URL: Final = 2048
_MAX_HOST: Final = 253  # RFC 1035
_MAX_LABEL: Final = 63
_MAX_PORT: Final = 65535
# No space, control character or backslash: readers disagree about what follows them.
_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z]+)://(?P<authority>[^/?#\s\\\x00-\x20\x7f]+)(?:[/?#][^\s\\\x00-\x20\x7f]*)?\Z"
)
_AUTHORITY: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:@\[\]]+)(?::(?P<port>[1-9][0-9]{0,4}))?\Z")
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\Z")
_NUMERIC_LABEL: Final = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_DEVIATIONS: Final = frozenset(
    "\u00df\u03c2\u200c\u200d"
)  # IDNA 2003 and 2008 read these differently (UTS #46)


def audience_of(url: str) -> str:
    """The origin of `url`: "https://host" or "https://host:port"; http only where the host is this machine.

    Raises:
        MalformedError: no such URL, another scheme, user information, or a host with more than one reading.
    """
    found = _URL.match(url) if len(url) <= _MAX_URL else None
    if found is None:
        raise MalformedError("not a URL of the form https://host[:port]/…")
    scheme = found["scheme"].lower()
    authority = _AUTHORITY.match(found["authority"])
    if scheme not in _DEFAULT_PORTS or authority is None:
        raise MalformedError("an audience is https://host[:port], without user information")
    host = _host(authority["host"])
    if scheme == "http" and not is_loopback(host):
        raise MalformedError("http is for this machine alone: use https")
    return f"{scheme}://{host}{_port(authority['port'], scheme)}"


def is_loopback(host: str) -> bool:
    """Whether a canonical host names the machine itself (RFC 6761, section 6.3)."""
    return host == "localhost" or host.endswith(".localhost") or host == "[::1]" or _is_loopback_ipv4(host)


def _is_loopback_ipv4(host: str) -> bool:
    return re.match(r"127(?:\.[0-9]{1,3}){3}\Z", host) is not None


def _port(port: str | None, scheme: str) -> str:
    if port is None or int(port) == _DEFAULT_PORTS[scheme]:
        return ""
    if int(port) > _MAX_PORT:
        raise MalformedError("a port is at most 65535")
    return f":{port}"


def _host(text: str) -> str:
    if text.startswith("["):
        return _ipv6(text[1:-1])
    labels = [_label(label) for label in text.split(".")]
    host = ".".join(labels)
    if len(host) > _MAX_HOST:
        raise MalformedError("the host name is too long")
    return _ipv4(host) if _NUMERIC_LABEL.match(labels[-1]) else host


def _label(label: str) -> str:
    ascii_label = label.lower() if label.isascii() else _a_label(label)
    if len(ascii_label) > _MAX_LABEL or not _LABEL.match(ascii_label):
        raise MalformedError("not a host name")
    return ascii_label


def _a_label(label: str) -> str:
    """Punycode of a label that every version of IDNA reads alike; what one would change is refused."""
    from encodings.idna import nameprep  # noqa: PLC0415  # rarely needed; its tables are slow to load
    from unicodedata import normalize  # noqa: PLC0415  # as above

    lowered = label.lower()
    try:
        # of the label itself too, since lowering a compatibility sign (the Kelvin sign) may hide that it was one
        unchanged = normalize("NFKC", label) == label and nameprep(lowered) == lowered
    except UnicodeError:
        unchanged = False
    if (
        not unchanged
        or _DEVIATIONS & set(lowered)
        or not all(sign == "-" or sign.isalnum() for sign in lowered)
    ):
        raise MalformedError("not a host name that everybody reads alike: write it as xn--…")
    return "xn--" + lowered.encode("punycode").decode()


def _ipv4(host: str) -> str:
    """Four decimal numbers. Other spellings of an address (0x7f.1, 2130706433) are refused."""
    from ipaddress import IPv4Address  # noqa: PLC0415  # as above

    try:
        return str(IPv4Address(host))
    except ValueError:
        raise MalformedError("not an address") from None


def _ipv6(text: str) -> str:
    from ipaddress import IPv6Address  # noqa: PLC0415  # as above

    try:
        address = IPv6Address(text)
    except ValueError:
        raise MalformedError("not an address") from None
    if address.ipv4_mapped is not None:
        raise MalformedError("write an IPv4 address as one")
    return f"[{address}]"
