"""Limits that all nodes of one Redis share, by Redis' clock: one script takes all buckets and places of a request.

Requests that come in the same turn of the event loop, and places that were given back since, go in one question. A
bucket is a key that holds its arrival time and ends when the bucket is full; the places of a source are a sorted set of
leases by the time at which they end. While Redis is away, this node counts for itself, or refuses.
"""

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import Sequence
from itertools import count
from typing import Final, NamedTuple
from weakref import WeakSet

from watchword.core.clock import Clock
from watchword.core.entropy import Entropy
from watchword.errors import UnavailableError
from watchword.server.limits.memory import MAX_BUCKETS, MemoryLimiter
from watchword.server.limits.model import (
    CONCURRENT,
    CONCURRENT_RETRY_MS,
    Bucket,
    Demand,
    Exceeded,
    Lease,
    Rate,
    whole_ms,
)
from watchword.server.limits.question import ASK, LEASE_S, NO_PLACE, Held, places_of, written
from watchword.server.redis.link import RedisLink

KEEP_S: Final = LEASE_S / 4
"""How often this node says that it still holds its places: two such messages may be lost."""
GIVE_BACK_S: Final = 0.05
"""How long a place that was given back waits for a question that takes it along."""
MAX_TOGETHER: Final = 128
"""Requests in one question: a script holds up everybody else, this one for about a millisecond."""
MAX_GIVEN_BACK: Final = 8192
"""Leases to give back while Redis is away; those beyond end by themselves."""
_NS_PER_US: Final = 1000


class _Asked(NamedTuple):
    demand: Demand
    token: str
    """Of the lease that it gets."""
    answer: asyncio.Future[Lease | Exceeded]


class _Closed(NamedTuple):
    """A bucket that lets nobody in for some time; instants in seconds of the monotonic clock."""

    until: float
    """At least until then. Reckoned from the question: Redis answered after that."""
    at_latest: float
    """Reckoned from the answer."""
    name: str
    rate: Rate


class RedisLimiter:
    """`Limiter` over Redis. `close` it before the link."""

    def __init__(
        self, link: RedisLink, *, clock: Clock, entropy: Entropy, fallback: MemoryLimiter | None
    ) -> None:
        """`fallback` counts while Redis is away; None refuses then."""
        self._link: Final = link
        self._clock: Final = clock
        self._fallback: Final = fallback
        self._node: Final = entropy.bytes(8).hex()
        self._numbers: Final = count()
        self._asked: list[_Asked] = []
        self._given_back: Final[deque[Held]] = deque(maxlen=MAX_GIVEN_BACK)
        self._held: Final[WeakSet[Lease]] = WeakSet()
        """Of requests in work; one that somebody lost without giving it back ends by itself."""
        self._keeper: asyncio.TimerHandle | None = None
        self._closed: Final[OrderedDict[str, _Closed]] = OrderedDict()
        """Buckets that nobody can be let in by until then, wherever he asks. The oldest goes where there is no room."""
        self._timer: asyncio.TimerHandle | None = None
        self._under_way: Final[set[asyncio.Task[None]]] = set()
        link.on_change.append(self._changed)

    async def reserve(self, demand: Demand) -> Lease | Exceeded:
        if not demand.buckets and demand.slots is None:
            return Lease()
        if not self._link.up:
            return self._without_redis(demand)
        known = self._known(demand)
        if known is not None:
            return known
        loop = asyncio.get_running_loop()
        asked = _Asked(demand, f"{self._node}.{next(self._numbers)}", loop.create_future())
        if not self._asked:
            loop.call_soon(self._send)
        self._asked.append(asked)
        try:
            return await asked.answer
        except asyncio.CancelledError:
            self._undo(asked.answer)
            raise

    def release(self, lease: Lease) -> None:
        if not lease.held:
            return
        if not lease.token:
            if self._fallback is not None:
                self._fallback.release(lease)
            return
        lease.held = False
        self._held.discard(lease)
        self._give_back((lease.key, lease.token))

    def closed_ms(self, key: str) -> int:
        if not self._link.up:
            return self._fallback.closed_ms(key) if self._fallback is not None else 0
        closed = self._find_closed(key)
        return 0 if closed is None else self._left_ms(closed)

    async def close(self) -> None:
        """Give back what is held no more."""
        for timer in (self._timer, self._keeper):
            if timer is not None:
                timer.cancel()
        self._send()
        await asyncio.gather(*self._under_way)

    def _without_redis(self, demand: Demand) -> Lease | Exceeded:
        if self._fallback is None:
            raise UnavailableError(retry_after=1)
        return self._fallback.take(demand)

    def _undo(self, answer: asyncio.Future[Lease | Exceeded]) -> None:
        """The caller was cancelled when its answer was there already."""
        if answer.done() and not answer.cancelled() and answer.exception() is None:
            result = answer.result()
            if isinstance(result, Lease):
                self.release(result)

    def _known(self, demand: Demand) -> Exceeded | None:
        longest: Exceeded | None = None
        for bucket in demand.buckets:
            closed = self._find_closed(bucket.key)
            if closed is not None and closed.rate == bucket.rate:  # limits may change while we run
                found = Exceeded(closed.name, closed.rate, self._left_ms(closed))
                if longest is None or found.retry_after_ms > longest.retry_after_ms:
                    longest = found
        return longest

    def _find_closed(self, key: str) -> _Closed | None:
        closed = self._closed.get(key)
        if closed is not None and closed.until <= self._clock.monotonic():
            del self._closed[key]
            return None
        return closed

    def _left_ms(self, closed: _Closed) -> int:
        return max(1, math.ceil((closed.at_latest - self._clock.monotonic()) * 1000))

    def _give_back(self, held: Held) -> None:
        self._given_back.append(held)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GIVE_BACK_S, self._send_returns)

    def _send_returns(self) -> None:
        self._timer = None
        if self._given_back and self._link.up:
            self._send()

    def _keep(self) -> None:
        """Hold on to the places of requests that are still in work."""
        self._keeper = None
        kept = [(lease.key, lease.token) for lease in self._held]
        if not kept:
            return
        for start in range(0, len(kept), MAX_TOGETHER):
            self._ask_soon((), (), kept[start : start + MAX_TOGETHER])
        self._keep_later()

    def _keep_later(self) -> None:
        if self._keeper is None:
            self._keeper = asyncio.get_running_loop().call_later(KEEP_S, self._keep)

    def _send(self) -> None:
        """Ask for all that wait, and give back what lies here, in as few questions as may be."""
        asked, self._asked = self._asked, []
        for start in range(0, max(len(asked), len(self._given_back)), MAX_TOGETHER):
            returned = [self._given_back.popleft() for _ in range(min(MAX_TOGETHER, len(self._given_back)))]
            self._ask_soon(asked[start : start + MAX_TOGETHER], returned, ())

    def _ask_soon(self, asked: Sequence[_Asked], returned: Sequence[Held], kept: Sequence[Held]) -> None:
        task = asyncio.get_running_loop().create_task(self._ask(asked, returned, kept))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _ask(self, asked: Sequence[_Asked], returned: Sequence[Held], kept: Sequence[Held]) -> None:
        try:
            await self._ask_redis(asked, returned, kept)
        finally:  # whatever happens, nobody waits for ever
            for one in asked:
                if not one.answer.done():
                    one.answer.set_exception(UnavailableError(retry_after=1))

    async def _ask_redis(
        self, asked: Sequence[_Asked], returned: Sequence[Held], kept: Sequence[Held]
    ) -> None:
        keys, args = written(returned, kept, ((one.demand, one.token) for one in asked))
        began = self._clock.monotonic()
        try:
            found = await self._link.run(ASK, keys, args)
        except UnavailableError as error:
            self._given_back.extend(returned)
            self._answer_without_redis(asked, error)
            return
        for number, one in enumerate(asked):
            self._answer(one, found[2 * number], found[2 * number + 1], began)

    def _answer_without_redis(self, asked: Sequence[_Asked], error: UnavailableError) -> None:
        for one in asked:
            if one.demand.slots is not None:  # Redis may have granted it all the same
                self._given_back.append((places_of(one.demand.slots), one.token))
            if one.answer.cancelled():
                continue
            if self._fallback is None:
                one.answer.set_exception(error)
            else:
                one.answer.set_result(self._fallback.take(one.demand))

    def _answer(self, one: _Asked, closed: int, wait_us: int, began: float) -> None:
        result: Lease | Exceeded
        if closed == 0:
            result = self._lease(one)
        elif closed == NO_PLACE:
            result = Exceeded(CONCURRENT, None, CONCURRENT_RETRY_MS)
        else:
            result = self._remember(one.demand.buckets[closed - 1], wait_us, began)
        if not one.answer.cancelled():
            one.answer.set_result(result)
        elif isinstance(result, Lease):
            self.release(result)

    def _lease(self, one: _Asked) -> Lease:
        if one.demand.slots is None:
            return Lease()
        lease = Lease(places_of(one.demand.slots), one.token)
        self._held.add(lease)
        self._keep_later()
        return lease

    def _remember(self, bucket: Bucket, wait_us: int, began: float) -> Exceeded:
        wait = wait_us / 1_000_000
        self._closed[bucket.key] = _Closed(
            began + wait, self._clock.monotonic() + wait, bucket.name, bucket.rate
        )
        if len(self._closed) > MAX_BUCKETS:
            self._closed.popitem(last=False)
        return Exceeded(bucket.name, bucket.rate, whole_ms(wait_us * _NS_PER_US))

    def _changed(self, up: bool) -> None:  # noqa: FBT001  # as `on_change` calls
        """A Redis that comes back may have forgotten."""
        self._closed.clear()
        if up:
            self._send_returns()
