"""A banned source has forty connections at once and twenty a second; nobody else is counted."""

import pytest

from watchword.server.http import trickle
from watchword.server.http.trickle import AT_ONCE, PER_SECOND, WIDER, Knocks, Trickle

BANNED = "192.0.2.7"


def of_banned() -> Trickle:
    return Trickle(lambda address: address == BANNED or address.startswith("2001:db8:1:"))


def admitted(door: Trickle, count: int, now: float, address: str = BANNED) -> int:
    return sum(door.lets_in(address, now) for _ in range(count))


def test_a_banned_source_has_few_connections_and_twenty_more_each_second():
    door = of_banned()
    assert (AT_ONCE, PER_SECOND) == (40, 20)
    assert admitted(door, 100, 50.0) == AT_ONCE
    assert admitted(door, 100, 50.04) == 0
    assert admitted(door, 100, 50.06) == 1
    assert admitted(door, 100, 51.06) == PER_SECOND
    assert admitted(door, 100, 1000.0) == AT_ONCE


def test_fault_D12_neighbours_in_one_48_take_nothing_of_a_banned_source_alone():
    door = of_banned()
    assert admitted(door, 100, 1.0, "2001:db8:1:2::1") == AT_ONCE
    assert admitted(door, 100, 1.0, "2001:db8:1:2:ffff::1") == 0  # the same source
    assert admitted(door, 100, 1.0, "2001:db8:1:3::1") == AT_ONCE


def test_all_that_are_banned_in_one_48_have_four_times_as_much_together():
    door = of_banned()
    seen = [admitted(door, 30, 1.0, f"2001:db8:1:{n:x}::1") for n in range(10)]
    assert sum(seen) == WIDER * AT_ONCE == 160
    assert admitted(door, 1000, 2.0, "2001:db8:1:20::1") == AT_ONCE


def test_who_is_not_banned_is_not_counted():
    door = of_banned()
    assert admitted(door, 1000, 1.0, "2001:db8:2:4::1") == 1000
    assert admitted(door, 1000, 1.0, "192.0.2.8") == 1000
    assert not door._knocks._full_at


def test_the_table_is_bounded_and_forgets_what_says_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trickle, "MAX_SOURCES", 8)
    knocks = Knocks()
    for n in range(8):
        assert sum(knocks.take(f"192.0.2.{n}", 1.0) for _ in range(50)) == AT_ONCE
    assert knocks.take("198.51.100.1", 1.0)
    assert len(knocks._full_at) == 5
    assert not knocks.take("192.0.2.7", 1.0)  # the newest are kept
    assert knocks.take("198.51.100.2", 100.0)
