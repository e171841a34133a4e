"""Networks as leading bits, and which of them are dangerous to ban."""

import pytest

from watchword.server.bans.networks import dangers, text_of
from watchword.server.prefixes import prefix_of


@pytest.mark.parametrize(
    "network", ["192.0.2.7", "192.0.2.0/24", "2001:db8::/48", "2001:db8::7", "0.0.0.0/0"]
)
def test_a_network_is_the_same_as_leading_bits(network: str) -> None:
    assert text_of(prefix_of(network)) == network


@pytest.mark.parametrize(
    ("network", "danger"),
    [
        ("0.0.0.0/0", "everybody"),
        ("::/0", "everybody"),
        ("64.0.0.0/7", "a good part"),
        ("2001:c00::/31", "a good part"),
        ("127.0.0.1", "this machine"),
        ("127.0.0.0/8", "this machine"),
        ("::1", "this machine"),
        ("198.51.100.0/24", "your own address 198.51.100.9"),
        ("198.51.100.9", "your own address 198.51.100.9"),
    ],
)
def test_fault_D20_what_may_be_a_mistake_is_known(network: str, danger: str) -> None:
    assert danger in "; ".join(dangers(network, "198.51.100.9"))


@pytest.mark.parametrize("network", ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "2001:db8:1:2::/64"])
def test_an_ordinary_network_is_no_danger(network: str) -> None:
    assert dangers(network, "198.51.100.9") == []
    assert dangers(network) == []
