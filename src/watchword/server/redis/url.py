"""What a Redis URL says, and whether the way there is safe: without redis-py, so that a configuration can be judged."""

import ipaddress
from typing import Final
from urllib.parse import parse_qs, urlsplit

OPTIONS: Final = frozenset(
    {
        "db",
        "password",
        "ssl_ca_certs",
        "ssl_cert_reqs",
        "ssl_certfile",
        "ssl_check_hostname",
        "ssl_keyfile",
        "username",
    }
)
"""Of what redis-py reads there. The rest is ours to say: a URL must not make it ask twice or wait for longer."""
_FALSE: Final = frozenset({"0", "f", "false", "n", "no", ""})


def has_unknown_options(url: str) -> bool:
    """Whether something after the `?` means nothing here. Never shown: it may be half of a password with a `?`."""
    return not _options(url).keys() <= OPTIONS


def weakness(url: str) -> str:
    """Why somebody in between could read and change what nodes share; "" where nobody could."""
    parts, options = urlsplit(url), _options(url)
    if parts.scheme == "unix" or _is_here(parts.hostname or ""):
        return ""
    if parts.scheme == "redis":
        return "without TLS (rediss://)"
    if options.get("ssl_cert_reqs", "required") != "required":
        return "with ssl_cert_reqs other than “required”"
    if options.get("ssl_check_hostname", "true").lower() in _FALSE:
        return "without a look at the name in its certificate (ssl_check_hostname)"
    return ""


def _options(url: str) -> dict[str, str]:
    """The first of each name, as redis-py reads it."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
