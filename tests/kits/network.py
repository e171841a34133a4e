"""No test speaks to a machine other than this one: a pytest plugin that refuses it within the test's own process."""

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import pytest

_NAMES = {None, "", "localhost", "ip6-localhost"}


class NetworkError(Exception):
    """A test tried to leave this machine."""


def is_here(host: Any) -> bool:
    """Whether `host`, a name or an address, is loopback."""
    if isinstance(host, bytes):
        host = host.decode()
    if host in _NAMES or str(host).endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _check(place: Any) -> None:
    if isinstance(place, tuple) and not is_here(place[0]):
        raise NetworkError(f"tests stay on this machine, and this one wants {place[0]!r}")


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Addresses beyond loopback are refused, and names are not looked up. Unix sockets have no tuple for an address."""
    connect, connect_ex, sendto = socket.socket.connect, socket.socket.connect_ex, socket.socket.sendto
    getaddrinfo = socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _check(address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _check(address)
        return connect_ex(self, address)

    def guarded_sendto(self: socket.socket, data: Any, *rest: Any) -> int:
        _check(rest[-1])
        return sendto(self, data, *rest)

    def guarded_getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        if not more.get("flags", 0) & socket.AI_NUMERICHOST:
            _check((host,))
        return getaddrinfo(host, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket.socket, "sendto", guarded_sendto)
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        yield
