"""Tests stay on this machine."""

import socket

import pytest
from tests.kits.network import NetworkError, is_here


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "app.localhost", b"127.0.0.1"]
)
def test_loopback_is_here(host: str | bytes) -> None:
    assert is_here(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "example.org", "10.0.0.1", "localhost.example"])
def test_other_machines_are_not(host: str) -> None:
    assert not is_here(host)


def test_a_connection_and_a_lookup_are_refused() -> None:
    with socket.socket() as made, pytest.raises(NetworkError):
        made.connect(("192.0.2.1", 80))
    with socket.socket() as made, pytest.raises(NetworkError):
        made.connect_ex(("192.0.2.1", 80))
    with socket.socket(type=socket.SOCK_DGRAM) as made, pytest.raises(NetworkError):
        made.sendto(b"x", ("192.0.2.1", 53))
    with pytest.raises(NetworkError):
        socket.getaddrinfo("example.org", 80)


def test_loopback_works() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        assert server.getsockname()[1] > 0
