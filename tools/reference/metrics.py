"""The page of metrics, from the families that the server exposes."""

from collections.abc import Iterable
from itertools import chain

from prometheus_client.core import Metric
from tools.reference.markdown import code, page, table

from watchword.core.clock import Instant
from watchword.server.audit.checkpointer import CheckpointHealth
from watchword.server.bans import BanReason
from watchword.server.http.admission import Admission, HashPool
from watchword.server.measures import (
    ConnectionMeasures,
    DatabaseMeasures,
    DoorMeasures,
    GuessMeasures,
    LimitMeasures,
    RequestMeasures,
)
from watchword.server.metrics import families
from watchword.server.metrics.population import Counted

_INTRODUCTION = """\
What `watchword metrics` prints, and what the address in `metrics.listen` serves to Prometheus. How to use them is in \
[Watch a server](../howto/monitor.md). No label holds a name, an address or an id, and the values of each are a list \
in the code.
"""
_SECTIONS = {
    "requests": "Requests",
    "connections": "Connections",
    "door": "The door",
    "guesses": "Guesses at passwords",
    "bans": "Bans",
    "limits": "Limits",
    "shared": "Several nodes",
    "costly": "Costly work",
    "database": "Database",
    "outcomes": "What people do",
    "audit": "Audit trail",
    "keys": "Keys",
    "population": "How many there are",
    "server": "The server",
}


def described() -> dict[str, list[Metric]]:
    """The families of a server that has done nothing yet, by the function that makes them."""
    nothing = DatabaseMeasures()
    made: dict[str, Iterable[Metric]] = {
        "requests": families.requests(RequestMeasures()),
        "connections": families.connections(ConnectionMeasures()),
        "door": families.door(DoorMeasures()),
        "guesses": families.guesses(GuessMeasures()),
        "bans": families.bans(0, dict.fromkeys(BanReason, 0)),
        "limits": families.limits(LimitMeasures()),
        "shared": families.shared(None),
        "costly": families.costly(Admission(), HashPool(cores=1)),
        "database": families.database(nothing),
        "outcomes": families.outcomes(nothing),
        "audit": families.audit(0, CheckpointHealth(seconds_since_good=0, failing=False, degraded=False)),
        "keys": families.keys((), Instant(0)),
        "population": families.population(
            Counted(active_accounts=0, suspended_accounts=0, devices=0, live_sessions=0)
        ),
        "server": families.server(ready=True),
    }
    return {name: list(found) for name, found in made.items()}


def metrics_page() -> str:
    sections = (
        [
            f"## {_SECTIONS[name]}",
            "",
            *table(("metric", "kind", "labels", "what it tells"), map(_row, found)),
        ]
        for name, found in described().items()
    )
    return page("Metrics", [_INTRODUCTION, *chain.from_iterable(sections), _PROCESS])


_PROCESS = """\
Beside these stand `process_…` (processor time, memory, open files), as every Prometheus client has them.
"""


def _row(family: Metric) -> tuple[str, str, str, str]:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    name = f"{name}_info" if family.type == "info" else name
    labels: tuple[str, ...] = tuple(getattr(family, "_labelnames", ()))
    return code(name), family.type, ", ".join(map(code, labels)), family.documentation
