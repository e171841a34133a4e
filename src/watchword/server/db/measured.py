"""A database whose commits are counted and timed, whatever the engine."""

import time
from collections.abc import Callable, Coroutine
from typing import Any

from watchword.errors import WatchwordError
from watchword.server.db.unit import AuditedDatabase, AuditSink, GuardError, Parameters, Row, Unit
from watchword.server.measures import DatabaseMeasures
from watchword.server.spans import part


class MeasuredDatabase:
    """The same as `database`, with `measures` kept. Reads are handed through."""

    def __init__(
        self,
        database: AuditedDatabase,
        measures: DatabaseMeasures,
        *,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._database = database
        self._measures = measures
        self._timer = timer
        database.use_measures(measures)

    def use_audit(self, audit: AuditSink) -> None:
        self._database.use_audit(audit)

    def use_measures(self, measures: DatabaseMeasures) -> None:
        self._measures = measures
        self._database.use_measures(measures)

    def fetch_one(self, sql: str, parameters: Parameters) -> Coroutine[Any, Any, Row | None]:
        """The first row, or None."""
        return self._database.fetch_one(sql, parameters)

    def fetch_all(self, sql: str, parameters: Parameters) -> Coroutine[Any, Any, list[Row]]:
        """All rows."""
        return self._database.fetch_all(sql, parameters)

    async def commit(self, unit: Unit) -> None:
        """Run `unit`; return when it is on disk."""
        measures, began = self._measures, self._timer()
        try:
            with part("commit"):
                await self._database.commit(unit)
        except GuardError:
            measures.guarded += 1
            raise
        except WatchwordError:
            measures.failed += 1
            measures.failing = True
            raise
        measures.failing = False
        measures.commits.observe(self._timer() - began)
        for event in unit.events:
            measures.outcomes.note(event.tag, event.facts)

    async def close(self) -> None:
        await self._database.close()
