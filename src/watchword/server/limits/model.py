"""What a request takes, and the rule by which a bucket is judged.

A bucket is one number, the *theoretical arrival time* of GCRA (the generic cell rate algorithm, ITU-T I.371): the
instant at which it will be full again. `now` and that instant are nanoseconds on one clock that the keeper chooses.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

LIMIT_CLASSES: Final = ("read", "sign_in", "register", "account", "other")
"""Every request belongs to one of them, or is for an `ASSET`."""
ASSET: Final = "asset"
"""Files that pages are made of: no setting of its own, but so many times `read`, of which each page takes one."""
ASSETS_FOR_EACH_READ: Final = 10
_SECOND: Final = 1000
NANOSECOND_PER_MS: Final = 1_000_000
CONCURRENT: Final = "concurrent"
"""The name under which places for concurrent requests are refused."""
CONCURRENT_RETRY_MS: Final = 1000
"""Nobody knows when a request in work ends."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` requests at once, then `burst` per `window_ms`. Raises `ValueError` for what is no rate."""

    burst: int
    window_ms: int
    interval_ns: int = field(init=False, repr=False, compare=False)
    """Time that gives back one request; rounded up, so that never more than the rule is let in."""
    depth_ns: int = field(init=False, repr=False, compare=False)
    """Time that fills an empty bucket."""

    def __post_init__(self) -> None:
        if self.burst < 1 or self.window_ms < 1:
            raise ValueError(f"{self.burst} per {self.window_ms} ms is no rate")
        interval = -(-self.window_ms * NANOSECOND_PER_MS // self.burst)
        object.__setattr__(self, "interval_ns", interval)
        object.__setattr__(self, "depth_ns", interval * self.burst)

    def __str__(self) -> str:
        return f"{self.burst}/{self.window_ms // _SECOND}s"

    def times(self, factor: int) -> "Rate":
        """The rate that lets in `factor` times as many."""
        return Rate(self.burst * factor, self.window_ms)


class Bucket(NamedTuple):
    """A tuple, since each request makes some."""

    key: str
    """Whose, and for what: one bucket each."""
    rate: Rate
    name: str
    """What callers and logs are told: the class of the request."""


class Slots(NamedTuple):
    """Places for requests in work at the same time."""

    key: str
    limit: int


class Demand(NamedTuple):
    """Everything that one request takes: all of it, or nothing."""

    buckets: tuple[Bucket, ...]
    slots: Slots | None = None


class Exceeded(NamedTuple):
    """A refusal: the bucket that stays closed for longest, or the places."""

    name: str
    rate: Rate | None
    """None where places were asked for, not a bucket."""
    retry_after_ms: int
    """At least 1. A bucket that nobody else takes from lets in after exactly that time."""


class Lease:
    """A request that was let in; whoever granted it is told by `release` when it has ended."""

    __slots__ = ("__weakref__", "held", "key", "token")

    def __init__(self, key: str = "", token: str = "") -> None:
        self.key = key
        """Of the places that it holds one of; "" for none."""
        self.token = token
        """By which shared places know it; "" where they are counted in this process."""
        self.held = bool(key)


def wait_ns(arrival: int, rate: Rate, now: int) -> int:
    """For how long a bucket with that arrival time lets nobody in; not positive where it does now.

    A bucket can never be emptier than empty: an arrival time beyond that, of a clock that stepped back or of a rate
    that was changed, counts as empty.
    """
    return min(arrival, now + rate.depth_ns) + rate.interval_ns - now - rate.depth_ns


def taken_ns(arrival: int, rate: Rate, now: int) -> int:
    """The arrival time after one more request was let in."""
    return max(arrival, now) + rate.interval_ns


def whole_ms(nanoseconds: int) -> int:
    """Rounded up, at least 1: who waits that long has waited long enough."""
    return max(1, -(-nanoseconds // NANOSECOND_PER_MS))
