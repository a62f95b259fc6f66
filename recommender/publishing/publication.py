"""A publish that several processes take part in, under one number and one lease."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from recommender.core.arrays import blocks
from recommender.core.generation import Generation
from recommender.core.ids import ItemIds
from recommender.core.lists import RelatedLists
from recommender.errors import StoreUnavailable
from recommender.publishing.lease import Lease
from recommender.publishing.publisher import Move, Publisher
from recommender.publishing.scripts import RELEASE_LEASE, TAKE_LEASE, Scripts
from recommender.publishing.staging import Staging
from recommender.serving.codec import Pointer, View


@dataclass(frozen=True, slots=True)
class Publication:
    """Stages and activates generation `number`, which was reserved for it, shard by shard.

    The lease belongs to the number, not to a process: whoever stages a shard renews it. Once it is
    lost, nothing is staged or activated any more under this number, because a collector may be
    at work on it; reserve another. Every step may be taken again. Raises: StoreUnavailable.
    """

    publisher: Publisher
    number: int

    @property
    def owner(self) -> str:
        """Who holds the lease."""
        return f"run:{self.publisher.shop}.{self.number}"

    def begin(
        self, ids: ItemIds, lists: Sequence[RelatedLists], *, lists_key: str, recipe_digest: str
    ) -> Generation:
        """Take the lease, see that there is room, and write down what will be staged."""
        publisher = self.publisher
        with publisher.errors("publishing"):
            scripts = Scripts.on(publisher.store)
            begun = publisher.described(self.number)
            lease = self._held(scripts) if begun else self._taken(scripts)
            if begun is not None:
                return begun
            try:
                publisher.collect_abandoned(lease)
                staging = Staging(publisher.keys, self.number, ids, lists)
                generation = publisher.drawn_up(
                    lease, staging, lists_key, recipe_digest, fence=(self.number, 0)
                )
                publisher.put_down(generation, lease, staging)
            except BaseException:
                self._release(scripts)
                raise
            return generation

    def stage(self, ids: ItemIds, lists: RelatedLists, rows: range) -> int:
        """Write the lists of some rows, with the first of them the best sellers too.

        Returns how many keys were written.
        """
        publisher, written = self.publisher, 0
        with publisher.errors("publishing"):
            lease = self._held(Scripts.on(publisher.store))
            staging = Staging(publisher.keys, self.number, ids, [lists])
            if rows.start == 0:
                written += publisher.written(lease, staging.best_sellers(lists))
            for block in blocks(len(rows), publisher.batch):
                part = slice(rows.start + block.start, rows.start + block.stop)
                written += publisher.written(lease, staging.values(lists, part))
        return written

    def activate(
        self, ids: ItemIds, lists: Sequence[RelatedLists], canary_share: float = 0.0
    ) -> Generation:
        """See that every list is there, then move the pointer and give the lease back."""
        publisher = self.publisher
        with publisher.errors("publishing"):
            scripts = Scripts.on(publisher.store)
            generation = publisher.described(self.number)
            if generation is None:
                raise StoreUnavailable(f"generation {self.number} was not begun, or collected")
            lease = self._held(scripts)
            staging = Staging(publisher.keys, self.number, ids, lists)
            seen = publisher.seen() if canary_share else None
            view = View((self.number,), staging.placements)
            pointer = Pointer(self.number, view)
            if seen is not None:
                pointer = Pointer(self.number, seen.live, view, canary_share)
            publisher.activated(lease, staging, Move(pointer, seen))
            self._release(scripts)
        publisher.collect_replaced()
        return replace(generation, state="complete", role="canary" if canary_share else "live")

    def abandon(self) -> None:
        """Take back what was staged and give the lease back; nothing where it is live already."""
        publisher = self.publisher
        with publisher.errors("taking back"):
            scripts = Scripts.on(publisher.store)
            publisher.take_back(self._lease(scripts), self.number)
            self._release(scripts)

    def _taken(self, scripts: Scripts) -> Lease:
        lease = self._lease(scripts)
        other = scripts.run(TAKE_LEASE, [lease.key], [self.owner, round(lease.duration_s * 1000)])
        if other is not None:
            holder = cast("tuple[bytes, int]", other)[0].decode(errors="replace")
            if holder != self.owner:
                raise StoreUnavailable(
                    f"lease {lease.key}: {holder} is publishing; run again when it is done"
                )
        return self._held(scripts)

    def _held(self, scripts: Scripts) -> Lease:
        lease = self._lease(scripts)
        lease.keep()
        return lease

    def _lease(self, scripts: Scripts) -> Lease:
        """The lease as it must be renewed at once."""
        duration = self.publisher.lease_s
        return Lease(
            scripts, self.publisher.keys.lease, self.owner, duration, time.monotonic() - duration
        )

    def _release(self, scripts: Scripts) -> None:
        scripts.run(RELEASE_LEASE, [self.publisher.keys.lease], [self.owner])
