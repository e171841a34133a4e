"""What a running server tells of itself, put together from its parts."""

from collections.abc import Sequence

from watchword.server.assembly import Services
from watchword.server.config.model import WithoutRedis
from watchword.server.core import Core
from watchword.server.health import Health
from watchword.server.http.admission import Admission
from watchword.server.measures import ConnectionMeasures, DoorMeasures, LimitMeasures, RequestMeasures, Shared
from watchword.server.metrics.population import Population
from watchword.server.metrics.reader import MetricsReader
from watchword.server.metrics.sources import Sources


class Telling:
    """Counters, health and metrics of one server; also the `Running` of its control socket."""

    def __init__(self, core: Core, services: Services, admission: Admission) -> None:
        self.requests = RequestMeasures()
        self.connections = ConnectionMeasures()
        self.limits = LimitMeasures()
        needed = core.config.limits.without_redis is WithoutRedis.REFUSE
        shared = Shared(services.redis, needed=needed) if services.redis else None
        self.health = Health(
            database=core.database,
            measures=core.measures,
            checkpointer=core.checkpointer,
            shared=shared,
        )
        self.door = DoorMeasures()
        self.reader = MetricsReader(
            Sources(
                requests=self.requests,
                connections=self.connections,
                limits=self.limits,
                door=self.door,
                guesses=services.guesses,
                bans=services.bans,
                admission=admission,
                hashes=services.pool,
                database=core.measures,
                audit_head=core.audit_head,
                checkpointer=core.checkpointer,
                keys=core.keys.status,
                population=Population(core.database, core.clock),
                ready=self.health.ready,
                shared=shared,
                clock=core.clock,
            )
        )

    async def metrics(self) -> str:
        return (await self.reader.read()).body.decode()

    async def troubles(self) -> Sequence[str]:
        return await self.health.troubles()

    def notes(self) -> Sequence[str]:
        return self.health.notes()
