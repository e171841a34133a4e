"""How soon a test of an app has its server: the fixture of `watchword.testing`, once everything is imported."""

import statistics
import time

from bench import Row
from watchword.testing.server import running_server

STARTS = 10
LIMIT_S = 0.3


def run() -> list[Row]:
    taken = [_start_once() for _ in range(STARTS + 1)][1:]
    seconds = statistics.median(taken)
    return [
        {
            "name": "a server in a test, from nothing to ready",
            "value": seconds,
            "unit": "s",
            "limit": LIMIT_S,
            "ratio": seconds / LIMIT_S,
            "goal": f"<= {LIMIT_S:g} s",
            "holds": seconds <= LIMIT_S,
        }
    ]


def _start_once() -> float:
    began = time.monotonic()
    with running_server():
        return time.monotonic() - began
