"""Leases on shards in the shop's Redis, which say who works on what; attempts and records of a run.

They save work and are not needed for correctness. Finished shards are in the artifact store: where
Redis loses a lease, a shard may be made twice, with the same bytes under the same key.
"""

import json
import os
import secrets
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from recommender.build.steps import Task
from recommender.publishing.publisher import Publisher
from recommender.publishing.scripts import RELEASE_LEASE, Scripts

KEPT_S = 7 * 24 * 3600
"""How long Redis keeps the records of a run."""

ACQUIRE = """
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
"""Acquire a lease and count the attempt. Where the run's mark `from` is gone, the server has lost
its data; a shard may then be in work without its lease, so none is given for the length of one."""

RENEW = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""


@dataclass(frozen=True, slots=True)
class ShardLeases:
    """The leases and records of one run. Every method raises StoreUnavailable."""

    publisher: Publisher
    number: int

    @property
    def lease_s(self) -> float:
        """The seconds after which a lease that is not renewed ends."""
        return self.publisher.lease_s

    def begin(self) -> None:
        """Allow leases at once: the run is new, so none can have been lost."""
        self.mark("from", value="0")

    def acquire(self, name: str, task: Task, owner: str) -> tuple[int, str]:
        """Acquire a lease; returns the number of the attempt, 0 where another holds it, and who."""
        keys = [self._lease(name), self._record("from"), self._attempts(task)]
        found = self._run(ACQUIRE, keys, [owner, self._lease_ms, KEPT_S * 1000])
        attempt, holder = cast("tuple[int, bytes]", found)
        return attempt, holder.decode(errors="replace")

    def renew(self, name: str, owner: str) -> bool:
        """Hold a lease for its length from now on; False where another has acquired it."""
        return bool(self._run(RENEW, [self._lease(name)], [owner, self._lease_ms]))

    def release(self, name: str, owner: str) -> None:
        """End a lease."""
        self._run(RELEASE_LEASE, [self._lease(name)], [owner])

    def reset_attempts(self, task: Task) -> None:
        """Count the attempts at a task from 0 again."""
        with self.publisher.errors("counting attempts"):
            self.publisher.store.unlink(self._attempts(task))

    def attempts(self, task: Task) -> int:
        """How many times a task was begun."""
        with self.publisher.errors("reading attempts"):
            return int(self.publisher.store.get(self._attempts(task)) or 0)

    def holders(self, names: Sequence[str]) -> list[str]:
        """The holder of each lease, "" where it is free."""
        if not names:
            return []
        with self.publisher.errors("reading leases"):
            found = self.publisher.store.mget([self._lease(name) for name in names])
        return [(holder or b"").decode(errors="replace") for holder in cast("list[bytes]", found)]

    def mark(self, name: str, for_s: int = KEPT_S, value: str = "1") -> bool:
        """Set a mark of the run for some seconds; False where it is set already."""
        with self.publisher.errors("writing marks"):
            return bool(self.publisher.store.set(self._record(name), value, nx=True, ex=for_s))

    def marked(self, name: str) -> bool:
        """Whether a mark of the run is set."""
        with self.publisher.errors("reading marks"):
            return bool(self.publisher.store.exists(self._record(name)))

    def record(self, table: str, name: str, value: Mapping[str, Any]) -> None:
        """Write a row of a table of the run."""
        key = self._record(table)
        with self.publisher.errors("writing records"):
            self.publisher.store.hset(key, name, json.dumps(value))
            self.publisher.store.pexpire(key, KEPT_S * 1000)

    def records(self, table: str) -> dict[str, dict[str, Any]]:
        """A table of the run."""
        with self.publisher.errors("reading records"):
            found = cast("dict[bytes, bytes]", self.publisher.store.hgetall(self._record(table)))
        return {name.decode(): json.loads(value) for name, value in found.items()}

    @property
    def _lease_ms(self) -> int:
        return round(self.lease_s * 1000)

    def _run(self, script: str, keys: Iterable[str], arguments: Sequence[str | int]) -> object:
        with self.publisher.errors("leasing"):
            return Scripts.on(self.publisher.store).run(script, list(keys), arguments)

    def _lease(self, name: str) -> str:
        return f"rec:{{{self.publisher.shop}}}:fleet:claim:{name}"

    def _record(self, name: str) -> str:
        return f"rec:{{{self.publisher.shop}}}:fleet:{self.number}:{name}"

    def _attempts(self, task: Task) -> str:
        return self._record(f"attempts:{task.step}:{task.shard}")


@dataclass(slots=True)
class HeldLease:
    """The lease that this process holds at the moment, renewed by the thread that supervises it."""

    owner: str = field(
        default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    )
    leases: ShardLeases | None = None
    name: str = ""

    def renew(self) -> bool:
        """Renew the lease; False where another has acquired it."""
        leases, name = self.leases, self.name
        return not leases or not name or leases.renew(name, self.owner)
