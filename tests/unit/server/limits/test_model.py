"""The rule of one bucket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.server.limits.model import Rate, taken_ns, wait_ns, whole_ms

RATES = st.builds(Rate, st.integers(1, 10_000), st.integers(10_000, 86_400_000))


@pytest.mark.parametrize(("burst", "window_ms"), [(0, 1000), (-1, 1000), (1, 0), (1, -5)])
def test_what_is_no_rate_is_refused(burst, window_ms):
    with pytest.raises(ValueError, match="is no rate"):
        Rate(burst, window_ms)


def test_rates_are_equal_by_their_rule_alone():
    assert Rate(300, 60_000) == Rate(300, 60_000) != Rate(301, 60_000)
    assert Rate(30, 900_000).times(4) == Rate(120, 900_000)


@given(RATES, st.integers(0, 2**60))
def test_a_full_bucket_gives_its_burst_at_once_and_nothing_more(rate, now):
    arrival = now
    for _ in range(min(rate.burst, 200)):
        assert wait_ns(arrival, rate, now) <= 0
        arrival = taken_ns(arrival, rate, now)
    arrival = now + rate.depth_ns
    assert wait_ns(arrival, rate, now) == rate.interval_ns


@given(RATES, st.integers(0, 2**60), st.integers(0, 2**60))
def test_whoever_waits_as_told_is_let_in_and_a_moment_earlier_is_not(rate, now, beyond):
    arrival = now + rate.depth_ns + beyond  # emptier than empty: a clock stepped back
    arrival = min(arrival, now + rate.depth_ns)
    wait = wait_ns(arrival, rate, now)
    assert wait > 0
    assert wait_ns(arrival, rate, now + wait) <= 0 < wait_ns(arrival, rate, now + wait - 1)
    assert wait_ns(arrival, rate, now + whole_ms(wait) * 1_000_000) <= 0


@given(RATES, st.integers(0, 2**60), st.integers(1, 2**60))
def test_fault_D16_a_clock_that_steps_back_costs_no_more_than_an_empty_bucket(rate, now, step):
    assert wait_ns(now + step, rate, now) <= rate.interval_ns


@given(RATES)
def test_never_more_than_the_rule_is_let_in_however_the_window_divides(rate):
    assert rate.interval_ns * rate.burst >= rate.window_ms * 1_000_000
    assert (rate.interval_ns - 1) * rate.burst < rate.window_ms * 1_000_000
