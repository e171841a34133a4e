"""Who did what lately: the offences that do not ban at once, counted by source.

One interface, for a book in this process' memory and for one that nodes share.
"""

import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, Protocol

from watchword.core.clock import Instant, SteadyClock
from watchword.server.bans.policy import BanPolicy, Tally
from watchword.server.bans.store import MAX_SAVED, KeptOffences, OffenceStore
from watchword.server.bans.window import NOTHING, Window
from watchword.server.db.unit import Database, Unit

MAX_SOURCES: Final = 65_536
MAX_BYTES: Final = 24 << 20
"""Of windows. By the default policy a source has at most 480."""
_LOOKED_AT: Final = 16
"""Sources that are compared to find the one that gives way."""

Told = Callable[[Tally], None]


class OffenceBook(Protocol):
    """Counts failures and different names of each source within the window of the policy."""

    def count(self, source: str, tag: bytes, told: Told) -> None:
        """One failure more; `tag` (8 bytes) tells names apart, or is empty. Never waits.

        `told` is called with the tally: before this returns, or soon, or never where the tally cannot be had.
        """
        ...

    def forget(self, source: str) -> None:
        """Begin at nothing for `source`: it was banned, or let in again. Never waits."""
        ...

    async def load(self) -> None:
        """Read what was kept, once at the start. Raises `UnavailableError`, `DamagedError`."""
        ...

    async def flush(self) -> None:
        """Keep what has changed. Raises `UnavailableError`: then it is for the next time."""
        ...


class MemoryOffenceBook:
    """Bounded; written behind. `node` is whose rows in the store are ours.

    Full, it drops the least telling: whoever failed once, the oldest first, so that no flood of addresses makes us
    forget those that fail again and again. An eighth is kept for the former, so that there is always room for new ones.
    """

    def __init__(
        self,
        policy: BanPolicy,
        clock: SteadyClock,
        *,
        store: OffenceStore,
        database: Database,
        node: str,
        max_sources: int = MAX_SOURCES,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._store = store
        self._database = database
        self._node = node
        self._max_sources = max_sources
        self._once: OrderedDict[str, Window] = OrderedDict()
        self._again: OrderedDict[str, Window] = OrderedDict()
        self._size = 0
        self._changed: set[str] = set()
        self._kept: dict[str, None] = {}
        """Sources with a row in the store, as far as we know; at most `max_sources`, the newest."""
        self._forgotten: dict[str, None] = {}
        """Of those, whose row is to go; at most as many. Beyond, it says nothing more at the window's end."""

    def __len__(self) -> int:
        return len(self._once) + len(self._again)

    def count(self, source: str, tag: bytes, told: Told) -> None:
        now = self._clock.now()
        window = self._get(source).add(tag, now, self._policy)
        self._set(source, window)
        self._changed.add(source)
        self._forgotten.pop(source, None)
        self._make_room(now)
        told(window.tally())

    def forget(self, source: str) -> None:
        self._drop(source)
        if source in self._kept:
            self._note(self._forgotten, [source])

    async def load(self) -> None:
        now = self._clock.now()
        start = Instant(now - self._policy.window_ms)
        for kept in await self._store.load_offences(self._node, since=start, limit=self._max_sources):
            self._set(kept.source, kept.window.not_after(now).since(start))
            self._note(self._kept, [kept.source])
        self._make_room(now)

    async def flush(self) -> None:
        """At most MAX_SAVED sources, those with the most failures first; the others have the next turn."""
        self.tidy()
        changed = heapq.nlargest(MAX_SAVED, self._changed, key=lambda source: len(self._get(source).times))
        forgotten = list(islice(self._forgotten, MAX_SAVED))
        if not changed and not forgotten:
            return
        unit = Unit(key=b"offences")
        for source in forgotten:
            self._store.drop_offences(unit, source, self._node)
        for source in changed:
            self._store.save_offences(unit, KeptOffences(source, self._get(source)), self._node)
        self._changed.difference_update(changed)
        for source in forgotten:
            del self._forgotten[source]
            self._kept.pop(source, None)
        self._note(self._kept, changed)  # also where this fails: nobody knows then
        try:
            await self._database.commit(unit)
        except BaseException:
            self._changed.update(source for source in changed if self._get(source).times)
            self._note(self._kept, forgotten)
            self._note(self._forgotten, [source for source in forgotten if not self._get(source).times])
            raise

    def tidy(self) -> None:
        """Drop sources whose window is empty by now: in front stands what was heard of least lately."""
        now = self._clock.now()
        for rows in (self._once, self._again):
            while rows and not self._live(next(iter(rows.values())), now).times:
                self._drop(next(iter(rows)))

    def _note(self, noted: dict[str, None], sources: Iterable[str]) -> None:
        for source in sources:
            noted.pop(source, None)
            noted[source] = None
        while len(noted) > self._max_sources:
            del noted[next(iter(noted))]

    def _get(self, source: str) -> Window:
        return self._again.get(source) or self._once.get(source) or NOTHING

    def _live(self, window: Window, now: Instant) -> Window:
        return window.since(Instant(now - self._policy.window_ms))

    def _set(self, source: str, window: Window) -> None:
        self._size += window.size - self._get(source).size
        if window.tally().failures > 1:
            self._once.pop(source, None)
            self._again[source] = window
            self._again.move_to_end(source)
        else:
            self._again.pop(source, None)
            self._once[source] = window
            self._once.move_to_end(source)

    def _drop(self, source: str) -> None:
        self._size -= self._get(source).size
        self._changed.discard(source)
        self._once.pop(source, None)
        self._again.pop(source, None)

    def _make_room(self, now: Instant) -> None:
        while len(self) > self._max_sources or (self._size > MAX_BYTES and len(self) > 1):
            self._drop(self._least_telling(now))

    def _least_telling(self, now: Instant) -> str:
        if len(self._once) > self._max_sources // 8 or not self._again:
            return next(iter(self._once))
        oldest = list(islice(self._again.items(), _LOOKED_AT))
        failures = {source: self._live(window, now).tally().failures for source, window in oldest}
        least = min(failures, key=failures.__getitem__)
        if failures[least]:
            for source in failures:
                self._again.move_to_end(source)  # they have had their turn
        return least
