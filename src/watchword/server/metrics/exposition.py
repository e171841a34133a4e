"""The metrics as text: in the format of Prometheus, or OpenMetrics for whoever asks for that."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from watchword.server.metrics import families
from watchword.server.metrics.population import Counted
from watchword.server.metrics.sources import Sources


@dataclass(frozen=True, slots=True)
class Exposed:
    """One answer."""

    content_type: str
    body: bytes


class Exposition:
    """Everything of one server, in a registry of its own."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._registry = CollectorRegistry(auto_describe=False)
        self._collector = _Families(sources)
        self._registry.register(self._collector)
        ProcessCollector(registry=self._registry)

    async def render(self, accept: str = "") -> Exposed:
        """What there is now. `accept` is the header of that name."""
        self._collector.counted = await self._sources.population.count()
        self._collector.ready = await self._sources.ready()
        encode, content_type = choose_encoder(accept)
        return Exposed(content_type, encode(self._registry))


class _Families(Collector):
    """Reads each source when it is asked."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.counted: Counted | None = None
        self.ready = False

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry would ask for all of it once more, to look for names that clash."""
        return ()

    def collect(self) -> Iterator[Metric]:
        found = self._sources
        yield from families.server(ready=self.ready)
        yield from families.requests(found.requests)
        yield from families.connections(found.connections)
        yield from families.limits(found.limits)
        yield from families.shared(found.shared)
        yield from families.door(found.door)
        yield from families.guesses(found.guesses)
        yield from families.bans(found.bans.live, found.bans.made)
        yield from families.costly(found.admission, found.hashes)
        yield from families.outcomes(found.database)
        yield from families.database(found.database)
        yield from families.audit(found.audit_head().seq, found.checkpointer.health())
        yield from families.keys(found.keys(), found.clock.now())
        yield from families.population(self.counted)
