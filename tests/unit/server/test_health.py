from dataclasses import dataclass, field
from typing import Any

import pytest

from watchword.errors import UnavailableError
from watchword.server.audit.checkpointer import CheckpointHealth
from watchword.server.db.measured import MeasuredDatabase
from watchword.server.db.unit import GuardError, Unit
from watchword.server.health import Health, Trouble
from watchword.server.measures import DatabaseMeasures, Shared

pytestmark = pytest.mark.anyio


@dataclass
class Engine:
    """A database that fails as it is told."""

    reading: Exception | None = None
    writing: Exception | None = None
    commits: int = 0

    async def fetch_one(self, sql: str, parameters: Any) -> Any:
        if self.reading is not None:
            raise self.reading
        return (1,)

    async def commit(self, unit: Unit) -> None:
        self.commits += 1
        if self.writing is not None:
            raise self.writing

    def use_measures(self, measures: DatabaseMeasures) -> None:
        pass


@dataclass
class Checkpoints:
    degraded: bool = False

    def health(self) -> CheckpointHealth:
        return CheckpointHealth(degraded=self.degraded, failing=self.degraded, seconds_since_good=0)


@dataclass
class Link:
    up: bool = True
    why: str = ""


@dataclass
class Node:
    engine: Engine = field(default_factory=Engine)
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    measures: DatabaseMeasures = field(default_factory=DatabaseMeasures)
    shared: Shared | None = None

    def __post_init__(self) -> None:
        engine: Any = self.engine
        checkpointer: Any = self.checkpoints
        self.database = MeasuredDatabase(engine, self.measures)
        self.health = Health(
            database=self.database, measures=self.measures, checkpointer=checkpointer, shared=self.shared
        )


async def test_a_server_that_works_is_ready_and_nothing_is_written_to_find_that_out() -> None:
    node = Node()
    assert await node.health.troubles() == ()
    assert await node.health.ready()
    assert node.engine.commits == 0


async def test_a_server_that_stops_is_not_ready() -> None:
    node = Node()
    node.health.stopping = True
    assert await node.health.troubles() == (Trouble.STOPPING,)


async def test_a_full_disk_shows_at_the_next_change_and_ends_with_the_first_that_succeeds() -> None:
    node = Node()
    node.engine.writing = UnavailableError("The disk is full.")
    with pytest.raises(UnavailableError):
        await node.database.commit(Unit(key=b"x"))
    assert await node.health.troubles() == (Trouble.WRITING,)
    node.engine.writing = None
    assert await node.health.ready()
    assert node.engine.commits == 3
    assert await node.health.ready()
    assert node.engine.commits == 3


async def test_a_guard_that_does_not_hold_is_no_trouble() -> None:
    node = Node()
    node.engine.writing = GuardError("name")
    with pytest.raises(GuardError):
        await node.database.commit(Unit(key=b"x"))
    assert await node.health.ready()
    assert (node.measures.guarded, node.measures.failed) == (1, 0)


async def test_a_database_that_cannot_be_read_and_a_trail_that_is_not_signed_are_troubles() -> None:
    node = Node()
    node.checkpoints.degraded = True
    assert await node.health.troubles() == (Trouble.AUDIT,)
    node.engine.reading = UnavailableError()
    assert await node.health.troubles() == (Trouble.READING,)


@pytest.mark.parametrize("needed", [True, False])
async def test_redis_that_is_away_is_a_trouble_where_it_is_needed_and_else_a_note(*, needed: bool) -> None:
    link = Link()
    node = Node(shared=Shared(link, needed=needed))
    assert (await node.health.troubles(), node.health.notes()) == ((), ())
    link.up, link.why = False, "password"
    assert await node.health.troubles() == ((Trouble.REDIS,) if needed else ())
    said = [note.partition(":")[0] for note in node.health.notes()]
    assert said == ([] if needed else ["Redis does not answer (password)"])
    link.up = True
    assert (await node.health.troubles(), node.health.notes()) == ((), ())
