"""One form for an address, one idea of whom it counts for, and what is kept of it."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.core.secret import Secret
from watchword.errors import MalformedError
from watchword.server.addresses import (
    KEYED,
    WHOLE,
    AddressForm,
    KeptAddresses,
    canonical_address,
    network_48,
    parse_network,
    source_bytes,
    source_of,
)

KEY = Secret(bytes(range(32)))
TRUNCATED = AddressForm.of(KeptAddresses.TRUNCATED, KEY)
HASHED = AddressForm.of(KeptAddresses.KEYED, KEY)


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix", ""),
    ],
)
def test_a_network_of_64_bits_is_one_source(address: str, source: str):
    assert source_of(address) == source


def test_only_ipv6_has_a_network_of_48_bits():
    assert network_48("2001:db8:1:2ff::1") == "2001:db8:1::/48"
    assert network_48("192.0.2.1") == network_48("::ffff:192.0.2.1") == network_48("") == ""


def test_sources_have_the_bytes_that_short_keys_hold():
    assert source_bytes("192.0.2.1") == source_bytes("::ffff:192.0.2.1") == bytes((192, 0, 2, 1))
    assert source_bytes("2001:db8::1") == bytes.fromhex("20010db800000000")
    assert source_bytes("") == b""


def test_fault_D10_a_thousand_addresses_of_one_64_are_one_source_and_a_thousand_64s_one_48():
    same = {source_of(f"2001:db8:1:2::{number:x}") for number in range(1000)}
    networks = [f"2001:db8:1:{number:x}::1" for number in range(1000)]
    assert same == {"2001:db8:1:2::/64"}
    assert len({source_of(each) for each in networks}) == 1000
    assert {network_48(each) for each in networks} == {"2001:db8:1::/48"}


@given(st.ip_addresses())
def test_all_ways_to_write_an_address_are_one_source(address: ipaddress.IPv4Address | ipaddress.IPv6Address):
    spelled = {str(address), address.exploded, str(address).upper(), f" {address}".strip()}
    if address.version == 4:
        spelled.add(f"::ffff:{address}")
    assert len({canonical_address(each) for each in spelled}) == 1
    assert len({source_of(each) for each in spelled}) == 1


def test_whole_addresses_stay_as_they_are():
    assert WHOLE.show("192.0.2.7") == "192.0.2.7"
    assert AddressForm.of(KeptAddresses.WHOLE, KEY) == WHOLE


def test_truncated_addresses_keep_their_network():
    assert TRUNCATED.show("192.0.2.7") == "192.0.2.0/24"
    assert TRUNCATED.show("2001:db8:1:2:3::4") == "2001:db8:1::/48"


def test_keyed_addresses_tell_the_same_from_another_and_nothing_more():
    one = HASHED.show("2001:db8:1:2::1")
    assert one.startswith(KEYED)
    assert len(one) == len(KEYED) + 16
    assert one == HASHED.show("2001:db8:1:2::ffff") != HASHED.show("2001:db8:1:3::1")
    assert one == AddressForm.of(KeptAddresses.KEYED, KEY).show("2001:db8:1:2::1")
    assert one != AddressForm.of(KeptAddresses.KEYED, Secret(bytes(32))).show("2001:db8:1:2::1")


@pytest.mark.parametrize("form", [WHOLE, TRUNCATED, HASHED])
def test_no_address_is_shown_as_none(form: AddressForm):
    assert form.show("") == ""


@given(st.ip_addresses())
def test_what_is_not_kept_whole_never_holds_the_address(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
):
    text = canonical_address(str(address))
    kept = TRUNCATED.show(text)
    assert ipaddress.ip_address(text) in ipaddress.ip_network(kept)
    assert text not in HASHED.show(text)


def test_the_key_of_the_keyed_form_is_never_shown():
    assert "0102" not in repr(HASHED)
    with pytest.raises(ValueError, match="key"):
        AddressForm(KeptAddresses.KEYED).show("192.0.2.7")


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
        ("::ffff:0:0/96", "0.0.0.0/0"),
    ],
)
def test_a_network_has_one_spelling(typed: str, network: str):
    assert parse_network(typed) == network


@pytest.mark.parametrize(
    "typed", ["", "192.0.2", "192.0.2.7/24", "300.1.1.1", "::1%lo", "ada", "1.2.3.4/33", "010.0.0.1"]
)
def test_what_is_no_network_is_malformed(typed: str) -> None:
    with pytest.raises(MalformedError, match="is no address or network"):
        parse_network(typed)
