"""The settings of a server under attack: as shipped, strict, and with nothing that would stop a guesser.

A worker starts one server of each policy, for all tests that ask for `guarded` or `unguarded`. So each of them has
names of its own, and comes from addresses of its own: 127.1 to 127.4 and 127.6 to 127.8 are taken.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import pytest
from tests.kits.process import RunningServer

AT_ONCE: Final = 4
"""Requests of a source, so few that a test can fill its places."""
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


@pytest.fixture(scope="session")
def server_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], RunningServer]]:
    """The worker's server of a policy, started when first asked for."""
    ways = {name: {**settings, "limits.concurrent": str(AT_ONCE)} for name, settings in GUARDED.items()}
    ways["off"] = {**OFF, "pages.password_form": "true"}
    running: dict[str, RunningServer] = {}
    with ExitStack() as stack:

        def start(policy: str) -> RunningServer:
            if policy not in running:
                data = tmp_path_factory.mktemp(policy) / "data"
                running[policy] = stack.enter_context(RunningServer.start(data, settings=ways[policy]))
            return running[policy]

        yield start


@pytest.fixture(params=GUARDED)
def guarded(request: pytest.FixtureRequest, server_of: Callable[[str], RunningServer]) -> Guarded:
    return Guarded(request.param, server_of(request.param))


@pytest.fixture
def unguarded(server_of: Callable[[str], RunningServer]) -> RunningServer:
    """Nothing stops anybody here, and the form for browsers without scripts is open."""
    return server_of("off")
