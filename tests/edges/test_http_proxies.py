"""Whose address a request has: the peer's, or what a trusted proxy appended; never what a caller says of itself."""

import contextlib
import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.errors import InvalidConfigError
from watchword.server.addresses import canonical_address
from watchword.server.http.proxies import MAX_HOPS, NO_PROXIES, Caller, Proxies
from watchword.server.http.sockets import address_of, bind_unix, show_address

TRUSTED = Proxies.of(["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"])
PROXY = ("10.1.2.3", 1000)


def caller(*values: str, peer: tuple[str, int] | None = PROXY, proxies: Proxies = TRUSTED) -> str:
    return proxies.caller(peer, [(b"x-forwarded-for", value.encode("latin-1")) for value in values]).address


@pytest.mark.parametrize(
    ("values", "address"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9, 198.51.100.7"], "198.51.100.7"),  # the left one is the caller's own word
        (["203.0.113.9, 10.9.9.9"], "203.0.113.9"),  # through two proxies of ours
        (["203.0.113.9", "198.51.100.7"], "198.51.100.7"),  # twice is one list
        (["203.0.113.9,10.9.9.9 ,\t192.0.2.1"], "203.0.113.9"),
        (["10.9.9.9, 10.8.8.8"], "10.9.9.9"),  # nobody but ours
        (["::ffff:203.0.113.9"], "203.0.113.9"),
        (["::ffff:10.9.9.9"], "10.9.9.9"),
        (["203.0.113.9, ::ffff:10.9.9.9"], "203.0.113.9"),
        (["2001:DB8:0::1, 2001:db9::0:1"], "2001:db9::1"),
        (["203.0.113.9:4711"], "203.0.113.9"),
        (["[2001:db9::1]:4711"], "2001:db9::1"),
        (["[2001:db9::1]"], "2001:db9::1"),
    ],
)
def test_fault_D8_the_caller_is_the_rightmost_hop_that_is_not_trusted(values, address):
    assert caller(*values) == address


@pytest.mark.parametrize(
    "values",
    [
        [], [""], ["unknown"], ["_hidden"], ["203.0.113.9, "], ["203.0.113.9, unknown"], ["203.0.113.256"],
        ["203.0.113.9 198.51.100.7"], ["fe80::1%eth0"], ["203.0.113.9;"], ["2130706433"], ["0x7f.1"], ["010.0.0.1"],
        ["\xff"], ["1" * 5000], ["203.0.113.9, " + "1" * 5000], ["for=203.0.113.9"], ['"203.0.113.9"'],
        ["[203.0.113.9"], ["203.0.113.9:"], ["10.0.0.1:99999999"],
    ],
)  # fmt: skip
def test_fault_D7_what_is_no_list_of_addresses_changes_nothing(values):
    assert caller(*values) == "10.1.2.3"


def test_a_bad_hop_ends_the_way_back_at_the_last_certain_one():
    assert caller("203.0.113.9, unknown, 10.9.9.9") == "10.9.9.9"


def test_only_so_many_hops_are_looked_at():
    assert caller("203.0.113.9, " + "10.9.9.9, " * 5000 + "198.51.100.7") == "198.51.100.7"
    assert caller("203.0.113.9" + ", 10.9.9.9" * (MAX_HOPS - 1)) == "203.0.113.9"
    assert caller("203.0.113.9" + ", 10.9.9.9" * MAX_HOPS) == "10.9.9.9"


@given(
    st.lists(st.binary(max_size=60), max_size=3), st.sampled_from(["203.0.113.1", "::1", "::ffff:8.8.8.8"])
)
def test_fault_N5_D6_D12_from_anybody_else_no_header_is_believed(values: list[bytes], peer: str):
    headers = [(b"x-forwarded-for", value) for value in values]
    plain = NO_PROXIES.caller((peer, 1), [])
    assert plain.named
    assert TRUSTED.caller((peer, 1), headers) == plain
    assert NO_PROXIES.caller(PROXY, headers) == Caller("10.1.2.3", named=True)
    assert NO_PROXIES.caller(None, headers) == Caller("", named=True)


@given(st.lists(st.sampled_from(["10.9.9.9", "203.0.113.9", "x", "::1", ""]), max_size=6))
def test_the_caller_is_always_one_who_was_named_or_the_peer(hops: list[str]):
    assert caller(", ".join(hops)) in {"10.1.2.3", *hops} - {"x", ""}


@pytest.mark.parametrize(
    ("peer", "values", "named"),
    [
        (PROXY, ["203.0.113.9"], True),
        (PROXY, [], False),
        (PROXY, ["unknown"], False),
        (PROXY, ["10.9.9.9"], False),  # a proxy of ours, which did not tell whom it speaks for
        (PROXY, ["203.0.113.9, unknown, 10.9.9.9"], False),
        (("203.0.113.9", 1), [], True),
        (None, [], True),
    ],
)
def test_a_proxy_that_does_not_name_its_caller_is_told_from_a_caller(peer, values, named):
    headers = [(b"x-forwarded-for", value.encode()) for value in values]
    assert TRUSTED.caller(peer, headers).named is named


@given(st.lists(st.binary(max_size=60), max_size=3), st.sampled_from(["X-Forwarded-For", "Forwarded", "Via"]))
def test_fault_D7_no_header_makes_anything_but_an_address(values: list[bytes], header: str):
    proxies = Proxies.of(["10.0.0.0/8"], header)
    found = proxies.caller(PROXY, [(header.lower().encode(), value) for value in values])
    assert canonical_address(found.address) == found.address != ""
    assert found.named is not proxies.trust(found.address)


def test_where_proxies_introduce_connections_no_header_counts():
    proxies = Proxies.of(["10.0.0.0/8"], None)
    headers = [(b"x-forwarded-for", b"203.0.113.9"), (b"forwarded", b"for=203.0.113.9")]
    assert proxies.caller(PROXY, headers) == Caller("10.1.2.3", named=False)
    assert proxies.caller(("203.0.113.1", 1), headers) == Caller("203.0.113.1", named=True)
    assert proxies.introduces("10.1.2.3")
    assert not proxies.introduces("203.0.113.1")
    assert not TRUSTED.introduces("10.1.2.3")


def test_the_peers_of_a_unix_socket_are_proxies_only_when_the_operator_says_so():
    assert caller("203.0.113.9", peer=None) == ""
    assert caller("203.0.113.9", peer=None, proxies=Proxies.of(["unix"])) == "203.0.113.9"
    assert caller("203.0.113.9", peer=PROXY, proxies=Proxies.of(["unix"])) == "10.1.2.3"


def test_fault_D9_one_named_header_is_read_and_no_other():
    named = Proxies.of(["10.0.0.0/8"], "X-Real-IP")
    headers = [(b"x-forwarded-for", b"203.0.113.9"), (b"forwarded", b"for=203.0.113.9")]
    assert named.caller(PROXY, headers) == Caller("10.1.2.3", named=False)
    assert named.caller(PROXY, [*headers, (b"x-real-ip", b"198.51.100.7")]) == Caller(
        "198.51.100.7", named=True
    )


def test_a_socket_is_closed_to_others_and_gone_at_the_end(tmp_path: Path):
    path = tmp_path / "http.sock"
    with bind_unix(path, mode=0o600, group=None) as bound:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert show_address(address_of(bound)) == f"unix:{path}"
        with (
            pytest.raises(InvalidConfigError, match="another server"),
            bind_unix(path, mode=0o600, group=None),
        ):
            pass
        assert path.exists()
    assert not path.exists()


def test_a_dead_servers_socket_is_replaced_and_a_living_ones_is_not(tmp_path: Path):
    path = tmp_path / "http.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(InvalidConfigError, match="answers"), bind_unix(path, mode=0o600, group=None):
            pass
    with bind_unix(path, mode=0o600, group=None):
        assert stat.S_ISSOCK(path.stat().st_mode)


def _a_file(path: Path) -> None:
    path.write_text("precious")


def _a_directory(path: Path) -> None:
    path.mkdir()


def _a_link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


@pytest.mark.parametrize("make", [_a_file, _a_directory, _a_link])
def test_fault_M7_what_stands_where_the_socket_belongs_is_left_alone(tmp_path: Path, make):
    path = tmp_path / "http.sock"
    make(path)
    with pytest.raises(InvalidConfigError, match="move it away"), bind_unix(path, mode=0o600, group=None):
        pass
    assert os.path.lexists(path)


def test_fault_M7_a_socket_that_cannot_be_made_is_refused_with_a_sentence(tmp_path: Path):
    with pytest.raises(InvalidConfigError, match="No such file"), contextlib.ExitStack() as stack:
        stack.enter_context(bind_unix(tmp_path / "absent" / "http.sock", mode=0o600, group=None))
    path = tmp_path / "http.sock"
    with pytest.raises(InvalidConfigError, match="no group “nobody-has-it”"), contextlib.ExitStack() as stack:
        stack.enter_context(bind_unix(path, mode=0o600, group="nobody-has-it"))
    assert not path.exists()
