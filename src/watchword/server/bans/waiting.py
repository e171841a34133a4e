"""Bans that wait for the database: bounded, since it may be away for long while addresses are banned all the time."""

import heapq
from collections.abc import Iterable
from itertools import islice
from typing import Final, NamedTuple

from watchword.core.clock import Instant
from watchword.server.audit.model import AuditEvent
from watchword.server.bans.model import Ban

_SPARE: Final = 1000
"""Ends of bans that wait no more may lie about, as many as that and those that wait."""


class PendingBan(NamedTuple):
    """A ban to be kept, with what the audit trail says of it. `replace`: whatever is kept of its network."""

    ban: Ban
    event: AuditEvent | None = None
    replace: bool = False


class Waiting:
    """At most `most`, one for each network. More: those that end soonest go."""

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._made: Final[dict[str, PendingBan]] = {}
        self._ends: list[tuple[Instant, str]] = []

    def __len__(self) -> int:
        return len(self._made)

    def find(self, network: str) -> PendingBan | None:
        return self._made.get(network)

    def put(self, made: PendingBan) -> None:
        """Have `made` wait, in the place of any other of its network."""
        self._made[made.ban.network] = made
        heapq.heappush(self._ends, (made.ban.ends_at, made.ban.network))
        while len(self._made) > self._most:
            self._drop(*heapq.heappop(self._ends))
        if len(self._ends) > 2 * len(self._made) + _SPARE:
            self._ends = [(each.ban.ends_at, network) for network, each in self._made.items()]
            heapq.heapify(self._ends)

    def take(self, most: int) -> list[PendingBan]:
        """Those that waited longest, which wait no more."""
        return [self._made.pop(network) for network in list(islice(self._made, most))]

    def put_back(self, taken: Iterable[PendingBan]) -> None:
        """What could not be kept, but for what has been banned anew since."""
        for made in taken:
            if made.ban.network not in self._made:
                self.put(made)

    def _drop(self, ends_at: Instant, network: str) -> None:
        """An end may be of an earlier ban of the same network: then it says nothing."""
        found = self._made.get(network)
        if found is not None and found.ban.ends_at == ends_at:
            del self._made[network]
