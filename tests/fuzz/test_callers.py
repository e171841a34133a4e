"""Who calls, by whatever a header or the first bytes of a connection say: an address, or nobody; never an error."""

import ipaddress
import re

from hypothesis import example, given
from hypothesis import strategies as st
from tests.kits.fuzzing import ANY_BYTES, bytes_for, fuzzed
from tests.kits.introductions import introduce

from watchword.errors import MalformedError
from watchword.server.http.proxies import Caller, Proxies
from watchword.server.http.proxy_v2 import SIGNATURE, parse_introduction

PROXY = "10.1.2.3"
_LIST = b'for=203.0.113.9;by="[2001:db8::1]:443", for="[2001:db9::7]";host="a,b";proto=https,for=10.9.9.9'
_CHAIN = b"203.0.113.9, 10.9.9.9, [2001:db9::7]:443, ::ffff:10.8.8.8, 10.7.7.7:1"
_SHOWN = re.compile(r"[0-9a-f:.]{2,39}")


def _check(header: str, values: list[bytes]) -> Caller:
    proxies = Proxies.of(["10.0.0.0/8", "2001:db8::/32"], header)
    found = proxies.caller((PROXY, 1), [(header.lower().encode(), value) for value in values])
    assert str(ipaddress.ip_address(found.address)) == found.address
    assert _SHOWN.fullmatch(found.address)
    assert found.named is not proxies.trust(found.address)
    return found


@fuzzed()
@given(st.lists(ANY_BYTES | bytes_for(_LIST), max_size=3))
def test_fault_A15_forwarded_gives_an_address_and_nothing_else(values: list[bytes]):
    _check("Forwarded", values)


@fuzzed()
@given(st.lists(ANY_BYTES | bytes_for(_CHAIN), max_size=3))
def test_fault_A15_a_list_of_hops_gives_an_address_and_nothing_else(values: list[bytes]):
    _check("X-Forwarded-For", values)


@fuzzed()
@given(ANY_BYTES | bytes_for(_LIST))
@example(b'for="')
@example(b'x="\\')
def test_fault_D8_whatever_stands_before_what_the_proxy_wrote_last_is_not_the_caller(forged: bytes):
    assert _check("Forwarded", [forged + b",for=198.51.100.7;proto=https"]).address == "198.51.100.7"
    assert _check("X-Forwarded-For", [forged + b", 198.51.100.7"]).address == "198.51.100.7"


@fuzzed()
@given(ANY_BYTES | bytes_for(introduce("203.0.113.9")) | bytes_for(introduce("2001:db9::7") + b"\4\0\1x"))
def test_an_introduction_names_an_address_or_nobody_or_is_malformed(said: bytes):
    try:
        found = parse_introduction(said)
    except MalformedError:
        return
    assert said.startswith(SIGNATURE)
    assert not found or str(ipaddress.ip_address(found)) == found
