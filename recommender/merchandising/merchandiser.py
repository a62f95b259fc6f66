"""Merchandiser: applies the rules of a set to blocks of lists.

The order, whatever the order in the file: replace, exclude, boost and bury, fill up, pin. So
excluded items are in no list, not even pinned or as a substitute, and a pin has its position.
Where two rules want the same, the one that is first in the file has it.

Each list depends on nothing but itself, so a fleet does shard by shard what one process does.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows, blocks, first_of_each
from recommender.core.lists import Entries, RelatedLists
from recommender.core.neighbours import NONE, Neighbours
from recommender.merchandising.matching import NOTHING, BlockIndex, Matched, Places
from recommender.merchandising.working_lists import (
    FILLER,
    LOWEST_SCORE,
    POPULAR,
    RULE,
    Acts,
    Flags,
    PinnedItems,
    WorkingLists,
)
from recommender.ranking.best_sellers import BestSellers

BLOCK = 16_384
FILLED_ENTRIES = 4_000_000
TRIED = 12
FILLER_DEPTH = 10_000
"""How many best sellers of the shop, and of one category, are tried to fill a list up."""


@dataclass(frozen=True, slots=True)
class MerchandisedBlock:
    """A block of lists (b, k) after the rules, and what the rules did.

    `acted`: which rule moved, or would have moved, something in whose list. `barred`: a pin that
    an exclusion or the stock forbade. `displaced`: a pin whose position another had.
    """

    entries: Entries
    acted: Acts
    barred: Acts
    displaced: Acts


@dataclass(frozen=True, slots=True)
class Merchandiser:
    """Applies rules to the lists of one placement, which have at most `depth` entries.

    `may_stand` (n,) says which items a rule may bring in. `kept_by_recipe` are the candidates of b
    rows that the placement's own filters keep, where a list is filled up; so many (b, 1) that come
    first stay in any case.
    """

    rules: tuple[Matched, ...]
    depth: int
    may_stand: Flags
    filler: BestSellers
    kept_by_recipe: Callable[[Rows, Neighbours, Places], Neighbours]

    def apply(self, owners: Rows, lists: Entries) -> MerchandisedBlock:
        """The lists (b, k) of b owners, which rise, after the rules; k may grow to `depth`.

        A list that no rule touches stays as it is. The others have scores that fall, no item
        twice, not their owner, and as many entries as before where best sellers suffice.
        """
        working = WorkingLists.of(owners, lists, max(self.depth, lists.rows.shape[1]))
        self._replace(working)
        index = BlockIndex(owners, working.entries.rows)
        self._exclude(working, index)
        self._weigh(working, index)
        pins = self._pins(owners)
        touched = np.flatnonzero(working.touched | pins.found.any(axis=1))
        kept = working.settled(touched)
        self._fill(kept, owners[touched], lists.found.sum(axis=1)[touched])
        pins.put_into(kept, touched, self.depth)
        return _merged(working, kept, touched, pins)

    def apply_to(self, lists: RelatedLists, rows: range) -> Iterator[MerchandisedBlock]:
        """Blocks of the lists of some rows after the rules."""
        for block in blocks(len(rows), BLOCK):
            part = rows[block]
            owners = np.arange(part.start, part.stop, dtype=np.int32)
            yield self.apply(owners, lists.block(part))

    def allowed(self, best_sellers: Rows) -> Rows:
        """The shop's best sellers (s,) without those that no list may show."""
        return best_sellers[~np.isin(best_sellers, excluded_everywhere(self.rules))]

    def _of(self, *actions: str) -> Iterator[Matched]:
        return (matched for matched in self.rules if matched.rule.action in actions)

    def _replace(self, working: WorkingLists) -> None:
        """Put substitutes in; an entry is replaced once, and leaves in any case."""
        flat = working.flat
        index = BlockIndex(working.owners, working.entries.rows.copy())
        done = np.zeros(len(flat), dtype=bool)
        for matched in self._of("replace"):
            places = index.places(matched)
            places = places[~done[places]]
            done[places] = True
            working.note(matched, places)
            if self.may_stand[matched.substitute]:
                scores = flat.scores[places]
                flat.put_new(places, rows=matched.substitute, scores=scores, evidence=RULE)
            else:
                working.dropped.ravel()[places] = True

    def _exclude(self, working: WorkingLists, index: BlockIndex) -> None:
        for matched in self._of("exclude"):
            places = index.places(matched)
            working.dropped.ravel()[places] = True
            working.note(matched, places)

    def _weigh(self, working: WorkingLists, index: BlockIndex) -> None:
        weights = working.weights.ravel()
        movable = (~working.dropped & (working.entries.scores > FILLER)).ravel()
        for matched in self._of("boost", "bury"):
            places = index.places(matched)
            places = places[movable[places]]
            by = matched.rule.by if matched.rule.action == "boost" else 1 / matched.rule.by
            weights[places] = np.maximum(weights[places] * by, FILLER)
            working.note(matched, places)

    def _meant(self, index: BlockIndex, *actions: str) -> Flags:
        """Which entries (b, w) a rule of these actions means."""
        meant = np.zeros(index.rows.size, dtype=bool)
        for matched in self._of(*actions):
            meant[index.places(matched)] = True
        return meant.reshape(index.rows.shape)

    @property
    def _most_tried(self) -> int:
        return min(FILLER_DEPTH, self.filler.longest)

    def _fill(self, kept: Entries, owners: Rows, wanted: NDArray[np.int64]) -> None:
        """Put best sellers behind the lists that have fewer entries than `wanted` (t,), in place.

        A few are tried at first; a list that they do not fill is tried with more.
        """
        short = np.flatnonzero(kept.found.sum(axis=1) < wanted)
        k = TRIED
        while len(short):
            k = min(k, self._most_tried)
            unfinished = []
            for block in blocks(len(short), max(1, FILLED_ENTRIES // k)):
                lists = short[block]
                listed = kept[lists]
                done = self._fill_block(listed, owners[lists], wanted[lists], k)
                kept.put(lists, listed)
                unfinished.append(lists[~done])
            short = np.concatenate(unfinished)
            k *= 4

    def _fill_block(
        self, listed: Entries, owners: Rows, wanted: NDArray[np.int64], k: int
    ) -> Flags:
        """Fill some lists up from k best sellers, in place; returns which need no more (t,)."""
        width = listed.rows.shape[1]
        own = listed.found.sum(axis=1, keepdims=True)
        best = self.filler.behind(owners, k)
        best[self._meant(BlockIndex(owners, best), "exclude", "replace")] = NONE
        joined = np.hstack([listed.rows, best])
        scores = np.full(joined.shape, LOWEST_SCORE, dtype=np.float32)
        once = first_of_each(joined) & (joined != owners[:, None])
        candidates = Neighbours(joined, scores).keep(once, joined.shape[1])
        chosen = self.kept_by_recipe(owners, candidates, own).keep_first(width)
        place = np.arange(width)
        new = chosen.found & (place >= own) & (place < wanted[:, None])
        done: Flags = (own[:, 0] + new.sum(axis=1) >= wanted) | (k >= self._most_tried)
        new &= done[:, None]
        listed.put_new(new, rows=chosen.rows[new], scores=LOWEST_SCORE, evidence=POPULAR)
        return done

    def _pins(self, owners: Rows) -> PinnedItems:
        """The pins of a block, those that an exclusion or the stock forbids separate."""
        nothing = BlockIndex(owners, np.zeros((len(owners), 0), dtype=np.int32))
        wanted = [(matched, *nothing.seats(matched)) for matched in self._of("pin")]
        pins = PinnedItems.gathered(owners, wanted, self.depth)
        excluded = self._meant(BlockIndex(owners, pins.rows), "exclude")
        return pins.without(excluded | ~self.may_stand[pins.rows]).seated(self.depth)


def excluded_everywhere(rules: Sequence[Matched]) -> Rows:
    """The rows that these rules exclude from every list, rising."""
    parts = [
        matched.targets
        for matched in rules
        if matched.rule.action == "exclude" and matched.owners is None
    ]
    return np.unique(np.concatenate([NOTHING, *parts]))


def _merged(
    working: WorkingLists, kept: Entries, touched: Places, pins: PinnedItems
) -> MerchandisedBlock:
    falling = np.minimum.accumulate(kept.scores, axis=1)
    working.entries.put(touched, replace(kept, scores=falling))
    owners = working.owners
    return MerchandisedBlock(
        working.entries,
        _acts(owners, [*working.notes, pins.acts(pins.found)]),
        _acts(owners, [pins.barred]),
        _acts(owners, [pins.displaced]),
    )


def _acts(owners: Rows, notes: Sequence[Acts]) -> Acts:
    """Each list and rule once, lists by the rows of their owners."""
    joined = np.concatenate([np.zeros((0, 2), dtype=np.int64), *notes])
    width = int(joined[:, 1].max(initial=0)) + 1
    keys = np.sort(joined[:, 0] * width + joined[:, 1])
    lists, numbers = np.divmod(keys[np.flatnonzero(np.diff(keys, prepend=-1))], width)
    return np.column_stack([owners[lists], numbers])
