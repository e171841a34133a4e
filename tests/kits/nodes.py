"""Two real servers on one PostgreSQL and one Redis, each a process with a data directory of its own."""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from tests.kits.process import RunningServer
from tests.kits.real_server import Caller
from tests.kits.waiting import PATIENCE_SECONDS

from watchword.testing.redis import RedisServer

T = TypeVar("T")
ORIGIN: Final = "https://localhost:8443"
"""What callers call it, whichever node they reach."""


@dataclass(kw_only=True)
class Nodes:
    """A refuses while Redis is away, B does what it can alone. `settings` are by node."""

    place: Path
    redis: RedisServer
    settings: Mapping[str, Mapping[str, str]]
    running: dict[str, RunningServer] = field(default_factory=dict)

    @property
    def one(self) -> RunningServer:
        return self.running["a"]

    @property
    def other(self) -> RunningServer:
        return self.running["b"]

    @property
    def both(self) -> tuple[RunningServer, RunningServer]:
        return self.one, self.other

    def start(self, name: str) -> None:
        """Start node `name` on its data, again or for the first time."""
        self.running[name] = RunningServer.start(self.place / name, settings=self.settings[name])

    @contextlib.contextmanager
    def callers(self, source: str = "127.0.0.1") -> Iterator[tuple[Caller, Caller]]:
        """A connection to each node, from a loopback address."""
        with caller(self.one, source) as one, caller(self.other, source) as other:
            yield one, other


@contextlib.contextmanager
def caller(server: RunningServer, source: str = "127.0.0.1") -> Iterator[Caller]:
    made = Caller(server.port, server.ca.read_text(), source)
    try:
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def two_nodes(
    place: Path, *, database: str, redis: RedisServer, settings: Mapping[str, str] | None = None
) -> Iterator[Nodes]:
    """Two nodes that are ready. `settings` are for both."""
    shared = {
        "origin": ORIGIN,
        "database": database,
        "redis": redis.url,
        "processes": "1",
        **(settings or {}),
    }
    choices = {"a": "refuse", "b": "local"}
    each = {name: {**shared, "limits.without_redis": choice} for name, choice in choices.items()}
    nodes = Nodes(place=place, redis=redis, settings=each)
    try:
        nodes.start("a")
        (place / "b").mkdir(mode=0o700)
        shutil.copy(place / "a" / "root.key", place / "b" / "root.key")
        nodes.start("b")
        yield nodes
    finally:
        for server in nodes.running.values():
            server.stop()


def patiently(work: Callable[[], T]) -> T:
    """What `work` gives, tried again where Redis took too long: as it may on a machine that is busy with tests."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return work()
        except AssertionError as failure:
            if "unavailable" not in str(failure) or time.monotonic() > end:
                raise


def is_ready(server: RunningServer) -> bool:
    with caller(server) as asking:
        return asking.call("GET", "/health/ready")[0] == 200


def link_said(server: RunningServer) -> list[str]:
    """What the log of a node says of its link to Redis, in order."""
    return [entry["event"] for entry in server.logs() if entry.get("event") in {"redis.lost", "redis.back"}]


def is_linked(server: RunningServer) -> bool:
    """Whether Redis answers, as its log has it."""
    return link_said(server)[-1:] != ["redis.lost"]
