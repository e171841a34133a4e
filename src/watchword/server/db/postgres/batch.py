"""Many units in few round trips: equal statements of different units go to the server together.

Units of one group have different keys, so the order between their steps is free; each unit's own order is kept.
They run sorted by key, so that every node takes its locks in the same order.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

import asyncpg

from watchword.server.db.dialect import Statement, for_postgres
from watchword.server.db.postgres.bulk import BulkInserts, columns
from watchword.server.db.unit import GuardError, Step, Unit

_TAG_TYPE: Final = "bigint"
_BULK_ROWS: Final = 4  # below, the arrays save nothing


class UnitsFailedError(Exception):
    """The guards of these units (by place in the group) failed: the transaction is to be rolled back."""

    def __init__(self, places: frozenset[int]) -> None:
        super().__init__(places)
        self.places = places


def shapes(units: Sequence[Unit]) -> Iterable[list[int]]:
    """The places of units that consist of the same statements, each list to be run together."""
    by_shape: dict[tuple[tuple[str, str | None, int], ...], list[int]] = {}
    for place, unit in enumerate(units):
        shape = tuple((step.sql, step.guard, step.rows) for step in unit.steps)
        by_shape.setdefault(shape, []).append(place)
    return by_shape.values()


async def run_units(connection: asyncpg.Connection, bulk: BulkInserts, units: Sequence[Unit]) -> None:
    """Run the steps of all `units` in the open transaction.

    Raises:
        UnitsFailedError: a guard failed.
        asyncpg.PostgresError: a statement failed; which unit's is not known.
    """
    for places in shapes(units):
        for position in range(len(units[places[0]].steps)):
            await _run_position(connection, bulk, [(place, units[place].steps[position]) for place in places])


async def _run_position(
    connection: asyncpg.Connection, bulk: BulkInserts, steps: Sequence[tuple[int, Step]]
) -> None:
    first = steps[0][1]
    statement = for_postgres(first.sql)
    if first.guard is None:
        await _run_rows(connection, bulk, [step for _, step in steps])
        return
    rows = await connection.fetchmany(
        _tagged(statement), [(*statement.bind(step.parameters), place) for place, step in steps]
    )
    counts = Counter(row[-1] for row in rows)
    failed = frozenset(place for place, step in steps if counts[place] != step.rows)
    if failed:
        raise UnitsFailedError(failed)


async def run_steps(connection: asyncpg.Connection, bulk: BulkInserts, steps: Iterable[Step]) -> None:
    """Run unguarded steps in order, neighbours with the same statement together."""
    for _, equal in groupby(steps, key=lambda step: step.sql):
        await _run_rows(connection, bulk, list(equal))


async def _run_rows(connection: asyncpg.Connection, bulk: BulkInserts, steps: Sequence[Step]) -> None:
    """Run steps of one statement, in the cheapest of three ways."""
    statement = for_postgres(steps[0].sql)
    rows = [statement.bind(step.parameters) for step in steps]
    if len(rows) == 1:
        await connection.execute(statement.text, *rows[0])
    elif len(rows) >= _BULK_ROWS and (form := await bulk.find(steps[0].sql)) is not None:
        await connection.execute(form, *columns(rows))
    else:
        await connection.executemany(statement.text, rows)


async def run_alone(connection: asyncpg.Connection, steps: Iterable[Step]) -> None:
    """Run the steps of one unit.

    Raises:
        GuardError: a guard failed; a guarded step that breaks a constraint is one too: another unit was first.
    """
    for step in steps:
        statement = for_postgres(step.sql)
        values = statement.bind(step.parameters)
        if step.guard is None:
            await connection.execute(statement.text, *values)
            continue
        try:
            rows = await connection.fetch(_tagged(statement), *values, 0)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise GuardError(step.guard) from error
        if len(rows) != step.rows:
            raise GuardError(step.guard)


def _tagged(statement: Statement) -> str:
    """The statement so that each row it matches says for which unit: `rows` ends in the unit's place."""
    tag = f"${len(statement.names) + 1}::{_TAG_TYPE}"
    if statement.is_select:
        return f"select {tag} from ({statement.text}) as guarded"  # noqa: S608  # sql: our own statement
    joint = "," if statement.gives_rows else " returning"
    return f"{statement.text}{joint} {tag}"
