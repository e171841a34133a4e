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


def at_most(name: str, value: float, unit: str, limit: float) -> Row:
    """A row of what may not be more than a number that is fixed."""
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "limit": limit,
        "ratio": value / limit,
        "goal": f"<= {limit:g} {unit}".rstrip(),
        "holds": value <= limit,
    }


def told(name: str, value: float, unit: str) -> Row:
    """A row that only informs."""
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "limit": None,
        "ratio": None,
        "goal": "",
        "holds": None,
    }
