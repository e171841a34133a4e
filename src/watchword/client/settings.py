"""How long a client waits, and how often it tries again. Typed, immutable, and the caller's to choose."""

from dataclasses import dataclass
from typing import Final

from watchword.core.entropy import Entropy

_JITTER_SIZE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds. A login answers in milliseconds; what takes ten seconds will not answer at all."""

    connect: float = 5.0
    """For the connection and its TLS."""
    read: float = 10.0
    """Between two pieces of an answer, and for writing a piece of a request."""
    total: float = 30.0
    """For one call of a method, with all that it takes: token, attempts, waiting. Asking for and stretching a
    password is not counted."""

    def __post_init__(self) -> None:
        if min(self.connect, self.read, self.total) <= 0:
            raise ValueError("a timeout is a positive number of seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """Attempts at what may be repeated: twice as long a wait each time, drawn from its upper half."""

    attempts: int = 3
    """In all; 1 never repeats."""
    first_wait: float = 0.2
    """Seconds."""
    longest_wait: float = 5.0
    """Seconds. A server that asks for more (Retry-After) is not asked again; the error carries what it asked for."""

    def wait_after(self, attempt: int, *, asked: float, entropy: Entropy) -> float | None:
        """Seconds before the attempt after `attempt` (from 1), at least the `asked`; None: do not try again."""
        if attempt >= self.attempts or asked > self.longest_wait:
            return None
        step = min(self.first_wait * (1 << (attempt - 1)), self.longest_wait)
        part = int.from_bytes(entropy.bytes(_JITTER_SIZE), "big") / (1 << (8 * _JITTER_SIZE))
        return max(asked, step * (0.5 + part / 2))
