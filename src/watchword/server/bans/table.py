"""The bans of this process' memory: found in a few microseconds, however many there are.

Nothing here goes through all of them: ids have an index and an order, and what has ended is taken in steps.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from watchword.core.clock import SECOND, Instant, SteadyClock
from watchword.core.ids import BanId
from watchword.server.bans.ends import Ends
from watchword.server.bans.model import Ban
from watchword.server.bans.ordered import Ordered
from watchword.server.bans.policy import WIDENINGS, Widening, is_remembered, remembered_till, widens
from watchword.server.prefixes import V6_BITS, Place, Prefix, PrefixMap, place_of, prefix_of

MAX_LIVE: Final = 131_072
"""About 100 MB. More: those that end soonest go."""
MAX_PAST: Final = 65_536
"""Bans that ended and are remembered for the next one's length. More: the oldest go."""
STEP: Final = 500
"""Bans that `expire` looks at: a few milliseconds."""
_LONGEST_RETRY_S: Final = 86_400
"""Nobody is told to come back in 8,000 years."""


class LiveBan:
    """A ban that was live when it was found."""

    __slots__ = ("_clock", "ban")

    def __init__(self, ban: Ban, clock: SteadyClock) -> None:
        self.ban: Final = ban
        self._clock: Final = clock

    def ends_in_s(self) -> int:
        """Whole seconds, at least one, at most a day."""
        left = -(-(self.ban.ends_at - self._clock.now()) // SECOND)
        return max(1, min(left, _LONGEST_RETRY_S))


class BanTable:
    """`exempt`: canonical addresses and networks that no ban reaches, whatever it covers."""

    def __init__(self, clock: SteadyClock, exempt: Iterable[str] = (), *, max_live: int = MAX_LIVE) -> None:
        self._clock = clock
        self._exempt = PrefixMap[bool]()
        for network in exempt:
            self._exempt.put(prefix_of(network), True)
        self._max_live = max_live
        self._networks = PrefixMap[LiveBan]()
        self._live: dict[str, LiveBan] = {}
        self._by_id: dict[bytes, LiveBan] = {}
        self._order = Ordered()
        self._ends = Ends()
        self._past: OrderedDict[str, Ban] = OrderedDict()
        self._forgets = Ends()
        self._within: Counter[tuple[Widening, int]] = Counter()

    def __len__(self) -> int:
        """How many are live, or were until a moment ago."""
        return len(self._live)

    def find(self, address: str) -> LiveBan | None:
        """The ban that keeps `address` (canonical) out, the longest where there are several."""
        if not self._live:
            return None
        place = place_of(address)
        return self._find(place) if place is not None else None

    def _find(self, place: Place) -> LiveBan | None:
        found: LiveBan | None = None
        for entry in self._networks.around(place):
            if found is None or entry.ban.ends_at > found.ban.ends_at:
                found = entry
        if found is None or not found.ban.is_live(self._clock.now()) or self._exempt.holds(place):
            return None
        return found

    def is_exempt(self, address: str) -> bool:
        place = place_of(address)
        return place is not None and self._exempt.holds(place)

    def covers_exempt(self, network: str) -> bool:
        """Whether everybody in a canonical network is exempt."""
        return self._exempt.covers(prefix_of(network))

    def last_of(self, network: str) -> Ban | None:
        """The newest ban of exactly this network, live or remembered."""
        live = self._live.get(network)
        return live.ban if live is not None else self._past.get(network)

    def by_id(self, ban: BanId) -> Ban | None:
        """A live one."""
        found = self._by_id.get(ban.value)
        return found.ban if found is not None and found.ban.is_live(self._clock.now()) else None

    def page(self, after: BanId | None, limit: int) -> list[Ban]:
        """`limit` live bans at most, in the order of their ids, those behind `after`."""
        keys = self._order.after(after.value if after is not None else b"")
        return list(islice(self._alive(self._by_id[key] for key in keys), limit))

    def within(self, network: str) -> list[Ban]:
        """The live bans of this canonical network and of all in it."""
        return list(self._alive(self._networks.within(prefix_of(network))))

    def around(self, address: str) -> list[Ban]:
        """The live bans of all networks that hold an address, exempt or not."""
        place = place_of(address)
        return list(self._alive(self._networks.around(place))) if place is not None else []

    def _alive(self, found: Iterable[LiveBan]) -> Iterator[Ban]:
        now = self._clock.now()
        return (each.ban for each in found if each.ban.is_live(now))

    def put(self, ban: Ban) -> None:
        """Take `ban` as the newest of its network. One that is over, or was lifted, is remembered or forgotten."""
        self.remove(ban.network)
        now = self._clock.now()
        if not ban.is_live(now):
            self._remember(ban, now)
            return
        self._insert(ban)
        while len(self._live) > self._max_live:
            self.remove(self._ends.soonest())

    def remove(self, network: str) -> None:
        """Forget the live ban of `network`, and any that came before it."""
        self._forget(network)
        found = self._live.pop(network, None)
        if found is None:
            return
        prefix = prefix_of(network)
        self._networks.remove(prefix)
        self._count(found.ban, prefix, -1)
        self._ends.discard(network)
        if self._by_id.get(found.ban.id.value) is found:
            del self._by_id[found.ban.id.value]
            self._order.remove(found.ban.id.value)

    def expire(self) -> bool:
        """Move what has ended to what is remembered, and forget what makes no difference any more, STEP of each.

        True where there may be more: no pause is to be longer for however many that end at once.
        """
        now = self._clock.now()
        ended, forgotten = self._ends.due(now, STEP), self._forgets.due(now, STEP)
        for network in ended:
            ban = self._live[network].ban
            self.remove(network)
            self._remember(ban, now)
        for network in forgotten:
            self._past.pop(network, None)
        return STEP in (len(ended), len(forgotten))

    def neighbours(self, prefix: Prefix) -> list[Prefix]:
        """The networks around `prefix` that are to be banned, since enough in them is."""
        return [
            prefix.to(rule.to)
            for rule in _rules_for(prefix)
            if self._within[rule, prefix.to(rule.to).value] >= rule.least
        ]

    def _insert(self, ban: Ban) -> None:
        prefix, found = prefix_of(ban.network), LiveBan(ban, self._clock)
        self._live[ban.network] = found
        self._networks.put(prefix, found)
        self._count(ban, prefix, 1)
        self._ends.put(ban.network, ban.ends_at)
        if ban.id.value not in self._by_id:
            self._order.add(ban.id.value)
        self._by_id[ban.id.value] = found

    def _count(self, ban: Ban, prefix: Prefix, step: int) -> None:
        for rule in _rules_for(prefix) if widens(ban) else ():
            key = rule, prefix.to(rule.to).value
            self._within[key] += step
            if not self._within[key]:
                del self._within[key]

    def _remember(self, ban: Ban, now: Instant) -> None:
        if is_remembered(ban, now):
            self._past[ban.network] = ban
            self._forgets.put(ban.network, remembered_till(ban))
            if len(self._past) > MAX_PAST:
                self._forget(next(iter(self._past)))

    def _forget(self, network: str) -> None:
        if self._past.pop(network, None) is not None:
            self._forgets.discard(network)


def _rules_for(prefix: Prefix) -> list[Widening]:
    if prefix.bits != V6_BITS:
        return []
    return [rule for rule in WIDENINGS if rule.of == prefix.length]
