"""Limits of one process, exact, in a table of bounded size."""

import math
from typing import Final

from watchword.core.clock import Clock
from watchword.server.limits.model import (
    CONCURRENT,
    CONCURRENT_RETRY_MS,
    Bucket,
    Demand,
    Exceeded,
    Lease,
    Rate,
    Slots,
    taken_ns,
    wait_ns,
    whole_ms,
)
from watchword.server.measures.limits import LimitMeasures

MAX_BUCKETS: Final = 65_536
LOOKED_AT: Final = 16
"""Buckets among which one must go when there is no room."""
_NS_PER_SECOND: Final = 1_000_000_000


class _Kept:
    """A bucket in the table."""

    __slots__ = ("arrival", "key", "rate")

    def __init__(self, key: str, rate: Rate, arrival: int) -> None:
        self.key = key
        self.rate = rate
        self.arrival = arrival


class BucketTable:
    """At most `size` buckets by key. A full bucket says nothing, so the table forgets those first."""

    def __init__(self, size: int, measures: LimitMeasures) -> None:
        self._size: Final = size
        self._measures: Final = measures
        self._kept: Final[dict[str, _Kept]] = {}
        self._places: Final[list[_Kept]] = []
        """The same, where a few can be looked at."""
        self._hand = 0
        self._stride: Final = _coprime(size)

    def __len__(self) -> int:
        return len(self._places)

    def find(self, key: str) -> _Kept | None:
        return self._kept.get(key)

    def add(self, key: str, rate: Rate, arrival: int, now: int) -> None:
        new = self._kept[key] = _Kept(key, rate, arrival)
        if len(self._places) < self._size:
            self._places.append(new)
            self._measures.buckets = len(self._places)
            return
        place = self._place_of_least(now)
        del self._kept[self._places[place].key]
        self._places[place] = new

    def _place_of_least(self, now: int) -> int:
        """Among a few, the one that is full or nearest to it.

        They lie apart: neighbours came together, and may all be of one attack that must not be forgotten.
        """
        size, place = self._size, self._hand
        self._hand = (place + 1) % size
        least, fullness = place, math.inf
        for _ in range(min(LOOKED_AT, size)):
            kept = self._places[place]
            lacking = (kept.arrival - now) / kept.rate.depth_ns
            if lacking <= 0:
                return place
            if lacking < fullness:
                least, fullness = place, lacking
            place = (place + self._stride) % size
        self._measures.dropped += 1
        return least


def _coprime(size: int) -> int:
    """A stride that reaches every place, and few near each other in a row: by the golden section."""
    stride = max(1, int(size * 0.618))
    while math.gcd(stride, size) > 1:
        stride += 1
    return stride


class MemoryLimiter:
    """`Limiter` over tables of this process. Time is the monotonic clock, so setting the wall clock changes nothing."""

    def __init__(
        self, clock: Clock, *, max_buckets: int = MAX_BUCKETS, measures: LimitMeasures | None = None
    ) -> None:
        self._clock: Final = clock
        self._table: Final = BucketTable(max_buckets, measures or LimitMeasures())
        self._in_work: Final[dict[str, int]] = {}
        """Requests in work by the key of their places: never more than there are connections."""

    async def reserve(self, demand: Demand) -> Lease | Exceeded:
        return self.take(demand)

    def take(self, demand: Demand) -> Lease | Exceeded:
        """`reserve`, for callers that cannot wait."""
        now = self._now()
        longest, closed = 0, None
        for bucket in demand.buckets:
            wait = self._wait(bucket, now)
            if wait > longest:
                longest, closed = wait, bucket
        if closed is not None:
            return Exceeded(closed.name, closed.rate, whole_ms(longest))
        slots = demand.slots
        if slots is not None and self._in_work.get(slots.key, 0) >= slots.limit:
            return Exceeded(CONCURRENT, None, CONCURRENT_RETRY_MS)
        for bucket in demand.buckets:
            self._fill(bucket, now)
        return self._lease(slots)

    def release(self, lease: Lease) -> None:
        if not lease.held:
            return
        lease.held = False
        left = self._in_work[lease.key] - 1
        if left:
            self._in_work[lease.key] = left
        else:
            del self._in_work[lease.key]

    def closed_ms(self, key: str) -> int:
        kept = self._table.find(key)
        if kept is None:
            return 0
        wait = wait_ns(kept.arrival, kept.rate, self._now())
        return whole_ms(wait) if wait > 0 else 0

    def _now(self) -> int:
        return round(self._clock.monotonic() * _NS_PER_SECOND)

    def _wait(self, bucket: Bucket, now: int) -> int:
        kept = self._table.find(bucket.key)
        if kept is None:
            return 0
        if kept.rate is not bucket.rate:  # limits may change while we run
            kept.rate = bucket.rate
            kept.arrival = min(kept.arrival, now + bucket.rate.depth_ns)
        return wait_ns(kept.arrival, kept.rate, now)

    def _fill(self, bucket: Bucket, now: int) -> None:
        kept = self._table.find(bucket.key)
        if kept is None:
            self._table.add(bucket.key, bucket.rate, taken_ns(now, bucket.rate, now), now)
        else:
            kept.arrival = taken_ns(kept.arrival, bucket.rate, now)

    def _lease(self, slots: Slots | None) -> Lease:
        if slots is None:
            return Lease()
        self._in_work[slots.key] = self._in_work.get(slots.key, 0) + 1
        return Lease(slots.key)
