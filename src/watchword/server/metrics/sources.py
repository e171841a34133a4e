"""What the metrics are read from."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from watchword.core.clock import Clock
from watchword.server.audit.checkpointer import Checkpointer
from watchword.server.audit.entry import ChainHead
from watchword.server.bans import Bans
from watchword.server.http.admission import Admission, HashPool
from watchword.server.keys.model import KeyStatus
from watchword.server.measures import (
    ConnectionMeasures,
    DatabaseMeasures,
    DoorMeasures,
    GuessMeasures,
    LimitMeasures,
    RequestMeasures,
    Shared,
)
from watchword.server.metrics.population import Population


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Parts of a running server; each is only read."""

    requests: RequestMeasures
    connections: ConnectionMeasures
    limits: LimitMeasures
    door: DoorMeasures
    guesses: GuessMeasures
    bans: Bans
    admission: Admission
    hashes: HashPool
    database: DatabaseMeasures
    audit_head: Callable[[], ChainHead]
    checkpointer: Checkpointer
    keys: Callable[[], Sequence[KeyStatus]]
    population: Population
    ready: Callable[[], Awaitable[bool]]
    shared: Shared | None
    clock: Clock
