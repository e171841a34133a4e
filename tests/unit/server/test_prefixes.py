"""Networks by an address, and the proxies that are found that way."""

import time

import pytest

from watchword.server.http.proxies import Proxies
from watchword.server.prefixes import PrefixMap, place_of, prefix_of


def found(networks: PrefixMap[str], address: str) -> list[str]:
    place = place_of(address)
    assert place is not None
    return sorted(networks.around(place))


def test_a_network_is_found_until_it_is_removed() -> None:
    networks = PrefixMap[str]()
    for text in ("192.0.2.0/24", "192.0.2.7", "2001:db8::/32"):
        networks.put(prefix_of(text), text)
    assert found(networks, "192.0.2.7") == ["192.0.2.0/24", "192.0.2.7"]
    networks.remove(prefix_of("192.0.2.0/24"))
    assert found(networks, "192.0.2.7") == ["192.0.2.7"]
    assert found(networks, "192.0.2.8") == []
    assert found(networks, "2001:db8::1") == ["2001:db8::/32"]
    with pytest.raises(KeyError):
        networks.remove(prefix_of("192.0.2.0/24"))


@pytest.mark.parametrize(
    "outer", ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/30", "10.1.2.3", "0.0.0.0/0", "11.0.0.0/8"]
)
def test_what_is_within_is_the_same_by_either_way_of_looking(outer: str) -> None:
    few, many = PrefixMap[str](), PrefixMap[str]()
    here = ["10.1.2.3", "10.1.2.2", "10.1.2.0/31", "10.1.0.0/16", "10.2.3.4", "10.0.0.0/8"]
    for text in here:
        few.put(prefix_of(text), text)
        many.put(prefix_of(text), text)
    for number in range(1000):
        many.put(prefix_of(f"172.16.{number >> 8}.{number & 255}"), "elsewhere")
    within = sorted(few.within(prefix_of(outer)))
    assert within == sorted(set(many.within(prefix_of(outer))) - {"elsewhere"})
    assert (
        within
        == {
            "10.0.0.0/8": sorted(here),
            "10.1.0.0/16": sorted(here[:4]),
            "10.1.2.0/30": sorted(here[:3]),
            "10.1.2.3": here[:1],
            "0.0.0.0/0": sorted(here),
            "11.0.0.0/8": [],
        }[outer]
    )


def test_a_proxy_is_known_as_fast_among_many() -> None:
    proxies = Proxies.of(f"10.{number >> 8}.{number & 255}.0/24" for number in range(10_000))
    assert proxies.trust("10.39.15.9")
    assert not proxies.trust("10.39.16.9")
    begun = time.process_time()
    for _ in range(100):
        proxies.trust("192.0.2.9")
    assert (time.process_time() - begun) / 100 < 200e-6
