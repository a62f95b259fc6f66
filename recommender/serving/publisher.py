"""How a build goes live: staged under its own keys, verified, then one pointer write."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from recommender import failpoints
from recommender.errors import ConfigError, StoreUnavailable
from recommender.generation import Generation
from recommender.ids import ItemIds
from recommender.neighbours import RelatedLists
from recommender.progress import Progress, silent
from recommender.serving import codec, memory
from recommender.serving.codec import Pointer, View
from recommender.serving.connection import store_errors
from recommender.serving.generations import Generations
from recommender.serving.keys import Keys
from recommender.serving.lease import Lease, held_lease
from recommender.serving.scripts import COMPLETE, NEXT_FENCE, SWAP, Scripts
from recommender.serving.staging import Staging

VERIFIED_LISTS = 200
MEASURED_LISTS = 1000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes, lists, rolls back and collects the generations of one shop.

    `batch` is how many commands or keys go to the server at once; `grace_s` is how long lookups
    may still read what has just stopped being the previous generation.
    Raises: ConfigError for a parameter out of range.
    """

    store: Redis
    shop: str
    lease_s: float = 30.0
    batch: int = 500
    grace_s: float = 2.0
    _keys: Keys = field(init=False, repr=False)
    _generations: Generations = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 1 <= self.batch <= 500:
            raise ConfigError(f"batch {self.batch}: use 1 to 500")
        if not 0 <= self.grace_s < self.lease_s:
            raise ConfigError(f"grace_s {self.grace_s}: use 0 to less than lease_s {self.lease_s}")
        keys = Keys(self.shop)
        object.__setattr__(self, "_keys", keys)
        object.__setattr__(self, "_generations", Generations(self.store, keys, self.batch))

    def publish(
        self,
        ids: ItemIds,
        lists: Sequence[RelatedLists],
        *,
        lists_key: str,
        recipe_digest: str,
        fence_floor: int = 0,
        progress: Progress = silent,
    ) -> Generation:
        """Make `lists` live as one new generation, numbered above `fence_floor`.

        Until the pointer moves, lookups read the old generation, and an error leaves it live and
        takes back what was staged.

        Raises: DataError or ConfigError for lists that cannot be published; StoreUnavailable.
        """
        staging = Staging(self._keys, 0, ids, lists)
        with self._errors("publishing"):
            scripts = Scripts.on(self.store)
            with held_lease(scripts, self._keys.lease, self.lease_s) as lease:
                self._collect(scripts, lease.keep)
                sample = staging.sample(MEASURED_LISTS, seed=0)
                memory.require_room(self.store, memory.estimate(staging.n_keys, sample))
                generation = Generation(
                    id=self._next_fence(scripts, fence_floor),
                    state="staging",
                    created_at=self.store.time()[0],
                    recipe_digest=recipe_digest,
                    lists_key=lists_key,
                    n_items=len(ids),
                    n_lists=staging.n_lists,
                    n_entries=staging.n_entries,
                    placements=staging.placements,
                )
                self._put_live(
                    lease, generation, replace(staging, generation=generation.id), progress
                )
        self._collect_replaced()
        return replace(generation, state="complete", role="live")

    def collect(self) -> list[int]:
        """Delete the generations that nobody reads or writes any more; returns their numbers.

        What readers may have seen is deleted `grace_s` later. Raises: StoreUnavailable.
        """
        with self._errors("collecting"):
            return self._collect(Scripts.on(self.store))

    def live(self) -> Generation | None:
        """The generation that lookups read, None where there is none. Raises: StoreUnavailable."""
        with self._errors("reading"):
            pointer = self._generations.live()
            generation = pointer and self._generations.described(pointer.generation)
            return replace(generation, role="live") if generation else None

    def generations(self) -> list[Generation]:
        """All generations, newest first. Raises: StoreUnavailable."""
        with self._errors("reading"):
            return self._generations.all()

    def rollback(self, to: int | None = None) -> Generation:
        """Make another complete generation live again, by default the previous one.

        Works at full memory on servers from version 7. Raises: ConfigError naming the generations
        that there are; StoreUnavailable.
        """
        with self._errors("rolling back"):
            target = self._rollback_target(to)
            previous = self._generations.previous()
            view = View((target.id,), target.placements)
            if previous is not None and previous.generation == target.id:
                view = previous.live
            scripts = Scripts.on(self.store)
            self._swap(scripts, Pointer(self._next_fence(scripts), view))
        log.info("event=rolled_back shop=%s generation=%d", self.shop, target.id)
        return replace(target, role="live")

    def _put_live(
        self, lease: Lease, generation: Generation, staging: Staging, progress: Progress
    ) -> None:
        try:
            self._generations.begin(generation, lease.owner)
            self._write(lease, staging, progress)
            self._verify(lease, staging)
            self._complete(lease, generation.id)
            failpoints.hit("publish.before_swap")
            view = View((generation.id,), staging.placements)
            self._swap(lease.scripts, Pointer(generation.id, view))
            log.info("event=published shop=%s generation=%d", self.shop, generation.id)
            failpoints.hit("publish.after_swap")
        except BaseException:
            self._take_back(lease, generation.id)
            raise

    def _write(self, lease: Lease, staging: Staging, progress: Progress) -> None:
        with progress(f"publish {self.shop}", staging.n_keys) as advance:
            for values in staging.batches(self.batch):
                lease.keep()
                self.store.mset(values)
                failpoints.hit("publish.staged")
                advance(len(values))

    def _verify(self, lease: Lease, staging: Staging) -> None:
        found = 0
        for names in staging.names(self.batch):
            lease.keep()
            found += self.store.exists(*names)
        sample = staging.sample(VERIFIED_LISTS, seed=staging.generation)
        stored = self.store.mget(list(sample))
        differing = sum(wrote != read for wrote, read in zip(sample.values(), stored, strict=True))
        if found != staging.n_keys or differing:
            raise StoreUnavailable(
                f"shop {self.shop}: of {staging.n_keys} lists written {found} are there, and "
                f"{differing} of {len(sample)} looked at differ; something else deletes or writes "
                f"keys rec:{self.shop}:*"
            )

    def _complete(self, lease: Lease, number: int) -> None:
        keys = [self._keys.lease, self._keys.generation(number)]
        if not lease.scripts.run(COMPLETE, keys, [lease.owner]):
            raise StoreUnavailable(f"lease {lease.key}: lost while writing; publish again")

    def _swap(self, scripts: Scripts, pointer: Pointer) -> None:
        keys = [self._keys.live, self._keys.previous, self._keys.generation(pointer.generation)]
        try:
            outcome = scripts.run(SWAP, keys, [pointer.fence, codec.encode_pointer(pointer)])
        except RedisError:
            # The answer may be lost although the pointer was moved.
            if self._generations.live() != pointer:
                raise
            return
        if outcome == b"superseded":
            raise StoreUnavailable(
                f"shop {self.shop}: generation {pointer.generation} is superseded, a later "
                "publisher or rollback went live meanwhile; publish again"
            )
        if outcome == b"incomplete":
            raise StoreUnavailable(
                f"shop {self.shop}: generation {pointer.generation} was collected meanwhile; "
                "publish again"
            )

    def _take_back(self, lease: Lease, number: int) -> None:
        with suppress(RedisError):
            for retired in self._generations.retire(lease.scripts, [number], lease.owner):
                self._generations.delete(retired)

    def _collect(self, scripts: Scripts, tick: Callable[[], None] = lambda: None) -> list[int]:
        retired = self._generations.retire(scripts, self._generations.numbers())
        if any(retired.values()):
            time.sleep(self.grace_s)
        for number in retired:
            self._generations.delete(number, tick)
        return list(retired)

    def _collect_replaced(self) -> None:
        try:
            self.collect()
        except StoreUnavailable as error:
            log.warning("event=collect_failed shop=%s reason=%s", self.shop, error)

    def _next_fence(self, scripts: Scripts, floor: int = 0) -> int:
        live = self._generations.live()
        known = [floor, live.fence if live else 0, *self._generations.numbers()]
        return cast("int", scripts.run(NEXT_FENCE, [self._keys.seq], [max(known)]))

    def _rollback_target(self, to: int | None) -> Generation:
        complete = [found for found in self._generations.all() if found.state == "complete"]
        for found in complete:
            if found.id == to and found.role == "live":
                raise ConfigError(f"shop {self.shop}: generation {to} is live already")
            if found.id == to or (to is None and found.role == "previous"):
                return found
        wanted = "previous" if to is None else f"complete generation {to}"
        there = ", ".join(f"{found.id} {found.role}".strip() for found in complete)
        raise ConfigError(
            f"shop {self.shop}: no {wanted} to roll back to; there are: {there or 'none'}"
        )

    def _errors(self, action: str) -> AbstractContextManager[None]:
        return store_errors(f"shop {self.shop}: {action} failed", "see to the server and run again")
