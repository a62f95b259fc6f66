"""The few atomic steps of a publish, in Lua. Lookups use none of them.

All keys of a script carry the hash tag of one shop. A numeric `fence` orders publishers: the
higher one was drawn later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from redis import Redis

from recommender.serving.connection import Store

ALLOW_OOM = "#!lua flags=allow-oom\n"
"""Lets a script write when maxmemory is reached; servers before version 7 do not know it."""

TAKE_LEASE = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return false
end
return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}
"""

RENEW_LEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

RELEASE_LEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('UNLINK', KEYS[1])
end
"""

NEXT_FENCE = """
if (tonumber(redis.call('GET', KEYS[1]) or '0') or 0) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1])
end
return redis.call('INCR', KEYS[1])
"""

BEGIN = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[2], (unpack or table.unpack)(ARGV, 3))
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[2])
return 1
"""
"""Only the holder of the lease may describe a generation: another may have made it live."""

COMPLETE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('EXISTS', KEYS[2]) == 0 then
  return 0
end
redis.call('HSET', KEYS[2], 'state', 'complete')
return 1
"""
"""Only the holder of the lease may declare a generation complete: others may have deleted it."""

SWAP = """
local live = redis.call('GET', KEYS[1])
local readable, pointer = pcall(cjson.decode, live or '{}')
readable = readable and type(pointer) == 'table'
local fence = readable and tonumber(pointer.fence) or 0
if fence >= tonumber(ARGV[1]) or fence ~= tonumber(ARGV[4] or fence) then
  return 'superseded'
end
for index = 3, #KEYS do
  if redis.call('HGET', KEYS[index], 'state') ~= 'complete' then
    return 'incomplete'
  end
end
local layers = readable and type(pointer.layers) == 'table' and pointer.layers or {}
if live and readable and layers[#layers] ~= tonumber(ARGV[3]) then
  redis.call('SET', KEYS[2], live)
end
redis.call('SET', KEYS[1], ARGV[2])
return 'live'
"""
"""Move the pointer: fence, pointer, its full generation, and the fence that it was made from.

What was live becomes the previous one where another full generation takes its place.
"""

CHANGE_HIDDEN = """
local now = redis.call('TIME')
local number = now[1] * 1000 + math.floor(now[2] / 1000)
number = math.max(number, (tonumber(redis.call('GET', KEYS[2]) or '0') or 0) + 1)
number = string.format('%.0f', number)
local withhold = ARGV[3] == '1'
local opposite = withhold and ARGV[2] or ARGV[1]
local sign = withhold and ARGV[1] or ARGV[2]
local changed = {}
for index = 4, #ARGV do
  local id = ARGV[index]
  local withheld = redis.call('ZSCORE', KEYS[1], ARGV[1] .. id)
  if withhold ~= (withheld and true or false) then
    redis.call('ZREM', KEYS[1], opposite .. id)
    redis.call('ZADD', KEYS[1], number, sign .. id)
    table.insert(changed, id)
  end
end
if #changed > 0 then
  redis.call('SET', KEYS[2], number)
end
return changed
"""
"""Withhold ids, or show them again, in one change; returns those that it concerned.

The arguments are the pair of signs, 1 or 0 for withhold or show, and the ids.

The number of a change is the time in milliseconds, so that it gives the age of a trace and rises
although the server lost its data.
"""

TRIM_HIDDEN = """
local floor = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
local trimmed = 0
for index = 2, #ARGV do
  local number = redis.call('ZSCORE', KEYS[1], ARGV[index])
  if number and tonumber(number) < tonumber(ARGV[1]) then
    redis.call('ZREM', KEYS[1], ARGV[index])
    floor = math.max(floor, tonumber(number))
    trimmed = trimmed + 1
  end
end
if trimmed > 0 then
  redis.call('SET', KEYS[2], string.format('%.0f', floor))
end
return trimmed
"""
"""Forget traces of items shown again that are older than a number, and raise the floor to them."""

REPLACE = """
local now = redis.pcall('GET', KEYS[1])
if type(now) ~= 'string' then
  now = ''
end
if now ~= ARGV[1] then
  return 0
end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[2])
end
return 1
"""
"""Replace a value that is still the first argument, '' for none; a key of another type has none."""

RETIRE = """
local kept = {}
for index = 1, 2 do
  local raw = redis.call('GET', KEYS[index])
  local readable, pointer = pcall(cjson.decode, raw or '{"layers": []}')
  if not readable or type(pointer) ~= 'table' or type(pointer.layers) ~= 'table' then
    return {}
  end
  local canary = index == 1 and type(pointer.canary) == 'table' and pointer.canary.layers
  for _, layers in ipairs({pointer.layers, canary or {}}) do
    for _, generation in ipairs(layers) do
      kept[string.format('%.0f', tonumber(generation) or 0)] = true
    end
  end
end
local holder = redis.call('GET', KEYS[3])
local retired = {}
for index = 4, #KEYS do
  local generation = ARGV[index - 2]
  local owner = redis.call('HGET', KEYS[index], 'owner')
  local staged_by_other = owner and owner == holder and owner ~= ARGV[1]
  if not kept[generation] and not staged_by_other then
    local state = redis.call('HGET', KEYS[index], 'state') or 'absent'
    if state == 'complete' then
      redis.call('HSET', KEYS[index], 'state', 'staging')
    end
    table.insert(retired, {generation, state})
  end
end
return retired
"""
"""Which of these generations nobody may read any more. From here on no swap accepts them.

The layers of the live and the previous pointer, and of the canary, are kept.
"""


@dataclass(frozen=True, slots=True)
class Scripts:
    """Runs scripts on the server that has their keys, at full memory too where it can."""

    store: Store
    prefix: str

    @classmethod
    def on(cls, store: Store) -> "Scripts":
        """Ask the server for its version; Valkey reports the Redis version that it matches.

        A Cluster has to be of version 7: its nodes may differ, and any may get the keys.
        """
        if not isinstance(store, Redis):
            return cls(store, ALLOW_OOM)
        version = str(store.info("server")["redis_version"])
        return cls(store, ALLOW_OOM if int(version.partition(".")[0]) >= 7 else "")

    def run(
        self, script: str, keys: Sequence[str], arguments: Sequence[str | int | bytes]
    ) -> object:
        """Run one of the scripts of this module."""
        return cast("object", self.store.eval(self.prefix + script, len(keys), *keys, *arguments))
