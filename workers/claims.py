"""Claims: who works on which shard, in the shop's Redis; attempts, costs and marks of a run.

All of this is economy. What is done lies in the artifact store: where Redis loses a claim, a shard
may be made twice, which gives the same bytes under the same key.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from recommender.build.steps import Task
from recommender.publishing.publisher import Publisher
from recommender.publishing.scripts import Scripts

KEPT_S = 7 * 24 * 3600
"""How long marks of a run stay."""

TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local from = redis.call('GET', KEYS[2])
if not from then
  from = string.format('%.0f', now + ARGV[2])
  redis.call('SET', KEYS[2], from, 'PX', ARGV[3])
end
if now < tonumber(from) then
  return {0, 'whoever held it before the server lost its data'}
end
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return {0, holder}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local attempt = tonumber(redis.call('GET', KEYS[3]) or '0') + 1
redis.call('SET', KEYS[3], attempt, 'PX', ARGV[3])
return {attempt, ARGV[1]}
"""
"""Take a claim and count the attempt. Where the run's mark is gone, the server has lost its data,
and for the length of a lease nothing is given away that someone may be at work on."""

RENEW = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('UNLINK', KEYS[1])
end
"""


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of one run. Raises: StoreUnavailable everywhere."""

    publisher: Publisher
    number: int

    @property
    def lease_s(self) -> float:
        """After how long a claim that nobody renews is free."""
        return self.publisher.lease_s

    def begin(self) -> None:
        """Let claims be taken at once: the run is new, so nobody can be at work on it."""
        self._set("from", "0")

    def take(self, claim: str, task: Task, owner: str) -> tuple[int, str]:
        """Take a claim: which attempt at the task this is, 0 where another holds it, and who."""
        keys = [self._claim(claim), self._mark("from"), self._attempts(task)]
        found = self._run(TAKE, keys, [owner, self._lease_ms, KEPT_S * 1000])
        attempt, holder = cast("tuple[int, bytes]", found)
        return attempt, holder.decode(errors="replace")

    def renew(self, claim: str, owner: str) -> bool:
        """Hold a claim for another lease; False where another has taken it since."""
        return bool(self._run(RENEW, [self._claim(claim)], [owner, self._lease_ms]))

    def release(self, claim: str, owner: str) -> None:
        """Give a claim back."""
        self._run(RELEASE, [self._claim(claim)], [owner])

    def forget_attempts(self, task: Task) -> None:
        """Count the attempts at a task anew."""
        with self.publisher.errors("counting attempts"):
            self.publisher.store.unlink(self._attempts(task))

    def attempts(self, task: Task) -> int:
        """How often a task was begun."""
        with self.publisher.errors("reading attempts"):
            return int(self.publisher.store.get(self._attempts(task)) or 0)

    def holders(self, claims: Sequence[str]) -> list[str]:
        """Who holds each claim, "" for nobody."""
        if not claims:
            return []
        with self.publisher.errors("reading claims"):
            found = self.publisher.store.mget([self._claim(claim) for claim in claims])
        return [(holder or b"").decode(errors="replace") for holder in cast("list[bytes]", found)]

    def first(self, name: str, for_s: int = KEPT_S) -> bool:
        """Whether nobody has said so yet; from now on, for a while, somebody has."""
        return self._set(name, "1", for_s)

    def mark(self, name: str) -> None:
        """Remember something of the run."""
        self._set(name, "1")

    def marked(self, name: str) -> bool:
        """Whether something is remembered of the run."""
        with self.publisher.errors("reading marks"):
            return bool(self.publisher.store.exists(self._mark(name)))

    def note(self, table: str, name: str, value: Mapping[str, Any]) -> None:
        """Write one line into a table of the run."""
        key = self._mark(table)
        with self.publisher.errors("writing notes"):
            self.publisher.store.hset(key, name, json.dumps(value))
            self.publisher.store.pexpire(key, KEPT_S * 1000)

    def notes(self, table: str) -> dict[str, dict[str, Any]]:
        """A table of the run."""
        with self.publisher.errors("reading notes"):
            found = cast("dict[bytes, bytes]", self.publisher.store.hgetall(self._mark(table)))
        return {name.decode(): json.loads(value) for name, value in found.items()}

    @property
    def _lease_ms(self) -> int:
        return round(self.lease_s * 1000)

    def _set(self, name: str, value: str, for_s: int = KEPT_S) -> bool:
        with self.publisher.errors("writing marks"):
            return bool(self.publisher.store.set(self._mark(name), value, nx=True, ex=for_s))

    def _run(self, script: str, keys: Iterable[str], arguments: Sequence[str | int]) -> object:
        with self.publisher.errors("claiming"):
            return Scripts.on(self.publisher.store).run(script, list(keys), arguments)

    def _claim(self, claim: str) -> str:
        return f"rec:{{{self.publisher.shop}}}:fleet:claim:{claim}"

    def _mark(self, name: str) -> str:
        return f"rec:{{{self.publisher.shop}}}:fleet:{self.number}:{name}"

    def _attempts(self, task: Task) -> str:
        return self._mark(f"attempts:{task.step}:{task.shard}")
