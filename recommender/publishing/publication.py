"""A publish that several processes take part in, under one number and one lease."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from recommender.core.generation import Generation
from recommender.core.ids import ItemIds
from recommender.core.lists import RelatedLists
from recommender.errors import StoreUnavailable
from recommender.publishing.generations import Move
from recommender.publishing.publisher import Publisher
from recommender.publishing.records import Records
from recommender.publishing.scripts import RELEASE_LEASE, TAKE_LEASE, Scripts
from recommender.publishing.staging import SomeLists, Staging
from recommender.publishing.writer import GenerationWriter, Lease
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
        self,
        ids: ItemIds,
        lists: Sequence[RelatedLists],
        records: Records | None = None,
        *,
        lists_key: str,
        recipe_digest: str,
    ) -> Generation:
        """Take the lease, see that there is room, and write down what will be staged."""
        publisher = self.publisher
        with publisher.errors("publishing"):
            publisher.stored.repair()
            scripts = Scripts.on(publisher.store)
            begun = publisher.stored.described(self.number)
            writer = self._held(scripts) if begun else self._taken(scripts)
            if begun is not None:
                return begun
            try:
                publisher.stored.collect(scripts, publisher.grace_s, writer.lease.keep)
                staging = Staging.full(publisher.keys, self.number, ids, lists, records)
                generation = writer.drawn_up(staging, lists_key, recipe_digest, number=self.number)
                writer.put_down(generation, staging)
            except BaseException:
                self._release(scripts)
                raise
            return generation

    def stage(
        self, ids: ItemIds, lists: RelatedLists, rows: range, records: Records | None = None
    ) -> int:
        """Write the lists of some rows and their records, with the first the best sellers too.

        Returns how many keys were written.
        """
        publisher = self.publisher
        with publisher.errors("publishing"):
            writer = self._held(Scripts.on(publisher.store))
            asked = np.arange(rows.start, rows.stop, dtype=np.int32)
            some = SomeLists(ids, lists, asked, rows.start == 0, records)
            staging = Staging(publisher.keys, self.number, [some])
            return sum(writer.write(values) for values in staging.batches(publisher.batch))

    def activate(
        self, ids: ItemIds, lists: Sequence[RelatedLists], records: Records | None = None
    ) -> Generation:
        """See that all keys are there, then move the pointer and give the lease back."""
        publisher = self.publisher
        with publisher.errors("publishing"):
            scripts = Scripts.on(publisher.store)
            generation = publisher.stored.described(self.number)
            if generation is None:
                raise StoreUnavailable(f"generation {self.number} was not begun, or collected")
            writer = self._held(scripts)
            staging = Staging.full(publisher.keys, self.number, ids, lists, records)
            writer.activate(
                staging, Move(Pointer(self.number, View((self.number,), staging.placements)))
            )
            self._release(scripts)
        publisher.collect_replaced()
        return replace(generation, state="complete", role="live")

    def _taken(self, scripts: Scripts) -> GenerationWriter:
        lease = self._lease(scripts)
        other = scripts.run(TAKE_LEASE, [lease.key], [self.owner, round(lease.duration_s * 1000)])
        if other is not None:
            holder = cast("tuple[bytes, int]", other)[0].decode(errors="replace")
            if holder != self.owner:
                raise StoreUnavailable(
                    f"lease {lease.key}: {holder} is publishing; run again when it is done"
                )
        return self._held(scripts)

    def _held(self, scripts: Scripts) -> GenerationWriter:
        lease = self._lease(scripts)
        lease.keep()
        return GenerationWriter(self.publisher.stored, lease)

    def _lease(self, scripts: Scripts) -> Lease:
        """The lease as it must be renewed at once."""
        duration = self.publisher.lease_s
        return Lease(
            scripts, self.publisher.keys.lease, self.owner, duration, time.monotonic() - duration
        )

    def _release(self, scripts: Scripts) -> None:
        scripts.run(RELEASE_LEASE, [self.publisher.keys.lease], [self.owner])
