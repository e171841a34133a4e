"""What a database is to the rest of the server: reads of rows, and units of work that are atomic and durable.

A unit of work is *data*: guarded statements and the audit events that describe them. That lets one writer run many
units in one transaction on SQLite, and one round trip carry many units to PostgreSQL, without any service knowing.

Statements are portable SQL with `:name` parameters. Values are `None`, `int` (64 bits), `str` and `bytes`; instants
are milliseconds; booleans are 0 and 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from watchword.server.audit.model import AuditEvent
from watchword.server.measures import DatabaseMeasures

Value = None | int | str | bytes
Parameters = Mapping[str, Value]
Row = Sequence[Value]
"""Columns in the order in which the statement selects them."""


class GuardError(Exception):
    """A guarded step matched another number of rows than it demands: the unit was rolled back, whole.

    `guard` is the step's name, by which the service tells what was the matter.
    """

    def __init__(self, guard: str) -> None:
        super().__init__(guard)
        self.guard = guard


class Step(NamedTuple):
    """One statement of a unit; a named tuple, since every request makes several.

    `sql` ends without a semicolon. With `guard`, the statement must change (or, for `select` and `returning`, give)
    exactly `rows` rows, else the whole unit is rolled back and `GuardError(guard)` raised. A guarded step may be a
    `select`: then it locks nothing on SQLite (one writer) and must say `for update` itself where PostgreSQL needs it
    (the token `{for_update}` in the SQL becomes that on PostgreSQL and nothing on SQLite).
    """

    sql: str
    parameters: Parameters
    guard: str | None = None
    rows: int = 1


@dataclass(slots=True)
class Unit:
    """Steps that happen together or not at all, in order, with the audit events that describe them.

    `key` names what the unit contends for (an account's id, a name key): units of one key never share a batch, so
    their steps do not interleave. Guards first: a unit that fails before its first write costs nothing to undo.
    """

    key: bytes
    steps: list[Step] = field(default_factory=list)
    events: list[AuditEvent] = field(default_factory=list)

    def add(self, sql: str, parameters: Parameters, *, guard: str | None = None, rows: int = 1) -> None:
        self.steps.append(Step(sql, parameters, guard, rows))

    def note(self, event: AuditEvent) -> None:
        self.events.append(event)


class Database(Protocol):
    """Both engines look like this; only `server/app.py` knows which one runs.

    Every method raises `UnavailableError` when the engine cannot serve (disk full, locked by another process,
    connection lost): then nothing was changed, or (only for a connection lost during commit on PostgreSQL) the
    outcome was asked for and is stated truthfully. `DamagedError` when stored pages fail their checks.
    """

    async def fetch_one(self, sql: str, parameters: Parameters) -> Row | None:
        """The first row, or None. Reads what is committed."""
        ...

    async def fetch_all(self, sql: str, parameters: Parameters) -> list[Row]:
        """All rows; for statements with a `limit` of their own."""
        ...

    async def commit(self, unit: Unit) -> None:
        """Run `unit`; returns once it is on disk, audit entries included. Raises `GuardError`, `UnavailableError`."""
        ...

    async def close(self) -> None:
        """Finish what is queued, then close. Later calls raise `UnavailableError`."""
        ...


class AuditSink(Protocol):
    """Turns the events of a unit into rows at the moment the writer runs it; see `server/audit/chain.py`.

    The writer calls `begin` once per transaction, `entries` for each unit in the order in which units are applied,
    then `committed` or `rolled_back`; `undo` forgets the entries of the one unit that failed inside a group.
    """

    def begin(self) -> None: ...
    def entries(self, events: Sequence[AuditEvent]) -> Sequence[Step]: ...
    def undo(self) -> None: ...
    def committed(self) -> None: ...
    def rolled_back(self) -> None: ...


class AuditedDatabase(Database, Protocol):
    """A database as `open_database` gives it: the audit chain is attached once its head has been read from it."""

    def use_audit(self, audit: AuditSink) -> None:
        """Write the events of later units through `audit`. Until then a unit with events is refused."""
        ...

    def use_measures(self, measures: DatabaseMeasures) -> None:
        """Count the writer's transactions in `measures` from now on."""
        ...
