"""What a limit is."""

from dataclasses import dataclass
from typing import Final

_SECOND: Final = 1000


LIMIT_CLASSES: Final = ("read", "sign_in", "register", "account", "other")
"""Every request belongs to one of them."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` requests at once, and as many again in each `window_ms` milliseconds."""

    burst: int
    window_ms: int

    def __str__(self) -> str:
        return f"{self.burst}/{self.window_ms // _SECOND}s"
