"""How a build goes live: staged under its own keys, verified, then one pointer write."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from recommender.core.generation import Generation
from recommender.core.ids import ItemIds
from recommender.core.lists import RelatedLists
from recommender.core.telemetry import Progress, silent
from recommender.errors import ConfigError, DataError, StoreUnavailable
from recommender.publishing.control_keys import junk_named
from recommender.publishing.generations import Generations, Move
from recommender.publishing.records import Records
from recommender.publishing.scripts import Scripts
from recommender.publishing.staging import SomeLists, Staging
from recommender.publishing.writer import GenerationWriter, held_lease
from recommender.serving.codec import Pointer, View
from recommender.serving.connection import Store, store_errors
from recommender.serving.keys import Keys

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes, lists, rolls back and collects the generations of one shop.

    `batch` is how many keys go to the server at once, during which readers wait; `grace_s` is how
    long lookups may still read what has just stopped being the previous generation.
    Raises: ConfigError for a parameter out of range.
    """

    store: Store
    shop: str
    lease_s: float = 30.0
    batch: int = 200
    grace_s: float = 2.0
    keys: Keys = field(init=False, repr=False)
    stored: Generations = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 1 <= self.batch <= 500:
            raise ConfigError(f"batch {self.batch}: use 1 to 500")
        if not 0 <= self.grace_s < self.lease_s:
            raise ConfigError(f"grace_s {self.grace_s}: use 0 to less than lease_s {self.lease_s}")
        keys = Keys(self.shop)
        object.__setattr__(self, "keys", keys)
        object.__setattr__(self, "stored", Generations(self.store, keys, self.batch))

    def publish(  # noqa: PLR0913 - all but two by name
        self,
        ids: ItemIds,
        lists: Sequence[RelatedLists],
        *,
        records: Records | None = None,
        lists_key: str,
        recipe_digest: str,
        number: int = 0,
        fence_floor: int = 0,
        canary_share: float = 0.0,
        progress: Progress = silent,
    ) -> Generation:
        """Make lists and `records` live as one new generation, under a number reserved for it.

        Without a `number` it gets the next one above `fence_floor`.

        With a `canary_share` above 0 only so many requests read it, until `promote` or
        `rollback`. Until the pointer moves, lookups read the old generation, and an error leaves
        it live and takes back what was staged.

        Raises: DataError or ConfigError for lists that cannot be published, and for a canary
        where nothing is live; StoreUnavailable.
        """
        _check_share(canary_share)
        staging = Staging.full(self.keys, 0, ids, lists, records)
        with self._at_work() as writer:
            seen = self.stored.seen() if canary_share else None
            generation = writer.drawn_up(
                staging, lists_key, recipe_digest, number=number, floor=fence_floor
            )
            view = View((generation.id,), staging.placements)
            move = Move(Pointer(generation.id, view))
            if seen:
                move = Move(Pointer(generation.id, seen.live, view, canary_share), seen)
            staging = replace(staging, generation=generation.id)
            writer.put_live(generation, staging, move, progress)
        self.collect_replaced()
        return replace(generation, state="complete", role="canary" if seen else "live")

    def lay_over(self, lists: Sequence[SomeLists], *, seen: Pointer, lists_key: str) -> Generation:
        """Let exactly these lists lie over the full generation that `seen` points to.

        An overlay that is there already is replaced; without any list it is removed. Returns the
        overlay or, without one, the full generation.

        Raises: DataError for lists that cannot be published; StoreUnavailable, also where the
        pointer was moved since it was seen.
        """
        for some in lists:
            if (placement := some.lists.placement) not in seen.live.placements:
                there = ", ".join(seen.live.placements)
                raise DataError(f"placement {placement!r:.60} is not live; there are {there}")
        staging = Staging(self.keys, 0, [some for some in lists if len(some)], seen.generation)
        with self._at_work() as writer:
            if not staging.parts:
                return self._bared(writer.lease.scripts, seen)
            generation = writer.drawn_up(staging, lists_key, "")
            staging = replace(staging, generation=generation.id)
            writer.put_live(generation, staging, Move(seen.covered(generation.id), seen), silent)
        self.collect_replaced()
        return replace(generation, state="complete", role="overlay")

    def layers(self) -> tuple[Pointer, tuple[Generation, ...]]:
        """The live pointer and the generations that it reads, newest first.

        Raises: DataError where nothing is live; StoreUnavailable.
        """
        with self.errors("reading"):
            seen = self.stored.seen()
            found = [self.stored.described(number) for number in seen.live.layers]
            full = self.stored.full(seen)
        return seen, (*(overlay for overlay in found[:-1] if overlay), full)

    def reserve(self, floor: int = 0) -> int:
        """A number above `floor` for a generation to come: its fence from the first step on.

        The later reservation wins, whichever run is done first. Raises: StoreUnavailable.
        """
        with self.errors("reserving a number"):
            self.stored.repair()
            return self.stored.next_fence(Scripts.on(self.store), floor)

    def check_canary(self, share: float) -> None:
        """See that a canary can be published, before much is built for it. 0 is none.

        Raises: ConfigError for a share out of range; DataError where nothing is live;
        StoreUnavailable.
        """
        _check_share(share)
        if share:
            with self.errors("reading"):
                self.stored.seen()

    def promote(self) -> Generation:
        """Make the canary live for all requests; what was live becomes the previous one.

        Raises: ConfigError where there is no canary; StoreUnavailable.
        """
        with self.errors("promoting"):
            seen = self.stored.live()
            if seen is None or seen.canary is None:
                raise ConfigError(f"shop {self.shop}: there is no canary to promote")
            scripts = Scripts.on(self.store)
            pointer = Pointer(self.stored.next_fence(scripts), seen.canary)
            self.stored.swap(scripts, Move(pointer, seen))
            generation = self.stored.full(pointer)
        log.info("event=promoted shop=%s generation=%d", self.shop, generation.id)
        self.collect_replaced()
        return generation

    def collect(self) -> list[int]:
        """Delete the generations that nobody reads or writes any more; returns their numbers.

        What readers may have seen is deleted `grace_s` later. Raises: StoreUnavailable.
        """
        with self.errors("collecting"):
            return self.stored.collect(Scripts.on(self.store), self.grace_s)

    def live(self) -> Generation | None:
        """The full generation that lookups read, None where there is none.

        Raises: StoreUnavailable.
        """
        with self.errors("reading"):
            pointer = self.stored.live()
            generation = pointer and self.stored.described(pointer.generation)
            return replace(generation, role="live") if generation else None

    def unknown(self, ids: Sequence[str]) -> list[str]:
        """Those of some ids that are not in what is live; all where nothing is.

        Raises: StoreUnavailable.
        """
        with self.errors("looking for items"):
            return self.stored.unknown(ids)

    def generations(self) -> list[Generation]:
        """All generations that have keys, newest first. Raises: StoreUnavailable."""
        with self.errors("reading"):
            return self.stored.all()

    def rollback(self, to: int | None = None) -> Generation:
        """Make another complete generation live again, by default the previous one.

        With a canary, the default is to end the canary and change nothing else. To name the
        generation that is live takes away its overlay. Works at full memory on servers from
        version 7.

        Raises: ConfigError naming the generations that there are; StoreUnavailable.
        """
        with self.errors("rolling back"):
            seen = self.stored.live()
            scripts = Scripts.on(self.store)
            if to is None and seen is not None and seen.canary is not None:
                move = Move(Pointer(self.stored.next_fence(scripts), seen.live), seen)
            else:
                view = self._rollback_view(to, seen)
                move = Move(Pointer(self.stored.next_fence(scripts), view))
            self.stored.swap(scripts, move)
            generation = self.stored.full(move.pointer)
        log.info("event=rolled_back shop=%s generation=%d", self.shop, generation.id)
        return generation

    @contextmanager
    def _at_work(self) -> Iterator[GenerationWriter]:
        """Hold the lease, with the room free that abandoned generations took."""
        with self.errors("publishing"):
            self.stored.repair()
            scripts = Scripts.on(self.store)
            with held_lease(scripts, self.keys.lease, self.lease_s) as lease:
                self.stored.collect(scripts, self.grace_s, lease.keep)
                yield GenerationWriter(self.stored, lease)

    def _bared(self, scripts: Scripts, seen: Pointer) -> Generation:
        """The full generation, without the overlay that lay over it."""
        if len(seen.live.layers) > 1 or self.stored.seen() != seen:
            bare = replace(seen.live, layers=seen.live.layers[-1:])
            pointer = replace(seen, fence=self.stored.next_fence(scripts), live=bare)
            self.stored.swap(scripts, Move(pointer, seen))
        return self.stored.full(seen)

    def collect_replaced(self) -> None:
        """Delete what readers have left; a failure is logged, the next publish retries."""
        try:
            self.collect()
        except StoreUnavailable as error:
            log.warning("event=collect_failed shop=%s reason=%s", self.shop, error)

    def _rollback_view(self, to: int | None, seen: Pointer | None) -> View:
        target = self._rollback_target(to)
        view = View((target.id,), target.placements)
        if seen is not None and view == seen.live:
            raise ConfigError(f"shop {self.shop}: generation {to} is live already")
        previous = self.stored.previous()
        if previous is not None and previous.generation == target.id:
            view = previous.live
        return view

    def _rollback_target(self, to: int | None) -> Generation:
        complete = [
            found for found in self.stored.all() if found.state == "complete" and not found.base
        ]
        for found in complete:
            if found.id == to or (to is None and found.role == "previous"):
                return found
        wanted = "previous" if to is None else f"complete generation {to}"
        there = ", ".join(f"{found.id} {found.role}".strip() for found in complete)
        raise ConfigError(
            f"shop {self.shop}: no {wanted} to roll back to; there are: {there or 'none'}"
        )

    @contextmanager
    def errors(self, action: str) -> Iterator[None]:
        """Errors of the store as StoreUnavailable."""
        what, remedy = f"shop {self.shop}: {action} failed", "see to the server and run again"
        with store_errors(what, remedy), junk_named(self.store, self.keys):
            yield


def _check_share(share: float) -> None:
    if not 0 <= share < 1:
        raise ConfigError(f"canary share {share}: use a number above 0 and below 1")
