"""Turns in a lane: how many verify at once in this process, who waits for one, and which lanes have changed lately."""

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakValueDictionary

from watchword.server.guessing.model import LaneKey

REMEMBERED: Final = 4096
"""Lanes that changed lately. Of those forgotten one is read again, which costs a read and is never wrong."""


@dataclass(slots=True)
class _Lane:
    taken: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    recording: asyncio.Lock = field(default_factory=asyncio.Lock)


class Turns:
    """Bounded by the requests that are in work: a lane that nobody is in is not here."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._lanes: dict[LaneKey, _Lane] = {}
        self._closing: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._remembered = remembered
        self._changed: OrderedDict[LaneKey, int] = OrderedDict()
        self._count = 0
        self._forgotten = 0

    def __len__(self) -> int:
        return len(self._lanes)

    def mark(self) -> int:
        """This moment; what is read of a lane after it can be asked about by `changed`."""
        return self._count

    def note_change(self, key: LaneKey) -> None:
        """The lane's row is another one now."""
        self._count += 1
        self._changed[key] = self._count
        self._changed.move_to_end(key)
        if len(self._changed) > self._remembered:
            self._forgotten = self._changed.popitem(last=False)[1]

    def changed(self, key: LaneKey, mark: int) -> bool:
        """Whether what was read after `mark` may have been overtaken by this process."""
        return self._changed.get(key, self._forgotten) > mark

    def take(self, key: LaneKey, places: int) -> bool:
        """A turn, if fewer than `places` are taken; `leave` it."""
        lane = self._lanes.setdefault(key, _Lane())
        if lane.taken >= places:
            return False
        lane.taken += 1
        return True

    def leave(self, key: LaneKey) -> None:
        self._lanes[key].taken -= 1
        self.wake(key)

    async def wait(self, key: LaneKey, seconds: float, *, first: bool) -> None:
        """Until somebody leaves; `first` for whoever has waited before. Raises `TimeoutError`."""
        lane = self._lanes.setdefault(key, _Lane())
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (lane.waiting.appendleft if first else lane.waiting.append)(future)
        async with asyncio.timeout(seconds):
            await future

    def wake(self, key: LaneKey) -> None:
        """Let the next look whether there is a turn now. Whoever was woken and takes none wakes the next."""
        lane = self._lanes.get(key)
        if lane is None:
            return
        while lane.waiting:
            future = lane.waiting.popleft()
            if not future.done():
                future.set_result(None)
                return
        if not lane.taken:
            del self._lanes[key]

    def recording(self, key: LaneKey) -> asyncio.Lock:
        """One failure of a lane is counted after the other. Only while a turn is held."""
        return self._lanes[key].recording

    def closing(self, owner: bytes) -> asyncio.Lock:
        """One failure of an owner is counted after the other, where it may close lanes that count together."""
        return self._closing.setdefault(owner, asyncio.Lock())
