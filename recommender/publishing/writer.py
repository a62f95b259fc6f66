"""Writing a generation: the lease of a publisher, and the steps from free room to a live pointer.

One publisher at a time holds the lease of a shop; it is lost when its holder stops renewing it.
"""

import logging
import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import cast

from recommender.core import failpoints
from recommender.core.generation import Generation
from recommender.core.telemetry import Progress
from recommender.errors import StoreUnavailable
from recommender.publishing import inspection
from recommender.publishing.generations import Generations, Move
from recommender.publishing.scripts import (
    COMPLETE,
    RELEASE_LEASE,
    RENEW_LEASE,
    TAKE_LEASE,
    Scripts,
)
from recommender.publishing.servers import StoredLists, server_of
from recommender.publishing.staging import Staging
from recommender.serving.connection import STORE_ERRORS

VERIFIED_LISTS = 200
MEASURED_LISTS = 1000
POLL_S = 0.1
RENEWED_S = 0.5
"""An end of the lease that moved by more than this was renewed."""


log = logging.getLogger(__name__)


@dataclass(slots=True)
class Lease:
    """A lease that is held. `owner` names host and process, and is never used twice."""

    scripts: Scripts
    key: str
    owner: str
    duration_s: float
    renewed_at: float

    def keep(self) -> None:
        """Renew the lease once a third of it has passed. Raises: StoreUnavailable if it is lost."""
        now = time.monotonic()
        if now - self.renewed_at < self.duration_s / 3:
            return
        arguments = (self.owner, round(self.duration_s * 1000))
        if not self.scripts.run(RENEW_LEASE, [self.key], arguments):
            raise StoreUnavailable(
                f"lease {self.key}: lost after {now - self.renewed_at:.1f} s without renewal; "
                "another publisher may be at work, publish again"
            )
        self.renewed_at = now


@contextmanager
def held_lease(scripts: Scripts, key: str, duration_s: float) -> Iterator[Lease]:
    """Take the lease for the length of the context.

    A holder that was killed renews no more, so its lease is waited for; one that is at work is not.
    Raises: StoreUnavailable if another has it and renews it.
    """
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"
    taken_at = _take(scripts, key, owner, duration_s)
    try:
        yield Lease(scripts, key, owner, duration_s, taken_at)
    finally:
        with suppress(*STORE_ERRORS):
            scripts.run(RELEASE_LEASE, [key], [owner])


def _take(scripts: Scripts, key: str, owner: str, duration_s: float) -> float:
    """Take the lease as soon as it is free; returns the time from which it counts."""
    expected: tuple[bytes, float] | None = None
    while True:
        now = time.monotonic()
        other = scripts.run(TAKE_LEASE, [key], [owner, round(duration_s * 1000)])
        if other is None:
            return now
        holder, left_ms = cast("tuple[bytes, int]", other)
        ends_at = now + left_ms / 1000
        first_holder, first_end = expected = expected or (holder, ends_at)
        if holder != first_holder or ends_at > first_end + RENEWED_S:
            raise StoreUnavailable(
                f"lease {key}: {holder.decode(errors='replace')} is publishing; "
                "run again when it is done"
            )
        time.sleep(min(max(left_ms / 1000, 0), POLL_S) + 0.001)


@dataclass(frozen=True, slots=True)
class GenerationWriter:
    """Writes one generation under a lease that is held, and makes it live.

    Its errors are those of redis-py, and StoreUnavailable.
    """

    generations: Generations
    lease: Lease

    def drawn_up(
        self,
        staging: Staging,
        lists_key: str,
        recipe_digest: str,
        *,
        number: int = 0,
        floor: int = 0,
    ) -> Generation:
        """The description of a generation to be staged, once there is room for it.

        Without a reserved `number` it gets the next one above `floor`.
        """
        store, keys = self.generations.store, self.generations.keys
        sample = staging.sample(MEASURED_LISTS, seed=0)
        inspection.require_room(store, inspection.estimate(staging.n_keys, sample))
        if number:
            self._require_newest(number)
        return Generation(
            id=number or self.generations.next_fence(self.lease.scripts, floor),
            state="staging",
            created_at=server_of(store, keys.live).time()[0],
            recipe_digest=recipe_digest,
            lists_key=lists_key,
            n_items=staging.n_items,
            n_lists=staging.n_lists,
            n_entries=staging.n_entries,
            placements=staging.placements,
            base=staging.base,
        )

    def put_live(
        self, generation: Generation, staging: Staging, move: Move, progress: Progress
    ) -> None:
        """Stage a generation and make it live; on an error, remove the staged keys."""
        try:
            self.put_down(generation, staging)
            self._write(staging, progress)
            self.activate(staging, move)
        except BaseException:
            self.take_back(generation.id)
            raise

    def put_down(self, generation: Generation, staging: Staging) -> None:
        """Describe the generation that is about to be staged, before any list."""
        names = staging.list_names(self.generations.batch)
        self.generations.begin(self.lease.scripts, generation, self.lease.owner, names)

    def write(self, values: dict[str, bytes]) -> int:
        """Write one batch of lists; returns how many."""
        self.lease.keep()
        StoredLists(self.generations.store).write(values)
        failpoints.hit("publish.staged")
        return len(values)

    def activate(self, staging: Staging, move: Move) -> None:
        """Verify the staged keys, declare the generation complete, and move the pointer."""
        self._verify(staging)
        self._complete(staging.generation)
        failpoints.hit("publish.before_swap")
        self.generations.swap(self.lease.scripts, move)
        shop = self.generations.keys.shop
        log.info("event=published shop=%s generation=%d", shop, staging.generation)
        failpoints.hit("publish.after_swap")

    def take_back(self, number: int) -> None:
        """Delete what the holder of the lease has staged, unless it is live."""
        with suppress(*STORE_ERRORS):
            scripts, owner = self.lease.scripts, self.lease.owner
            for retired in self.generations.retire(scripts, [number], owner):
                self.generations.delete(retired)

    def _write(self, staging: Staging, progress: Progress) -> None:
        def need() -> int:
            sample = staging.sample(MEASURED_LISTS, seed=0)
            return inspection.estimate(staging.n_keys, sample)

        with (
            progress(f"publish {self.generations.keys.shop}", staging.n_keys) as advance,
            inspection.named_shortage(self.generations.store, need),
        ):
            for values in staging.batches(self.generations.batch):
                advance(self.write(values))

    def _verify(self, staging: Staging) -> None:
        lists = StoredLists(self.generations.store)
        sample = staging.sample(VERIFIED_LISTS, seed=staging.generation)
        lists.require_replicated(sample)
        missing: Counter[str] = Counter()
        for names in staging.names(self.generations.batch):
            self.lease.keep()
            missing += lists.missing(names)
        stored = lists.read(list(sample))
        differing = sum(wrote != read for wrote, read in zip(sample.values(), stored, strict=True))
        if missing or differing:
            shop = self.generations.keys.shop
            lost = ", ".join(f"{count} on {name}" for name, count in missing.items() if name)
            raise StoreUnavailable(
                f"shop {shop}: of {staging.n_keys} lists written "
                f"{staging.n_keys - missing.total()} are there{lost and f' ({lost} are not)'}, and "
                f"{differing} of {len(sample)} looked at differ; something else deletes or writes "
                f"keys rec:{shop}:*"
            )

    def _complete(self, number: int) -> None:
        keys = self.generations.keys
        named = [keys.lease, keys.generation(number)]
        if not self.lease.scripts.run(COMPLETE, named, [self.lease.owner]):
            raise StoreUnavailable(f"lease {self.lease.key}: lost while writing; publish again")

    def _require_newest(self, number: int) -> None:
        """See before anything is written that a reserved number can still go live."""
        live = self.generations.live()
        if live is not None and live.fence >= number:
            raise StoreUnavailable(
                f"shop {self.generations.keys.shop}: run {number} is superseded, a later publisher "
                f"or rollback ({live.fence}) went live meanwhile; run again"
            )
