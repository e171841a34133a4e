"""What counting costs each request: the steps for metrics, and for the marks of a trace that nobody takes."""

import time
from collections.abc import Callable

from bench import Row, at_most
from watchword.server.measures import DatabaseMeasures, RequestMeasures
from watchword.server.spans import part

ROUNDS = 50
BATCH = 2000
MOST_US = 3.0
TEMPLATES = [f"/api/route/{number}" for number in range(40)]


def run() -> list[Row]:
    return [
        _row("metrics per request", _count_a_request()),
        _row("metrics per login, commit and audit event included", _count_a_login()),
        _row("four marks of a trace, not traced", _mark),
    ]


def _row(name: str, step: Callable[[int], None]) -> Row:
    return at_most(name, min(_batch(step) for _ in range(ROUNDS)), "µs", MOST_US)


def _batch(step: Callable[[int], None]) -> float:
    """Microseconds of this thread's processor for one call, the loop's own steps included."""
    began = time.thread_time_ns()
    for number in range(BATCH):
        step(number)
    return (time.thread_time_ns() - began) / BATCH / 1000


def _count_a_request() -> Callable[[int], None]:
    requests = RequestMeasures()

    def step(number: int) -> None:
        requests.begun += 1
        requests.observe(TEMPLATES[number % 40], "POST", 200, 0.0001 * (number % 100))

    return step


def _count_a_login() -> Callable[[int], None]:
    requests, database = RequestMeasures(), DatabaseMeasures()
    facts = {"account": "acc", "request": "req", "device": "dev", "session": "ses", "outcome": "session"}

    def step(number: int) -> None:
        requests.begun += 1
        database.failing = False
        database.commits.observe(0.0001 * (number % 100))
        database.outcomes.note("account:session:login", facts)
        requests.observe("/api/login", "POST", 200, 0.0001 * (number % 100))

    return step


def _mark(_number: int) -> None:
    for name in ("open", "verify", "commit", "sign"):
        with part(name):
            pass
