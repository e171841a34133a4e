"""The table of buckets in memory: its bound, and who is forgotten. The rule: tests/conformance."""

import math
import resource
from fractions import Fraction
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from watchword.server.limits.memory import MAX_BUCKETS, MemoryLimiter
from watchword.server.limits.model import Bucket, Demand, Exceeded, Lease, Rate
from watchword.server.measures.limits import LimitMeasures
from watchword.testing import FixedClock, components
from watchword.testing.counts import count

RATE = Rate(20, 60_000)


def demand(key: str, rate: Rate = RATE) -> Demand:
    return Demand((Bucket(key, rate, "read"),))


def resident_bytes() -> int:
    pages = int(components.require_path(Path("/proc/self/statm")).read_text().split()[1])
    return pages * resource.getpagesize()


def drain(limiter: MemoryLimiter, key: str) -> None:
    for _ in range(RATE.burst):
        assert isinstance(limiter.take(demand(key)), Lease)


def test_fault_D13_a_flood_of_addresses_stays_in_its_bound_and_forgets_no_active_attacker():
    measures, clock = LimitMeasures(), FixedClock()
    limiter = MemoryLimiter(clock, measures=measures)
    attackers = [f"attacker{number}" for number in range(200)]
    for attacker in attackers:
        drain(limiter, attacker)
    before = resident_bytes()
    flood = count(100_000, 1_000_000)
    for number in range(flood):
        limiter.take(demand(f"read|2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::/64"))
    assert measures.buckets == MAX_BUCKETS
    assert measures.dropped == flood + len(attackers) - MAX_BUCKETS
    assert resident_bytes() - before < 64 * 1024 * 1024
    assert all(isinstance(limiter.take(demand(attacker)), Exceeded) for attacker in attackers)


@given(
    st.integers(1, 20),
    st.sampled_from([50, 100, 1000, 60_000]),
    st.lists(st.integers(0, 400), min_size=1, max_size=120),
)
def test_each_answer_is_that_of_a_bucket_reckoned_in_fractions(burst, window_ms, pauses):
    """Tokens that drip in one by one, without any rounding; windows that divide into whole nanoseconds."""
    rate = Rate(burst, window_ms * burst)
    clock = FixedClock()
    limiter = MemoryLimiter(clock)
    tokens = Fraction(burst)
    for pause in pauses:
        clock.advance(pause)
        tokens = min(Fraction(burst), tokens + Fraction(pause, window_ms))
        answer = limiter.take(demand("a", rate))
        assert isinstance(answer, Lease) == (tokens >= 1)
        if isinstance(answer, Lease):
            tokens -= 1
        else:
            assert answer.retry_after_ms == math.ceil((1 - tokens) * window_ms)


def test_a_full_bucket_goes_before_any_that_says_something():
    measures, clock = LimitMeasures(), FixedClock()
    limiter = MemoryLimiter(clock, max_buckets=32, measures=measures)
    for number in range(16):
        limiter.take(demand(f"early{number}"))
    clock.advance(RATE.window_ms)
    for number in range(16):
        drain(limiter, f"late{number}")
    for number in range(16):
        limiter.take(demand(f"new{number}"))
    assert measures.dropped == 0
    assert all(limiter.closed_ms(f"late{number}") for number in range(16))


def test_among_buckets_of_several_rates_the_one_with_the_least_taken_of_its_own_goes():
    slow = Rate(30, 900_000)
    limiter = MemoryLimiter(FixedClock(), max_buckets=2)
    limiter.take(demand("slow", slow))  # full again in 30 s, and has given one of thirty
    for _ in range(5):
        limiter.take(demand("quick"))  # full again in 15 s, and has given five of twenty
    limiter.take(demand("new"))
    for _ in range(RATE.burst - 5):
        assert isinstance(limiter.take(demand("quick")), Lease)
    assert isinstance(limiter.take(demand("quick")), Exceeded)


def test_fault_M15_setting_the_wall_clock_changes_nothing():
    clock = FixedClock()
    limiter = MemoryLimiter(clock)
    drain(limiter, "a")
    refused = limiter.take(demand("a"))
    for step in (3_600_000, -7_200_000, 10 * 365 * 86_400_000):
        clock.jump(step)
        assert limiter.take(demand("a")) == refused
