"""A banned source has ten connections at once and two a second; nobody else is counted."""

import pytest

from watchword.server.http import trickle
from watchword.server.http.trickle import AT_ONCE, PER_SECOND, Trickle

BANNED = "192.0.2.7"


def of_banned() -> Trickle:
    return Trickle(
        lambda address: address == BANNED or address.startswith(("2001:db8:1:2:", "2001:db8:1:3:"))
    )


def admitted(door: Trickle, count: int, now: float, address: str = BANNED) -> int:
    return sum(door.lets_in(address, now) for _ in range(count))


def test_a_banned_source_has_few_connections_and_two_more_each_second():
    door = of_banned()
    assert admitted(door, 100, 50.0) == AT_ONCE
    assert admitted(door, 100, 50.4) == 0
    assert admitted(door, 100, 50.5) == 1
    assert admitted(door, 100, 53.5) == 3 * PER_SECOND
    assert admitted(door, 100, 1000.0) == AT_ONCE


def test_all_that_are_banned_in_one_48_share_and_others_are_not_counted():
    door = of_banned()
    assert admitted(door, 6, 1.0, "2001:db8:1:2::1") + admitted(door, 6, 1.0, "2001:db8:1:3::2") == AT_ONCE
    assert admitted(door, 1000, 1.0, "2001:db8:1:4::1") == 1000
    assert admitted(door, 1000, 1.0, "192.0.2.8") == 1000
    assert door._full_at.keys() == {"2001:db8:1::/48"}


def test_the_table_is_bounded_and_forgets_what_says_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trickle, "MAX_SOURCES", 8)
    door = Trickle(lambda _: True)
    for n in range(8):
        assert admitted(door, 20, 1.0, f"192.0.2.{n}") == AT_ONCE
    assert door.lets_in("198.51.100.1", 1.0)
    assert len(door._full_at) == 5
    assert not door.lets_in("192.0.2.7", 1.0)  # the newest are kept
    assert door.lets_in("198.51.100.2", 100.0)
