"""How a build goes live: staged under its own keys, verified, then one pointer write."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import cast

from recommender.core import failpoints
from recommender.core.generation import Generation
from recommender.core.ids import ItemIds
from recommender.core.neighbours import RelatedLists
from recommender.core.telemetry import Progress, silent
from recommender.errors import ConfigError, DataError, StoreUnavailable
from recommender.publishing import memory
from recommender.publishing.generations import Generations
from recommender.publishing.lease import Lease, held_lease
from recommender.publishing.lists import Lists
from recommender.publishing.nodes import server_of
from recommender.publishing.overlay import ItemLists, Overlay, SomeLists
from recommender.publishing.scripts import COMPLETE, NEXT_FENCE, SWAP, Scripts
from recommender.publishing.staging import Staged, Staging
from recommender.serving import codec
from recommender.serving.codec import Pointer, View
from recommender.serving.connection import STORE_ERRORS, Store, store_errors
from recommender.serving.keys import Keys

VERIFIED_LISTS = 200
MEASURED_LISTS = 1000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Move:
    """A pointer to be made live and, where it changes one, the pointer that it was made from."""

    pointer: Pointer
    seen: Pointer | None = None


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
    _generations: Generations = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 1 <= self.batch <= 500:
            raise ConfigError(f"batch {self.batch}: use 1 to 500")
        if not 0 <= self.grace_s < self.lease_s:
            raise ConfigError(f"grace_s {self.grace_s}: use 0 to less than lease_s {self.lease_s}")
        keys = Keys(self.shop)
        object.__setattr__(self, "keys", keys)
        object.__setattr__(self, "_generations", Generations(self.store, keys, self.batch))

    def publish(  # noqa: PLR0913 - all but two by name
        self,
        ids: ItemIds,
        lists: Sequence[RelatedLists],
        *,
        lists_key: str,
        recipe_digest: str,
        number: int = 0,
        fence_floor: int = 0,
        canary_share: float = 0.0,
        progress: Progress = silent,
    ) -> Generation:
        """Make `lists` live as one new generation, under a number that was reserved for it.

        Without a `number` it gets the next one above `fence_floor`.

        With a `canary_share` above 0 only so many requests read it, until `promote` or
        `rollback`. Until the pointer moves, lookups read the old generation, and an error leaves
        it live and takes back what was staged.

        Raises: DataError or ConfigError for lists that cannot be published, and for a canary
        where nothing is live; StoreUnavailable.
        """
        _check_share(canary_share)
        staging = Staging(self.keys, 0, ids, lists)
        with self._at_work() as lease:
            seen = self.seen() if canary_share else None
            generation = self.drawn_up(
                lease, staging, lists_key, recipe_digest, fence=(number, fence_floor)
            )
            view = View((generation.id,), staging.placements)
            pointer = Pointer(generation.id, view)
            if seen is not None:
                pointer = Pointer(generation.id, seen.live, view, canary_share)
            staging = replace(staging, generation=generation.id)
            self._put_live(lease, generation, staging, Move(pointer, seen), progress)
        self.collect_replaced()
        return replace(generation, state="complete", role="canary" if seen else "live")

    def publish_overlay(
        self,
        lists: Sequence[ItemLists],
        *,
        lists_key: str = "",
        recipe_digest: str = "",
        progress: Progress = silent,
    ) -> Generation:
        """Lay lists of a few items over what is live, as a new generation of these alone.

        An overlay that lies there already is carried over, less the lists that are replaced. The
        next full publish ends it. A canary stays as it is.

        Raises: DataError for lists that cannot be published, and where nothing is live;
        StoreUnavailable.
        """
        changed: dict[str, bytes] = {}
        for some in lists:
            changed |= some.encoded()
        if not changed:
            raise DataError(f"shop {self.shop}: no related list to publish")
        with self._at_work() as lease:
            seen = self.seen()
            overlay = Overlay(self.keys, 0, self._carried_over(seen) | changed)
            _check_placements(overlay, seen)
            base = seen.generation
            generation = self.drawn_up(lease, overlay, lists_key, recipe_digest, base=base)
            overlay = replace(overlay, generation=generation.id)
            move = Move(seen.covered(generation.id), seen)
            self._put_live(lease, generation, overlay, move, progress)
        self.collect_replaced()
        return replace(generation, state="complete", role="overlay")

    def lay_over(
        self,
        lists: Sequence[SomeLists],
        *,
        seen: Pointer,
        lists_key: str,
    ) -> Generation:
        """Let exactly these lists lie over the full generation that `seen` points to.

        An overlay that lies there already is replaced; without any list it is taken away. Returns
        the overlay, or the full generation that lies bare.

        Raises: DataError for lists that cannot be published; StoreUnavailable, also where the
        pointer was moved since it was seen.
        """
        values: dict[str, bytes] = {}
        for some in lists:
            values |= some.encoded()
        with self._at_work() as lease:
            if not values:
                return self._bared(lease.scripts, seen)
            overlay = Overlay(self.keys, 0, values)
            _check_placements(overlay, seen)
            base = seen.generation
            generation = self.drawn_up(lease, overlay, lists_key, "", base=base)
            overlay = replace(overlay, generation=generation.id)
            move = Move(seen.covered(generation.id), seen)
            self._put_live(lease, generation, overlay, move, silent)
        self.collect_replaced()
        return replace(generation, state="complete", role="overlay")

    def layers(self) -> tuple[Pointer, tuple[Generation, ...]]:
        """The live pointer and the generations that it reads, newest first.

        Raises: DataError where nothing is live; StoreUnavailable.
        """
        with self.errors("reading"):
            seen = self.seen()
            found = [self._generations.described(number) for number in seen.live.layers]
            full = self._described(seen)
        return seen, (*(overlay for overlay in found[:-1] if overlay), full)

    def reserve(self, floor: int = 0) -> int:
        """A number above `floor` for a generation to come: its fence from the first step on.

        Who reserved later wins, whoever is done first. Raises: StoreUnavailable.
        """
        with self.errors("reserving a number"):
            return self._next_fence(Scripts.on(self.store), floor)

    def check_canary(self, share: float) -> None:
        """See that a canary can be published, before much is built for it. 0 is none.

        Raises: ConfigError for a share out of range; DataError where nothing is live;
        StoreUnavailable.
        """
        _check_share(share)
        if share:
            with self.errors("reading"):
                self.seen()

    def promote(self) -> Generation:
        """Make the canary live for all requests; what was live becomes the previous one.

        Raises: ConfigError where there is no canary; StoreUnavailable.
        """
        with self.errors("promoting"):
            seen = self._generations.live()
            if seen is None or seen.canary is None:
                raise ConfigError(f"shop {self.shop}: there is no canary to promote")
            scripts = Scripts.on(self.store)
            pointer = Pointer(self._next_fence(scripts), seen.canary)
            self._swap(scripts, Move(pointer, seen))
            generation = self._described(pointer)
        log.info("event=promoted shop=%s generation=%d", self.shop, generation.id)
        self.collect_replaced()
        return generation

    def collect(self) -> list[int]:
        """Delete the generations that nobody reads or writes any more; returns their numbers.

        What readers may have seen is deleted `grace_s` later. Raises: StoreUnavailable.
        """
        with self.errors("collecting"):
            return self._collect(Scripts.on(self.store))

    def live(self) -> Generation | None:
        """The full generation that lookups read, None where there is none.

        Raises: StoreUnavailable.
        """
        with self.errors("reading"):
            pointer = self._generations.live()
            generation = pointer and self._generations.described(pointer.generation)
            return replace(generation, role="live") if generation else None

    def generations(self) -> list[Generation]:
        """All generations that have keys, newest first. Raises: StoreUnavailable."""
        with self.errors("reading"):
            return self._generations.all()

    def rollback(self, to: int | None = None) -> Generation:
        """Make another complete generation live again, by default the previous one.

        Where a canary is tried, the default is to end that and leave live what is. To name the
        generation that is live takes away its overlay. Works at full memory on servers from
        version 7.

        Raises: ConfigError naming the generations that there are; StoreUnavailable.
        """
        with self.errors("rolling back"):
            seen = self._generations.live()
            scripts = Scripts.on(self.store)
            if to is None and seen is not None and seen.canary is not None:
                move = Move(Pointer(self._next_fence(scripts), seen.live), seen)
            else:
                view = self._rollback_view(to, seen)
                move = Move(Pointer(self._next_fence(scripts), view))
            self._swap(scripts, move)
            generation = self._described(move.pointer)
        log.info("event=rolled_back shop=%s generation=%d", self.shop, generation.id)
        return generation

    @contextmanager
    def _at_work(self) -> Iterator[Lease]:
        """Hold the lease, with the room free that abandoned generations took."""
        with self.errors("publishing"):
            scripts = Scripts.on(self.store)
            with held_lease(scripts, self.keys.lease, self.lease_s) as lease:
                self.collect_abandoned(lease)
                yield lease

    def seen(self) -> Pointer:
        """The live pointer. Raises: DataError where nothing is live."""
        pointer = self._generations.live()
        if pointer is None:
            raise DataError(f"shop {self.shop}: nothing is live yet; publish all lists first")
        return pointer

    def _bared(self, scripts: Scripts, seen: Pointer) -> Generation:
        """The full generation, without the overlay that lay over it."""
        if len(seen.live.layers) > 1 or self.seen() != seen:
            bare = replace(seen.live, layers=seen.live.layers[-1:])
            pointer = replace(seen, fence=self._next_fence(scripts), live=bare)
            self._swap(scripts, Move(pointer, seen))
        return self._described(seen)

    def _described(self, pointer: Pointer) -> Generation:
        generation = self._generations.described(pointer.generation)
        if generation is None:
            raise StoreUnavailable(
                f"shop {self.shop}: the description of generation {pointer.generation} is gone; "
                f"something else deletes or writes keys rec:{{{self.shop}}}:*"
            )
        return replace(generation, role="live")

    def _carried_over(self, seen: Pointer) -> dict[str, bytes]:
        """The lists of the overlay that is live, by their names."""
        values: dict[str, bytes] = {}
        for number in seen.live.layers[:-1]:
            prefix = self.keys.prefix(number)
            for names in self._generations.names(number):
                stored = Lists(self.store).read([prefix + name for name in names])
                values |= {
                    name: value
                    for name, value in zip(names, stored, strict=True)
                    if value is not None
                }
        return values

    def drawn_up(
        self,
        lease: Lease,
        staging: Staged,
        lists_key: str,
        recipe_digest: str,
        *,
        fence: tuple[int, int] = (0, 0),
        base: int = 0,
    ) -> Generation:
        """The description of a generation to be staged, once there is room for it."""
        sample = staging.sample(MEASURED_LISTS, seed=0)
        memory.require_room(self.store, memory.estimate(staging.n_keys, sample))
        number, floor = fence
        if number:
            self._require_newest(number)
        return Generation(
            id=number or self._next_fence(lease.scripts, floor),
            state="staging",
            created_at=server_of(self.store, self.keys.live).time()[0],
            recipe_digest=recipe_digest,
            lists_key=lists_key,
            n_items=staging.n_items,
            n_lists=staging.n_lists,
            n_entries=staging.n_entries,
            placements=staging.placements,
            base=base,
        )

    def _put_live(
        self,
        lease: Lease,
        generation: Generation,
        staging: Staged,
        move: "Move",
        progress: Progress,
    ) -> None:
        try:
            self.put_down(generation, lease, staging)
            self._write(lease, staging, progress)
            self.activated(lease, staging, move)
        except BaseException:
            self.take_back(lease, generation.id)
            raise

    def put_down(self, generation: Generation, lease: Lease, staging: Staged) -> None:
        """Write down what is about to be staged, before any list."""
        self._generations.begin(generation, lease.owner, staging.list_names(self.batch))

    def written(self, lease: Lease, values: dict[str, bytes]) -> int:
        """Write one batch of lists under a lease that is held; returns how many."""
        lease.keep()
        Lists(self.store).write(values)
        failpoints.hit("publish.staged")
        return len(values)

    def activated(self, lease: Lease, staging: Staged, move: Move) -> None:
        """Verify what was staged, declare it complete and move the pointer."""
        self._verify(lease, staging)
        self._complete(lease, staging.generation)
        failpoints.hit("publish.before_swap")
        self._swap(lease.scripts, move)
        log.info("event=published shop=%s generation=%d", self.shop, staging.generation)
        failpoints.hit("publish.after_swap")

    def collect_abandoned(self, lease: Lease) -> None:
        """Free the room that abandoned generations took."""
        self._collect(lease.scripts, lease.keep)

    def described(self, number: int) -> Generation | None:
        """What is written down of a generation, None where nothing is. Its errors are redis's."""
        return self._generations.described(number)

    def _write(self, lease: Lease, staging: Staged, progress: Progress) -> None:
        def need() -> int:
            return memory.estimate(staging.n_keys, staging.sample(MEASURED_LISTS, seed=0))

        with (
            progress(f"publish {self.shop}", staging.n_keys) as advance,
            memory.named_shortage(self.store, need),
        ):
            for values in staging.batches(self.batch):
                advance(self.written(lease, values))

    def _verify(self, lease: Lease, staging: Staged) -> None:
        lists = Lists(self.store)
        sample = staging.sample(VERIFIED_LISTS, seed=staging.generation)
        lists.require_replicated(sample)
        missing: Counter[str] = Counter()
        for names in staging.names(self.batch):
            lease.keep()
            missing += lists.missing(names)
        stored = lists.read(list(sample))
        differing = sum(wrote != read for wrote, read in zip(sample.values(), stored, strict=True))
        if missing or differing:
            lost = ", ".join(f"{count} on {name}" for name, count in missing.items() if name)
            raise StoreUnavailable(
                f"shop {self.shop}: of {staging.n_keys} lists written "
                f"{staging.n_keys - missing.total()} are there{lost and f' ({lost} are not)'}, and "
                f"{differing} of {len(sample)} looked at differ; something else deletes or writes "
                f"keys rec:{self.shop}:*"
            )

    def _complete(self, lease: Lease, number: int) -> None:
        keys = [self.keys.lease, self.keys.generation(number)]
        if not lease.scripts.run(COMPLETE, keys, [lease.owner]):
            raise StoreUnavailable(f"lease {lease.key}: lost while writing; publish again")

    def _swap(self, scripts: Scripts, move: "Move") -> None:
        pointer = move.pointer
        layers = pointer.live.layers + (pointer.canary.layers if pointer.canary else ())
        keys = [self.keys.live, self.keys.previous, *map(self.keys.generation, layers)]
        arguments: list[str | int | bytes]
        arguments = [pointer.fence, codec.encode_pointer(pointer), pointer.generation]
        if move.seen is not None:
            arguments.append(move.seen.fence)
        try:
            outcome = scripts.run(SWAP, keys, arguments)
        except STORE_ERRORS:
            # The answer may be lost although the pointer was moved.
            if self._generations.live() != pointer:
                raise
            return
        newest = (pointer.canary or pointer.live).layers[0]
        needed = " or ".join(map(str, layers))
        if outcome == b"superseded":
            raise StoreUnavailable(
                f"shop {self.shop}: generation {newest} is superseded, a later "
                "publisher or rollback went live meanwhile; publish again"
            )
        if outcome == b"incomplete":
            raise StoreUnavailable(
                f"shop {self.shop}: generation {needed} was collected meanwhile; publish again"
            )

    def take_back(self, lease: Lease, number: int) -> None:
        """Delete what the holder of the lease has staged, unless it is live."""
        with suppress(*STORE_ERRORS):
            for retired in self._generations.retire(lease.scripts, [number], lease.owner):
                self._generations.delete(retired)

    def _collect(self, scripts: Scripts, tick: Callable[[], None] = lambda: None) -> list[int]:
        retired = self._generations.retire(scripts, self._generations.numbers())
        if any(retired.values()):
            time.sleep(self.grace_s)
        for number in retired:
            self._generations.delete(number, tick)
        return list(retired)

    def collect_replaced(self) -> None:
        """Delete what readers have left; a failure is told in the log, the next publish retries."""
        try:
            self.collect()
        except StoreUnavailable as error:
            log.warning("event=collect_failed shop=%s reason=%s", self.shop, error)

    def _require_newest(self, number: int) -> None:
        """See before anything is written that a reserved number can still go live."""
        live = self._generations.live()
        if live is not None and live.fence >= number:
            raise StoreUnavailable(
                f"shop {self.shop}: run {number} is superseded, a later publisher or rollback "
                f"({live.fence}) went live meanwhile; run again"
            )

    def _next_fence(self, scripts: Scripts, floor: int = 0) -> int:
        live = self._generations.live()
        known = [floor, live.fence if live else 0, *self._generations.numbers()]
        return cast("int", scripts.run(NEXT_FENCE, [self.keys.seq], [max(known)]))

    def _rollback_view(self, to: int | None, seen: Pointer | None) -> View:
        target = self._rollback_target(to)
        view = View((target.id,), target.placements)
        if seen is not None and view == seen.live:
            raise ConfigError(f"shop {self.shop}: generation {to} is live already")
        previous = self._generations.previous()
        if previous is not None and previous.generation == target.id:
            view = previous.live
        return view

    def _rollback_target(self, to: int | None) -> Generation:
        complete = [
            found
            for found in self._generations.all()
            if found.state == "complete" and not found.base
        ]
        for found in complete:
            if found.id == to or (to is None and found.role == "previous"):
                return found
        wanted = "previous" if to is None else f"complete generation {to}"
        there = ", ".join(f"{found.id} {found.role}".strip() for found in complete)
        raise ConfigError(
            f"shop {self.shop}: no {wanted} to roll back to; there are: {there or 'none'}"
        )

    def errors(self, action: str) -> AbstractContextManager[None]:
        """Errors of the store as StoreUnavailable."""
        return store_errors(f"shop {self.shop}: {action} failed", "see to the server and run again")


def _check_share(share: float) -> None:
    if not 0 <= share < 1:
        raise ConfigError(f"canary share {share}: use a number above 0 and below 1")


def _check_placements(overlay: Overlay, seen: Pointer) -> None:
    for placement in overlay.placements:
        if placement not in seen.live.placements:
            raise DataError(
                f"placement {placement!r:.60} is not live; "
                f"there are {', '.join(seen.live.placements)}"
            )
