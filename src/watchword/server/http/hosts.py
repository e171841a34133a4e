"""Which names we answer to. Whatever we say of ourselves comes from the configured origin, never from a request."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from watchword.errors import InvalidConfigError, MalformedError, MisdirectedError

_ORIGIN: Final = re.compile(r"https://((?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?)")
_AUTHORITY: Final = re.compile(rb"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_DEFAULT_PORT: Final = ":443"


def _authorities(host: str) -> tuple[str, ...]:
    """Both spellings where the port is that of https."""
    if host.endswith(_DEFAULT_PORT):
        return host, host.removesuffix(_DEFAULT_PORT)
    has_port = not host.endswith("]") and host.rpartition(":")[1] != ""
    return (host,) if has_port else (host, host + _DEFAULT_PORT)


def _is_loopback(authority: str) -> bool:
    return any(authority == name or authority.startswith(f"{name}:") for name in _LOOPBACK)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPolicy:
    """`hosts` in lower case as they stand in `Host`; `origins` as browsers write them in `Origin`."""

    origin: str
    hosts: frozenset[bytes]
    origins: frozenset[bytes]
    transport_security: bool
    """Whether browsers are told to keep to https for this host."""

    @classmethod
    def of(cls, origin: str, *, port: int | None, extra: Iterable[str] = ()) -> Self:
        """For the public `origin`, the loopback names with the `port` we listen on, and `extra` authorities.

        Without a port (a Unix socket) the loopback names stand alone.

        Raises `InvalidConfigError` unless each is an https origin, or a host with an optional port, in lower case.
        """
        texts = [
            origin,
            *(f"https://{name}" if port is None else f"https://{name}:{port}" for name in _LOOPBACK),
            *(f"https://{name}" for name in extra),
        ]
        found = [_ORIGIN.fullmatch(text) for text in texts]
        if None in found:
            raise InvalidConfigError(
                "an origin is https://host or https://host:port, in lower case, and no path"
            )
        spellings = [spelling for match in found if match for spelling in _authorities(match[1])]
        return cls(
            origin=origin,
            hosts=frozenset(spelling.encode() for spelling in spellings),
            origins=frozenset(f"https://{spelling}".encode() for spelling in spellings),
            transport_security=not _is_loopback(spellings[0]),
        )

    def check(self, host: bytes | None) -> None:
        """Raise `MalformedError` for what is no authority (none, userinfo), `MisdirectedError` for another's."""
        if host in self.hosts:
            return
        if host is None or not _AUTHORITY.fullmatch(host):
            raise MalformedError("Host is missing or malformed")
        if host.lower() not in self.hosts:
            raise MisdirectedError

    def is_own_origin(self, origin: bytes) -> bool:
        return origin in self.origins
