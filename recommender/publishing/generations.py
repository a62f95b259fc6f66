"""The generations that a shop has in Redis: which there are, which is live, which may go.

A pointer names what is live. Only `swap` moves it.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import cast

from recommender.core.generation import Generation, Role
from recommender.errors import DataError, StoreUnavailable
from recommender.publishing.control_keys import ControlKeys, is_number
from recommender.publishing.scripts import BEGIN, NEXT_FENCE, RETIRE, SWAP, Scripts
from recommender.publishing.servers import StoredLists
from recommender.serving import codec
from recommender.serving.codec import Pointer
from recommender.serving.connection import STORE_ERRORS, Store
from recommender.serving.keys import Keys

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Move:
    """A pointer to be made live and, where it changes one, the pointer that it was made from."""

    pointer: Pointer
    seen: Pointer | None = None


@dataclass(frozen=True, slots=True)
class Generations:
    """Reads and deletes the generations of one shop. Its errors are those of redis-py."""

    store: Store
    keys: Keys
    batch: int

    def live(self) -> Pointer | None:
        """The live pointer, None where there is none that this schema can read."""
        return self._pointer(self.keys.live)

    def seen(self) -> Pointer:
        """The live pointer. Raises: DataError where nothing is live."""
        pointer = self.live()
        if pointer is None:
            raise DataError(f"shop {self.keys.shop}: nothing is live yet; publish all lists first")
        return pointer

    def previous(self) -> Pointer | None:
        """The pointer before it."""
        return self._pointer(self.keys.previous)

    def numbers(self) -> list[int]:
        """The numbers of all generations that have keys, newest first."""
        members = cast("list[bytes]", self.store.zrevrange(self.keys.generations, 0, -1))
        return [int(member) for member in members if is_number(member)]

    def repair(self) -> None:
        """Remove what something else wrote into the control keys; what is live stays known."""
        if self.keys.generations in ControlKeys(self.store, self.keys).repair():
            kept = _roles(self.previous(), "previous") | _roles(self.live(), "live")
            if kept:
                self.store.zadd(self.keys.generations, {str(number): number for number in kept})

    def unknown(self, ids: Sequence[str]) -> list[str]:
        """Those of some ids that have no list in any layer of the live pointer."""
        pointer = self.live()
        if pointer is None:
            return list(ids)
        views = [pointer.live, *([pointer.canary] if pointer.canary else [])]
        unknown = []
        for start in range(0, len(ids), self.batch):
            names = {
                item: [
                    self.keys.related_list(layer, placement, item)
                    for view in views
                    for layer in view.layers
                    for placement in view.placements
                ]
                for item in ids[start : start + self.batch]
            }
            there = StoredLists(self.store).existing([*chain(*names.values())])
            unknown += [item for item, keys in names.items() if there.isdisjoint(keys)]
        return unknown

    def all(self) -> list[Generation]:
        """All generations that are described, newest first, with their roles."""
        roles = _roles(self.previous(), "previous") | _roles(self.live(), "live")
        found = (self.described(number) for number in self.numbers())
        return [
            replace(generation, role=roles.get(generation.id, ""))
            for generation in found
            if generation
        ]

    def described(self, number: int) -> Generation | None:
        """One generation without its role, None where its description is missing or malformed."""
        fields = cast("dict[bytes, bytes]", self.store.hgetall(self.keys.generation(number)))
        try:
            return codec.decode_generation(number, fields)
        except ValueError as error:
            log.warning("event=generation_skipped shop=%s reason=%s", self.keys.shop, error)
            return None

    def full(self, pointer: Pointer) -> Generation:
        """The full generation of a live pointer. Raises: StoreUnavailable where it is gone."""
        generation = self.described(pointer.generation)
        if generation is None:
            raise StoreUnavailable(
                f"shop {self.keys.shop}: the description of generation {pointer.generation} is "
                f"gone; something else deletes or writes keys rec:{{{self.keys.shop}}}:*"
            )
        return replace(generation, role="live")

    def next_fence(self, scripts: Scripts, floor: int = 0) -> int:
        """A number above `floor` and above all that are known."""
        live = self.live()
        known = [floor, live.fence if live else 0, *self.numbers()]
        return cast("int", scripts.run(NEXT_FENCE, [self.keys.seq], [max(known)]))

    def swap(self, scripts: Scripts, move: Move) -> None:
        """Move the pointer. Raises: StoreUnavailable where another went live meanwhile."""
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
            if self.live() != pointer:
                raise
            return
        if outcome == b"superseded":
            newest = (pointer.canary or pointer.live).layers[0]
            raise StoreUnavailable(
                f"shop {self.keys.shop}: generation {newest} is superseded, a later "
                "publisher or rollback went live meanwhile; publish again"
            )
        if outcome == b"incomplete":
            needed = " or ".join(map(str, layers))
            raise StoreUnavailable(
                f"shop {self.keys.shop}: generation {needed} was collected meanwhile; publish again"
            )

    def begin(
        self,
        scripts: Scripts,
        generation: Generation,
        owner: str,
        names: Iterable[list[str]] = (),
    ) -> None:
        """Describe the generation that is about to be staged, before any list, for collectors.

        `names`, in batches, are those of an overlay's lists. Raises: StoreUnavailable where `owner`
        has the lease no more.
        """
        fields = codec.encode_generation(generation) | {"owner": owner}
        named = [self.keys.lease, self.keys.generation(generation.id), self.keys.generations]
        if not scripts.run(BEGIN, named, [owner, generation.id, *chain(*fields.items())]):
            raise StoreUnavailable(f"lease {self.keys.lease}: lost before writing; publish again")
        for batch in names:
            self.store.sadd(self.keys.overlay(generation.id), *batch)

    def names(self, number: int) -> Iterator[list[str]]:
        """The names of an overlay's lists, in batches; none for a full generation."""
        batch: list[str] = []
        for name in self.store.sscan_iter(self.keys.overlay(number), count=self.batch):
            batch.append(name.decode())
            if len(batch) == self.batch:
                yield batch
                batch = []
        if batch:
            yield batch

    def retire(self, scripts: Scripts, numbers: list[int], owner: str = "") -> dict[int, bool]:
        """Take back those generations that are neither live, nor previous, nor being staged.

        `owner` may retire what it stages itself. From here on no swap accepts what is retired.
        Returns their numbers, and whether readers may have seen them.
        """
        control = [self.keys.live, self.keys.previous, self.keys.lease]
        described = [self.keys.generation(number) for number in numbers]
        retired = scripts.run(RETIRE, control + described, [owner, *numbers])
        pairs = cast("list[tuple[bytes, bytes]]", retired)
        return {int(number): state == b"complete" for number, state in pairs}

    def collect(
        self, scripts: Scripts, grace_s: float, tick: Callable[[], None] = lambda: None
    ) -> list[int]:
        """Delete the generations that nobody reads or writes any more; returns their numbers.

        A generation that readers may have seen is deleted `grace_s` later.
        """
        retired = self.retire(scripts, self.numbers())
        if any(retired.values()):
            time.sleep(grace_s)
        for number in retired:
            self.delete(number, tick)
        return list(retired)

    def delete(self, number: int, tick: Callable[[], None] = lambda: None) -> None:
        """Unlink the lists of one generation, then its description; `tick` after every batch."""
        lists = StoredLists(self.store)
        for keys in self._list_keys(lists, number):
            lists.unlink(keys)
            tick()
        # One by one: Redis queues no transaction at full memory, which is when deleting matters.
        self.store.unlink(self.keys.generation(number), self.keys.overlay(number))
        self.store.zrem(self.keys.generations, str(number))

    def _list_keys(self, lists: StoredLists, number: int) -> Iterator[Sequence[str | bytes]]:
        if self.store.exists(self.keys.overlay(number)):
            prefix = self.keys.prefix(number)
            for names in self.names(number):
                yield [prefix + name for name in names]
        else:
            yield from lists.matching(self.keys.related_lists(number), self.batch)

    def _pointer(self, key: str) -> Pointer | None:
        raw = self.store.get(key)
        if raw is None:
            return None
        try:
            return codec.decode_pointer(raw)
        except ValueError as error:
            log.warning("event=pointer_unreadable key=%s reason=%s", key, error)
            return None


def _roles(pointer: Pointer | None, role: Role) -> dict[int, Role]:
    if pointer is None:
        return {}
    roles: dict[int, Role] = {layer: "overlay" for layer in pointer.live.layers[:-1]}
    if pointer.canary is not None and role == "live":
        roles[pointer.canary.layers[-1]] = "canary"
    return roles | {pointer.generation: role}
