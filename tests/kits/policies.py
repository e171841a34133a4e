"""The settings of a server under attack: as shipped, strict, and with nothing that would stop a guesser."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.kits.process import RunningServer

OFF: Final = {"bans.policy": "off", "limits.enabled": "false", "limits.guessing": "false"}
"""To show that an attack is one: without the door it succeeds."""
BALANCED: Final[dict[str, str]] = {}
STRICT: Final = {"bans.policy": "strict"}
GUARDED: Final = {"balanced": BALANCED, "strict": STRICT}
NOBODY_EXEMPT: Final = {"bans.allow": ""}
"""For programs that cannot choose the address that they come from: 127.0.0.1 is a caller like any other."""
FREE: Final = 5
"""Wrong guesses at an account before the first delay."""
FIRST_DELAY_S: Final = 30.0
MOST_FAILURES: Final = 20
"""Of a source in ten minutes, and names that it may try, before `balanced` bans it."""


def most_guesses(seconds: float) -> int:
    """How many guesses at one account strangers may have verified so long after the first: the design's rule."""
    guesses, delay, passed = FREE, FIRST_DELAY_S, 0.0
    while (passed := passed + delay) <= seconds:
        guesses, delay = guesses + 1, min(2 * delay, 3600.0)
    return guesses


@dataclass(frozen=True, slots=True)
class Guarded:
    """A server with a policy's name."""

    policy: str
    server: RunningServer


@contextmanager
def guarded_by(policy: str, folder: Path) -> Iterator[Guarded]:
    with RunningServer.start(folder / "data", settings=GUARDED[policy]) as server:
        yield Guarded(policy, server)
