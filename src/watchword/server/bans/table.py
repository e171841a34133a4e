"""The bans of this process' memory: found in a few microseconds, however many there are.

For each length of prefix that any ban has, one dictionary from leading bits to the ban. Bans of the policy have one
length for IPv4 and three for IPv6, so a look is one to three steps.
"""

import heapq
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from typing import Final

from watchword.core.clock import SECOND, Instant, SteadyClock
from watchword.server.bans.model import Ban, BanReason
from watchword.server.bans.networks import V6_BITS, Place, Prefix, place_of, prefix_of
from watchword.server.bans.policy import WIDENINGS, Widening, is_remembered, widens

MAX_LIVE: Final = 131_072
"""About 100 MB. More: those that end soonest go."""
MAX_PAST: Final = 65_536
"""Bans that ended and are remembered for the next one's length. More: the oldest go."""
_LONGEST_RETRY_S: Final = 86_400
"""Nobody is told to come back in 8,000 years."""


class LiveBan:
    """A ban that was live when it was found."""

    __slots__ = ("_clock", "ban")

    def __init__(self, ban: Ban, clock: SteadyClock) -> None:
        self.ban: Final = ban
        self._clock: Final = clock

    @property
    def network(self) -> str:
        return self.ban.network

    @property
    def reason(self) -> BanReason:
        return self.ban.reason

    def ends_in_s(self) -> int:
        """Whole seconds, at least one, at most a day."""
        left = -(-(self.ban.ends_at - self._clock.now()) // SECOND)
        return max(1, min(left, _LONGEST_RETRY_S))


class BanTable:
    """`exempt`: canonical addresses and networks that no ban reaches, whatever it covers."""

    def __init__(self, clock: SteadyClock, exempt: Iterable[str] = (), *, max_live: int = MAX_LIVE) -> None:
        self._clock = clock
        self._exempt = tuple(prefix_of(network) for network in exempt)
        self._max_live = max_live
        self._levels: dict[tuple[int, int], dict[int, LiveBan]] = {}
        self._lengths: dict[int, tuple[tuple[int, dict[int, LiveBan]], ...]] = {}
        self._live: dict[str, LiveBan] = {}
        self._past: OrderedDict[str, Ban] = OrderedDict()
        self._ends: list[tuple[Instant, str]] = []
        self._within: Counter[tuple[Widening, int]] = Counter()

    def __len__(self) -> int:
        """How many are live, or were until a moment ago."""
        return len(self._live)

    def __iter__(self) -> Iterator[Ban]:
        """Those that are live."""
        now = self._clock.now()
        return iter([found.ban for found in self._live.values() if found.ban.is_live(now)])

    def find(self, address: str) -> LiveBan | None:
        """The ban that keeps `address` (canonical) out, the longest where there are several."""
        if not self._live:
            return None
        place = place_of(address)
        return self._find(place) if place is not None else None

    def _find(self, place: Place) -> LiveBan | None:
        found: LiveBan | None = None
        for shift, entries in self._lengths.get(place.bits, ()):
            entry = entries.get(place.value >> shift)
            if entry is not None and (found is None or entry.ban.ends_at > found.ban.ends_at):
                found = entry
        if found is None or not found.ban.is_live(self._clock.now()) or self._holds_exempt(place):
            return None
        return found

    def is_exempt(self, address: str) -> bool:
        place = place_of(address)
        return place is not None and self._holds_exempt(place)

    def covers_exempt(self, network: str) -> bool:
        """Whether everybody in a canonical network is exempt."""
        prefix = prefix_of(network)
        return any(
            each.bits == prefix.bits and each.length <= prefix.length and prefix.to(each.length) == each
            for each in self._exempt
        )

    def _holds_exempt(self, place: Place) -> bool:
        return any(prefix.holds(place) for prefix in self._exempt)

    def last_of(self, network: str) -> Ban | None:
        """The newest ban of exactly this network, live or remembered."""
        live = self._live.get(network)
        return live.ban if live is not None else self._past.get(network)

    def within(self, network: str) -> list[Ban]:
        """The live bans of this canonical network and of all in it."""
        outer = prefix_of(network)
        return [ban for ban in self if _is_within(prefix_of(ban.network), outer)]

    def put(self, ban: Ban) -> None:
        """Take `ban` as the newest of its network. One that is over, or was lifted, is remembered or forgotten."""
        self.remove(ban.network)
        now = self._clock.now()
        if not ban.is_live(now):
            self._remember(ban, now)
            return
        self._insert(ban)
        if len(self._live) > self._max_live:
            self._drop_soonest()

    def remove(self, network: str) -> None:
        """Forget the live ban of `network`, and any that came before it."""
        self._past.pop(network, None)
        found = self._live.pop(network, None)
        if found is None:
            return
        prefix = prefix_of(network)
        level = self._levels[prefix.bits, prefix.length]
        del level[prefix.value]
        self._count(found.ban, prefix, -1)
        if not level:
            del self._levels[prefix.bits, prefix.length]
            self._index()

    def expire(self) -> None:
        """Move what has ended to what is remembered, and forget what makes no difference any more."""
        now = self._clock.now()
        while self._ends and self._ends[0][0] <= now:
            self._retire(*heapq.heappop(self._ends), now)
        for network in [network for network, ban in self._past.items() if not is_remembered(ban, now)]:
            del self._past[network]

    def neighbours(self, prefix: Prefix) -> list[Prefix]:
        """The networks around `prefix` that are to be banned, since enough in them is."""
        return [
            prefix.to(rule.to)
            for rule in _rules_for(prefix)
            if self._within[rule, prefix.to(rule.to).value] >= rule.least
        ]

    def _insert(self, ban: Ban) -> None:
        prefix = prefix_of(ban.network)
        level = self._levels.get((prefix.bits, prefix.length))
        if level is None:
            level = self._levels[prefix.bits, prefix.length] = {}
            self._index()
        level[prefix.value] = self._live[ban.network] = LiveBan(ban, self._clock)
        self._count(ban, prefix, 1)
        heapq.heappush(self._ends, (ban.ends_at, ban.network))
        if len(self._ends) > 2 * len(self._live) + MAX_PAST:
            self._ends = [(found.ban.ends_at, network) for network, found in self._live.items()]
            heapq.heapify(self._ends)

    def _index(self) -> None:
        lengths: dict[int, list[tuple[int, dict[int, LiveBan]]]] = {}
        for (bits, length), level in self._levels.items():
            lengths.setdefault(bits, []).append((bits - length, level))
        self._lengths = {bits: tuple(levels) for bits, levels in lengths.items()}

    def _count(self, ban: Ban, prefix: Prefix, step: int) -> None:
        for rule in _rules_for(prefix) if widens(ban) else ():
            key = rule, prefix.to(rule.to).value
            self._within[key] += step
            if not self._within[key]:
                del self._within[key]

    def _retire(self, ends_at: Instant, network: str, now: Instant) -> None:
        """A heap's entry may be of an earlier ban of the same network: then it says nothing."""
        found = self._live.get(network)
        if found is not None and found.ban.ends_at == ends_at:
            self.remove(network)
            self._remember(found.ban, now)

    def _remember(self, ban: Ban, now: Instant) -> None:
        if is_remembered(ban, now):
            self._past[ban.network] = ban
            if len(self._past) > MAX_PAST:
                self._past.popitem(last=False)

    def _drop_soonest(self) -> None:
        while len(self._live) > self._max_live:
            ends_at, network = heapq.heappop(self._ends)
            found = self._live.get(network)
            if found is not None and found.ban.ends_at == ends_at:
                self.remove(network)


def _rules_for(prefix: Prefix) -> list[Widening]:
    if prefix.bits != V6_BITS:
        return []
    return [rule for rule in WIDENINGS if rule.of == prefix.length]


def _is_within(inner: Prefix, outer: Prefix) -> bool:
    return inner.bits == outer.bits and inner.length >= outer.length and inner.to(outer.length) == outer
