"""What was used once, remembered in Redis for all nodes; and one uninterrupted memory of that, known by its id.

A mark in Redis says that a key was used. A mark can be lost: Redis restarts, perhaps with an older snapshot, is
flushed, evicts keys, or has its clock set forward, at which it drops what has a time to live. So that no lost mark
makes a used key good again, one record stands for the memory as a whole, and is lost with the marks:

    lost with                  because
    restart, older snapshot    it holds the run id of Redis, and its name the link's boot id, which belongs to that run
    standby behind a proxy     as above: not even the connection has to end
    flush                      it is a key like any other
    eviction                   it holds how many keys were evicted before
    clock set forward          a mark outlives its key by more than the record's whole life
    clock set back             it holds the latest time that was seen: what had expired would be fresh again

Whoever finds it lost begins a new memory under a new id, and everything that is older is refused by everybody.
"""

import asyncio
import contextlib
import enum
from dataclasses import dataclass
from typing import Any, Final

from watchword.core.clock import SECOND, Clock, Instant
from watchword.core.entropy import Entropy
from watchword.errors import UnavailableError
from watchword.server.redis.link import PREFIX, RedisLink
from watchword.server.redis.script import Script

MEMORY_ID_SIZE: Final = 8
RECORD_LIFE: Final = 60 * SECOND
_BACK: Final = 5 * SECOND
"""A clock that is set back by less is let pass: the spare time of marks is longer."""
_SPARE: Final = 30 * SECOND
EARLY: Final = 1 * SECOND
"""A key may come this long before its beginning: nodes know Redis' time by a few milliseconds only."""
_FRESH: Final = 30 * SECOND
"""How long what was seen last may be gone by."""
_LOOK_EVERY_S: Final = 10.0
_SCRIPT: Final = Script(f"""\
local time, info = redis.call('TIME'), redis.call('INFO', 'server', 'stats')
local state = (string.match(info, 'run_id:(%x+)') or '') .. ' ' .. (string.match(info, 'evicted_keys:(%d+)') or '')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local record = redis.call('HMGET', KEYS[1], 'id', 'since', 'latest', 'state')
local id, since, latest = record[1], tonumber(record[2]), tonumber(record[3])
if not id or record[4] ~= state or now < latest - {_BACK} then
  redis.call('DEL', KEYS[1])
  id, since, latest = ARGV[1], now, 0
  redis.call('HSET', KEYS[1], 'id', id, 'since', now, 'state', state)
end
redis.call('HSET', KEYS[1], 'latest', math.max(now, latest))
redis.call('PEXPIRE', KEYS[1], {RECORD_LIFE})
local found = 'seen'
if KEYS[2] then
  local from, till = tonumber(ARGV[3]), tonumber(ARGV[4])
  if ARGV[2] ~= '' and ARGV[2] ~= id or ARGV[2] == '' and since > from then found = 'forgotten'
  elseif now < from - {EARLY} or now >= till then found = 'expired'
  elseif redis.call('SET', KEYS[2], '', 'NX', 'PX', till - from + {RECORD_LIFE + _SPARE}) then found = 'first'
  else found = 'used' end
end
return {{id, since, now, found}}
""")


class Use(enum.StrEnum):
    """What became of a claim."""

    FIRST = "first"
    USED = "used"
    EXPIRED = "expired"
    FORGOTTEN = "forgotten"
    """It belongs to another memory, which may have seen it used."""


@dataclass(frozen=True, slots=True)
class Memory:
    """`since` and `now` are by Redis' clock."""

    id: bytes
    since: Instant
    now: Instant


class Uses:
    """Asks the Redis behind `link`. One question each; all raise `UnavailableError` where that is not answered."""

    def __init__(self, link: RedisLink, *, clock: Clock, entropy: Entropy) -> None:
        self._link: Final = link
        self._clock: Final = clock
        self._entropy: Final = entropy
        self._seen = Memory(b"", Instant(0), Instant(0))
        self._seen_at = 0
        self._seen_boot = b""

    @property
    def up(self) -> bool:
        """Whether the link is up, as far as this node knows."""
        return self._link.up

    @property
    def last_id(self) -> bytes:
        """The id of the memory that was seen last; empty before the first."""
        return self._seen.id

    async def current(self) -> Memory:
        """The memory of this moment; asks only where it was not seen lately."""
        if not self._link.up or self._link.boot_id != self._seen_boot or self._age() > _FRESH:
            await self.look()
        return Memory(self._seen.id, self._seen.since, Instant(self._seen.now + self._age()))

    async def look(self) -> None:
        """Find out which memory it is, and keep it from ending."""
        await self._ask([], [b"", 0, 0])

    async def keep(self) -> None:
        """For ever: a memory that nobody looked at for a minute ends, and every key of it."""
        while True:
            with contextlib.suppress(UnavailableError):
                await self.look()
            await asyncio.sleep(_LOOK_EVERY_S)

    async def claim(self, key: bytes, *, from_: Instant, till: Instant, memory_id: bytes = b"") -> Use:
        """Use `key` up, which is good in `from_ <= now < till` by Redis' clock.

        With `memory_id` it must be of that memory, else of any that is not younger than the key.
        """
        return await self._ask([f"{PREFIX}used:{key.hex()}"], [memory_id, from_, till])

    async def _ask(self, marks: list[str], arguments: list[bytes | int]) -> Use:
        boot = self._link.boot_id
        fresh = self._entropy.bytes(MEMORY_ID_SIZE)
        answer = await self._link.run(_SCRIPT, [f"{PREFIX}uses:{boot.hex()}", *marks], [fresh, *arguments])
        self._note(boot, answer)
        return Use(answer[3].decode()) if marks else Use.FIRST

    def _note(self, boot: bytes, answer: list[Any]) -> None:
        self._seen = Memory(bytes(answer[0]), Instant(answer[1]), Instant(answer[2]))
        self._seen_at, self._seen_boot = self._monotonic(), boot

    def _age(self) -> int:
        return self._monotonic() - self._seen_at

    def _monotonic(self) -> int:
        return int(self._clock.monotonic() * SECOND)
