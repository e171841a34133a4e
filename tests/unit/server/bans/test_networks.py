"""Networks as operators type them, and which of them are dangerous to ban."""

import pytest

from watchword.errors import MalformedError
from watchword.server.bans.networks import dangers, parse_network, prefix_of, text_of


@pytest.mark.parametrize(
    ("typed", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7/32", "192.0.2.7"),
        (" 192.0.2.0/24 ", "192.0.2.0/24"),
        ("2001:DB8:0:0::/48", "2001:db8::/48"),
        ("2001:db8::7/128", "2001:db8::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_a_network_has_one_spelling(typed: str, network: str) -> None:
    assert parse_network(typed) == network
    assert text_of(prefix_of(network)) == network


@pytest.mark.parametrize(
    "typed", ["", "192.0.2", "192.0.2.7/24", "300.1.1.1", "::1%lo", "ada", "1.2.3.4/33", "010.0.0.1"]
)
def test_what_is_no_network_is_malformed(typed: str) -> None:
    with pytest.raises(MalformedError, match="is no address or network"):
        parse_network(typed)


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
