"""What ends when, the soonest first."""

import heapq
from typing import Final

from watchword.core.clock import Instant

_SPARE: Final = 65_536
"""Ends that were taken back may lie about, as many as that and those that are good."""


class Ends:
    """The end of each network that has one."""

    def __init__(self) -> None:
        self._at: dict[str, Instant] = {}
        self._heap: list[tuple[Instant, str]] = []

    def __len__(self) -> int:
        return len(self._at)

    def put(self, network: str, at: Instant) -> None:
        """In the place of any other end of `network`."""
        self._at[network] = at
        heapq.heappush(self._heap, (at, network))
        if len(self._heap) > 2 * len(self._at) + _SPARE:
            self._heap = [(end, network) for network, end in self._at.items()]
            heapq.heapify(self._heap)

    def discard(self, network: str) -> None:
        self._at.pop(network, None)

    def due(self, now: Instant, most: int) -> list[str]:
        """What has ended, `most` at once, which have no end any more."""
        found: list[str] = []
        while len(found) < most and self._heap and self._heap[0][0] <= now:
            network = self._pop()
            if network is not None:
                found.append(network)
        return found

    def soonest(self) -> str:
        """What ends soonest, which has no end any more. Raises `IndexError` where there is nothing."""
        while (network := self._pop()) is None:
            pass
        return network

    def _pop(self) -> str | None:
        """An entry may be of an earlier end of the same network: then it says nothing."""
        at, network = heapq.heappop(self._heap)
        if self._at.get(network) != at:
            return None
        del self._at[network]
        return network
