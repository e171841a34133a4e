"""Whether the way to PostgreSQL is safe, as its URL says: without asyncpg, so that a configuration can be judged.

Left alone, asyncpg tries TLS, checks no certificate, and goes on in plain text where there is none. That is right for a
socket of this machine only.
"""

import ipaddress
import os
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from watchword.errors import InvalidConfigError

SAFE_MODE: Final = "verify-full"
_HOST_VARIABLE: Final = "PGHOST"
_SERVICE_VARIABLE: Final = "PGSERVICE"
_SOMEWHERE: Final = "a service file"


def check_transport(url: str, environ: Mapping[str, str] = os.environ) -> None:
    """Raise `InvalidConfigError` when `url` leads off this machine and does not say how TLS is checked."""
    host = next(far_hosts(url, environ), None)
    if host is not None and ssl_mode(url) is None:
        raise InvalidConfigError(
            f"database: {host} is reached over the network, and the URL does not say how: end it with"
            f" “?sslmode={SAFE_MODE}&sslrootcert=FILE”, where FILE holds the CA of its certificate."
        )


def ssl_mode(url: str) -> str | None:
    """What the URL says; the last one counts."""
    return _query(url).get("sslmode")


def far_hosts(url: str, environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """The hosts beyond this machine that asyncpg may try for `url`: from its authority, its query, or `PGHOST`."""
    # As asyncpg cuts it: at the first “@”, though a password may hold another.
    authority = urlsplit(url).netloc
    user, at, rest = authority.partition("@")
    query = _query(url)
    named = (rest if at else user).split(",")
    quoted = named != [""]
    if named == [""]:
        named = query.get("host", "").split(",")
    if named == [""] and (query.get("service") or environ.get(_SERVICE_VARIABLE)):
        named = [_SOMEWHERE]
    if named == [""]:
        named = environ.get(_HOST_VARIABLE, "").split(",")
    if named != [""]:  # else a socket of this machine, or its loopback
        hosts = (unquote(host) if quoted else host for host in map(_without_port, named))
        yield from (host for host in hosts if not _is_here(host))


def _query(url: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}


def _without_port(place: str) -> str:
    if place.startswith("/"):
        return place
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return place.partition(":")[0]


def _is_here(host: str) -> bool:
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
