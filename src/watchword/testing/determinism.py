"""Clocks that obey the test, and randomness that repeats. Never for production."""

import hashlib

from watchword.core.clock import Instant, SystemClock


class FixedClock:
    """Stands still until it is advanced; wall clock and monotonic clock can part, as on a machine whose time jumps."""

    def __init__(self, now: int = 1_800_000_000_000) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> Instant:
        return Instant(self._now)

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, milliseconds: int) -> None:
        """Let time pass on both clocks."""
        self._now += milliseconds
        self._monotonic += milliseconds / 1000

    def jump(self, milliseconds: int) -> None:
        """Set the wall clock forward or back; the monotonic clock does not notice."""
        self._now += milliseconds


class AdvancingClock(SystemClock):
    """The machine's clocks, some time ahead: for tests with TLS, where a certificate must be valid today as well."""

    def __init__(self) -> None:
        self._ahead = 0

    def now(self) -> Instant:
        return Instant(super().now() + self._ahead)

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead / 1000

    def advance(self, milliseconds: int) -> None:
        """Let that much time pass at once, on both clocks."""
        self._ahead += milliseconds


class SeededEntropy:
    """SHA-256 in counter mode over a seed: the same bytes in every run."""

    def __init__(self, seed: int | str = 0) -> None:
        self._seed = f"{seed}".encode()
        self._counter = 0

    def bytes(self, size: int) -> bytes:
        made = b""
        while len(made) < size:
            self._counter += 1
            made += hashlib.sha256(self._seed + self._counter.to_bytes(8, "big")).digest()
        return made[:size]
