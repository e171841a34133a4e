"""The one question about limits that Redis is asked, for many requests together: its script, keys and arguments."""

from collections.abc import Iterable, Sequence
from typing import Final

from watchword.server.limits.model import Demand, Slots
from watchword.server.redis.line import Argument
from watchword.server.redis.link import PREFIX
from watchword.server.redis.script import Script

LEASE_S: Final = 60
"""After which a place is free again though nobody gave it back: its node was killed."""
NO_PLACE: Final = -1
"""Stands for the places of a demand, where the answer names what refused it."""
Held = tuple[str, str]
"""A place that a request holds: the key of the places, the token of its lease."""

# First come the places that are given back, then those that are held on to, then the demands. The answer has two
# numbers for each demand: 0 for a lease, else which of its buckets refuses (from 1), or NO_PLACE; and the microseconds
# to wait.
#
# Times are microseconds since 2026: a double then holds parts of one for a century. A wait below one microsecond is
# none, so that rounding refuses nobody. Expired leases are looked for only where there is no room.
ASK: Final = Script(f"""\
local time = redis.call('TIME')
local now = (tonumber(time[1]) - 1767225600) * 1000000 + tonumber(time[2])
local key, argument = 0, 0
local function next_key() key = key + 1 return KEYS[key] end
local function next_text() argument = argument + 1 return ARGV[argument] end
local function next_number() return tonumber(next_text()) end
local function exact(number) return string.format('%.17g', number) end
local function keep(name, arrival)
  redis.call('SET', name, exact(arrival), 'PX', exact(math.ceil((arrival - now) / 1000) + 1))
end
local lease_us = {LEASE_S * 1_000_000}
local function has_place(name, limit)
  if redis.call('ZCARD', name) < limit then return true end
  redis.call('ZREMRANGEBYSCORE', name, '-inf', exact(now))
  redis.call('ZREMRANGEBYSCORE', name, '(' .. exact(now + lease_us), '+inf')
  return redis.call('ZCARD', name) < limit
end

for _ = 1, next_number() do redis.call('ZREM', next_key(), next_text()) end
for _ = 1, next_number() do
  local places = next_key()
  redis.call('ZADD', places, 'XX', exact(now + lease_us), next_text())
  redis.call('PEXPIRE', places, {LEASE_S * 1000})
end
local answers = {{}}
for _ = 1, next_number() do
  local buckets, limit, lease = next_number(), next_number(), next_text()
  local longest, closed, taken = 0, 0, {{}}
  for index = 1, buckets do
    local name, interval, depth = next_key(), next_number() / 1000, next_number() / 1000
    local arrival = tonumber(redis.call('GET', name) or now)
    if arrival > now + depth then
      arrival = now + depth
      keep(name, arrival)
    end
    local after = math.max(arrival, now) + interval
    local wait = after - now - depth
    if wait >= 1 and wait > longest then longest, closed = wait, index end
    taken[name] = after
  end
  local places = limit > 0 and next_key()
  if closed == 0 and places and not has_place(places, limit) then closed = {NO_PLACE} end
  if closed == 0 then
    for name, after in pairs(taken) do keep(name, after) end
    if places then
      redis.call('ZADD', places, exact(now + lease_us), lease)
      redis.call('PEXPIRE', places, {LEASE_S * 1000})
    end
  end
  answers[#answers + 1] = closed
  answers[#answers + 1] = math.ceil(longest)
end
return answers
""")


def places_of(slots: Slots) -> str:
    return f"{PREFIX}places:{slots.key}"


def written(
    returned: Sequence[Held], kept: Sequence[Held], demands: Iterable[tuple[Demand, str]]
) -> tuple[list[str], list[Argument]]:
    """Keys and arguments, in the order in which the script takes them; each demand with the token of its lease."""
    keys = [key for key, _ in (*returned, *kept)]
    args: list[Argument] = [len(returned), *(token for _, token in returned)]
    args += (len(kept), *(token for _, token in kept))
    demands = tuple(demands)
    args.append(len(demands))
    for demand, token in demands:
        slots = demand.slots
        args += (len(demand.buckets), 0 if slots is None else slots.limit, token)
        for bucket in demand.buckets:
            keys.append(f"{PREFIX}bucket:{bucket.key}")
            args += (bucket.rate.interval_ns, bucket.rate.depth_ns)
        if slots is not None:
            keys.append(places_of(slots))
    return keys, args
