"""Whether two things take the same time, from pairs measured one right after the other.

What disturbs a machine disturbs both of a pair, so the differences stay narrow where the times themselves do not. The
bounds are fixed: noise is met with more pairs, never with a wider bound.
"""

import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from watchword.testing.counts import soaking

MEDIAN_BOUND: Final = 0.000_250
INTERVAL_BOUND: Final = 0.000_500
AUC_BOUND: Final = 0.03
PRECISION: Final = 0.000_060
"""Seconds: pairs are added until the median's standard error is this small, or the caller has enough."""


def seconds() -> float:
    """A clock for work of this process: as others see it under soak, of the processor where others use that too."""
    return time.perf_counter() if soaking() else time.process_time()


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Of paired times: the first less the second. `low` and `high` bound the median's 99 % interval."""

    pairs: int
    median: float
    low: float
    high: float
    auc: float

    def auc_bound(self, *, exact: bool) -> float:
        """`exact` as FAULTS says; else the area's own standard error, 3.3 times, is added for few pairs."""
        error = ((2 * self.pairs + 1) / (12 * self.pairs**2)) ** 0.5
        return AUC_BOUND if exact else AUC_BOUND + 3.3 * error

    def is_within(self, bound: float) -> bool:
        """The whole interval lies within `bound` seconds: the difference is known to be small."""
        return -bound < self.low <= self.high < bound

    @property
    def difference(self) -> str:
        return (
            f"{self.pairs} pairs: median difference {self.median * 1e6:+.0f} µs,"
            f" 99 % interval [{self.low * 1e6:+.0f}, {self.high * 1e6:+.0f}] µs"
        )

    def __str__(self) -> str:
        return f"{self.difference}, AUC {self.auc:.3f}"


def compare(first: Sequence[float], second: Sequence[float]) -> Comparison:
    differences = [one - other for one, other in zip(first, second, strict=True)]
    chance = random.Random(6)
    resampled = sorted(
        statistics.median(chance.choices(differences, k=len(differences))) for _ in range(1000)
    )
    ranked = sorted([(value, 1) for value in first] + [(value, 0) for value in second])
    rank_sum = sum(rank for rank, (_, which) in enumerate(ranked, 1) if which)
    pairs = len(differences)
    return Comparison(
        pairs=pairs,
        median=statistics.median(differences),
        low=resampled[4],
        high=resampled[-5],
        auc=(rank_sum - pairs * (pairs + 1) / 2) / pairs**2,
    )


def standard_error(differences: Sequence[float]) -> float:
    """Of their median, from the median absolute deviation."""
    middle = statistics.median(differences)
    spread = 1.4826 * statistics.median(abs(one - middle) for one in differences)
    return float(1.2533 * spread / len(differences) ** 0.5)
