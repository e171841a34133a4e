"""Benchmarks: each module's `run()` measures one hot path beside its limit, both in the same run.

`make bench` prints a table and writes `build/bench.json`. A row is {name, value, unit, limit, ratio, goal, holds}:
`limit` is what the same machine did at best in the same run, `ratio` is value to limit, `goal` says what is wanted.
"""

from typing import TypedDict


class Row(TypedDict):
    """One line of the table. None where a row only informs."""

    name: str
    value: float
    unit: str
    limit: float | None
    ratio: float | None
    goal: str
    holds: bool | None
