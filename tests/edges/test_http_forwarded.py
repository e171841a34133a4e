"""`Forwarded` (RFC 7239): what the proxy next to us wrote is read, whatever a caller wrote before it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.server.http.forwarded import MAX_ELEMENT, nodes_from_right
from watchword.server.http.proxies import MAX_HOPS, Caller, Proxies

TRUSTED = Proxies.of(["10.0.0.0/8", "2001:db8::/32"], "Forwarded")
PROXY = ("10.1.2.3", 1000)


def caller(*values: str) -> str:
    return TRUSTED.caller(PROXY, [(b"forwarded", value.encode("latin-1")) for value in values]).address


@pytest.mark.parametrize(
    ("values", "address"),
    [
        (["for=203.0.113.9"], "203.0.113.9"),
        (["For=203.0.113.9;Proto=https;BY=10.1.2.3"], "203.0.113.9"),
        (["proto=https;for=203.0.113.9"], "203.0.113.9"),
        ([";;for=203.0.113.9;"], "203.0.113.9"),
        (['for="203.0.113.9"'], "203.0.113.9"),
        (['for="203.0.113.9:4711"'], "203.0.113.9"),
        (['for="203.0.113.9:_hidden"'], "203.0.113.9"),
        (['for="[2001:DB9:0::1]:4711"'], "2001:db9::1"),
        (['for="[::ffff:203.0.113.9]"'], "203.0.113.9"),
        (['for="203.0.\\113.9"'], "203.0.113.9"),
        (['host="a,for=198.51.100.7;b";for=203.0.113.9'], "203.0.113.9"),
        (['for=203.0.113.9;host="a\\",for=198.51.100.7"'], "203.0.113.9"),
        (["for=198.51.100.7, for=203.0.113.9"], "203.0.113.9"),
        (["for=198.51.100.7", "for=203.0.113.9"], "203.0.113.9"),
        (['for=203.0.113.9 ,\tfor=10.9.9.9,for="[2001:db8::9]:1"'], "203.0.113.9"),
    ],
)
def test_the_caller_is_the_rightmost_hop_that_is_not_trusted(values, address):
    assert caller(*values) == address


@pytest.mark.parametrize(
    "value",
    [
        "", "for=", "for", "=203.0.113.9", "203.0.113.9", 'for="_x"', "for=_hidden", "for=unknown", "for=UNKNOWN",
        "for=203.0.113.256", "for=0x7f.1", "for=010.0.0.1", "for=2130706433", "for=[2001:db9::1]",
        "for=2001:db9::1", 'for="2001:db9::1"', "for=203.0.113.9:4711", 'for="203.0.113.9:"',
        'for="203.0.113.9:123456"',
        'for="[2001:db9::1"', 'for="[fe80::1%eth0]"', "for = 203.0.113.9", "for=203.0.113.9; proto=https",
        "for=203.0.113.9 ;proto=https", "for=203.0.113.9;for=203.0.113.9", "for=203.0.113.9;FOR=198.51.100.7",
        'for="203.0.113.9', 'for=203.0.113.9"', 'for="203.0.113.9\\"', "for='203.0.113.9'", "proto=https",
        "for=203.0.113.9,", "for=203.0.113.9;a", "for=203.0.113.9;\xe4=1", "for=" + "1" * 2000,
        f"for=203.0.113.9;x={'y' * MAX_ELEMENT}", '"' * 3000, "\\" * 3000, 'a="' + "\\" * 3000,
    ],
)  # fmt: skip
def test_fault_D7_what_names_nobody_counts_for_the_nearest_certain_hop(value: str):
    assert caller(value) == "10.1.2.3"
    assert caller(f"{value}, for=10.9.9.9") == "10.9.9.9"
    assert not TRUSTED.caller(PROXY, [(b"forwarded", value.encode("latin-1"))]).named


FORGED = [
    'for="',
    'for=198.51.100.7;x="',
    'for="\\',
    "\\",
    '"',
    '""',
    'x="a\\"',
    ",",
    "for=198.51.100.7",
    "\xff",
    ";",
]


@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize("real", ["for=203.0.113.9", 'for="203.0.113.9:1";by="[2001:db8::1]"'])
def test_fault_D8_nothing_that_a_caller_wrote_first_swallows_what_its_proxy_wrote(forged: str, real: str):
    for between in (",", ", "):
        assert caller(f"{forged}{between}{real}") == "203.0.113.9"
    assert caller(forged, real) == "203.0.113.9"


@given(st.binary(max_size=200))
def test_fault_D12_whatever_a_caller_writes_its_proxy_has_the_last_word(forged: bytes):
    listed = forged + b', for="203.0.113.9:4711";host="id.example.org"'
    assert TRUSTED.caller(PROXY, [(b"forwarded", listed)]) == Caller("203.0.113.9", named=True)


_TOKENS = st.text("abcXYZ0189!#$%&'*+.^_`|~-", min_size=1, max_size=8)
_TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(
    st.lists(
        st.tuples(
            st.ip_addresses(),
            st.dictionaries(
                _TOKENS.filter(lambda name: name.lower() != "for").map(str.lower), _TEXTS, max_size=3
            ),
            st.booleans(),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_written_by_the_grammar_is_read_back(elements):
    written = []
    for address, others, first in elements:
        named = f'for="{address}"' if address.version == 4 else f'for="[{address}]:1"'
        pairs = [f"{name}={_quoted(value)}" for name, value in others.items()]
        written.append(";".join([named, *pairs] if first else [*pairs, named]))
    found = list(nodes_from_right(", ".join(written).encode()))
    assert found == [str(address) for address, _, _ in reversed(elements)]


@given(st.binary(max_size=300))
def test_fault_A7_any_bytes_end_in_addresses_or_nothing(value: bytes):
    found = list(nodes_from_right(value))
    assert all(found[:-1])
    assert len(found) <= value.count(b",") + 1


def test_only_so_many_hops_are_looked_at():
    assert caller("for=203.0.113.9" + ",for=10.9.9.9" * (MAX_HOPS - 1)) == "203.0.113.9"
    assert caller("for=203.0.113.9" + ",for=10.9.9.9" * 1000) == "10.9.9.9"
