"""The book of offences that nodes share: whoever is attacked through all of them counts once.

Each failure is counted here first, in the memory of this node and behind that in the database, then in Redis; what is
told is the greater. So a Redis that is away, restarted or flushed makes nobody forget more than what other nodes saw.
"""

import asyncio
import contextlib
from typing import Any, Final

from watchword.errors import UnavailableError
from watchword.server.bans.book import MemoryOffenceBook, Told
from watchword.server.bans.policy import BanPolicy, Tally
from watchword.server.redis.link import PREFIX, RedisLink
from watchword.server.redis.script import Script

MAX_FORGOTTEN: Final = 4096
"""Sources that Redis is still to forget. Beyond, what it remembers of one ends with the window."""
COUNT: Final = Script("""\
local time = redis.call('TIME')
local now, window = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[1])
local most_times, most_names, tag = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local kept = redis.call('GET', KEYS[1])
local old = kept and cmsgpack.unpack(kept) or {{}, {}, {}}
local times, names, tags = {}, {}, {}
for _, at in ipairs(old[1]) do
  if at > now - window then table.insert(times, math.min(at, now)) end
end
for place, at in ipairs(old[2]) do
  if at > now - window and old[3][place] ~= tag then
    table.insert(names, math.min(at, now))
    table.insert(tags, old[3][place])
  end
end
table.insert(times, now)
if tag ~= '' then
  table.insert(names, now)
  table.insert(tags, tag)
end
if #times > most_times then table.remove(times, 1) end
if #names > most_names then
  table.remove(names, 1)
  table.remove(tags, 1)
end
redis.call('SET', KEYS[1], cmsgpack.pack({times, names, tags}), 'PX', window)
return {#times, #names}
""")
FORGET: Final = Script("return {redis.call('DEL', unpack(KEYS))}")


class SharedOffenceBook:
    """`OffenceBook` over the book of this node and Redis. `told` is called once for each count, or never."""

    def __init__(self, own: MemoryOffenceBook, link: RedisLink, policy: BanPolicy) -> None:
        self._own: Final = own
        self._link: Final = link
        self._policy: Final = policy
        self._asking: Final[dict[str, set[asyncio.Task[None]]]] = {}
        self._forgetting: Final[set[asyncio.Task[None]]] = set()
        self._to_forget: Final[dict[str, None]] = {}

    def count(self, source: str, tag: bytes, told: Told) -> None:
        found: list[Tally] = []
        self._own.count(source, tag, found.append)
        own = found[0]
        if not self._link.up or source in self._to_forget or self._is_enough(own):
            told(own)
            return
        task = asyncio.get_running_loop().create_task(self._ask(source, tag, own, told))
        asking = self._asking.setdefault(source, set())
        asking.add(task)
        task.add_done_callback(lambda done: self._asked(source, done))

    def forget(self, source: str) -> None:
        self._own.forget(source)
        for task in self._asking.pop(source, ()):
            if task is not asyncio.current_task():
                task.cancel()  # its answer would be of before
        self._to_forget[source] = None
        while len(self._to_forget) > MAX_FORGOTTEN:
            del self._to_forget[next(iter(self._to_forget))]
        task = asyncio.get_running_loop().create_task(self._forget())
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)

    async def load(self) -> None:
        await self._own.load()

    async def flush(self) -> None:
        await self._own.flush()
        await self._forget()

    def _is_enough(self, tally: Tally) -> bool:
        return tally.failures >= self._policy.failures or tally.names >= self._policy.names

    async def _ask(self, source: str, tag: bytes, own: Tally, told: Told) -> None:
        policy = self._policy
        try:
            answer: list[Any] = await self._link.run(
                COUNT, [_key(source)], [policy.window_ms, policy.failures, policy.names, tag]
            )
        except UnavailableError:
            told(own)
        else:
            told(Tally(max(own.failures, answer[0]), max(own.names, answer[1])))

    def _asked(self, source: str, task: asyncio.Task[None]) -> None:
        asking = self._asking.get(source)
        if asking is not None:
            asking.discard(task)
            if not asking:
                del self._asking[source]

    async def _forget(self) -> None:
        """What Redis holds of sources that begin at nothing; those that it does not hear of are tried again."""
        sources = list(self._to_forget)
        if not sources or not self._link.up:
            return
        with contextlib.suppress(UnavailableError):
            await self._link.run(FORGET, [_key(source) for source in sources])
            for source in sources:
                self._to_forget.pop(source, None)


def _key(source: str) -> str:
    return f"{PREFIX}offences:{source}"
