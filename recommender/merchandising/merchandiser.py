"""Merchandiser: applies the rules of a book to blocks of lists.

The order, whatever the order in the file: replace, exclude, boost and bury, fill up, pin. So what
is excluded stands nowhere, not even pinned or as a substitute, and a pin has its position. Where
two rules want the same, the one that stands first in the file has it.

Each list depends on nothing but itself, so a fleet does shard by shard what one process does.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows, blocks, first_of_each
from recommender.core.neighbours import NONE, Neighbours
from recommender.merchandising.entries import Entries, Places
from recommender.merchandising.filler import Reserve
from recommender.merchandising.matching import NOTHING, Matched
from recommender.merchandising.pins import Pins
from recommender.merchandising.working_lists import (
    FILLER,
    LOWEST_SCORE,
    POPULAR,
    RULE,
    Acts,
    Codes,
    Draft,
    Flags,
    Kept,
)

BLOCK = 16_384
FILLED_ENTRIES = 4_000_000
TRIED = 12


@dataclass(frozen=True, slots=True)
class Merchandised:
    """Lists after the rules, and what the rules did.

    `acted`: which rule moved, or would have moved, something in whose list. `barred`: a pin that
    an exclusion or the stock forbade. `displaced`: a pin whose position another had.
    """

    lists: Neighbours
    evidence: Codes
    acted: Acts
    barred: Acts
    displaced: Acts


@dataclass(frozen=True, slots=True)
class Merchandiser:
    """Applies rules to the lists of one placement, which have at most `depth` entries.

    `may_stand` (n,) says which items a rule may bring in. `kept_by_recipe` are the candidates of b
    rows that the placement's own rules keep, where a list is filled up; so many (b, 1) that come
    first stay in any case.
    """

    rules: tuple[Matched, ...]
    depth: int
    may_stand: Flags
    reserve: Reserve
    kept_by_recipe: Callable[[Rows, Neighbours, Places], Neighbours]

    def apply(self, owners: Rows, lists: Neighbours, evidence: Codes) -> Merchandised:
        """The lists (b, k) of b owners, which rise, after the rules; k may grow to `depth`.

        A list that no rule touches stays as it is. The others have scores that fall, no item
        twice, not their owner, and as many entries as before where the reserve has them.
        """
        width = max(self.depth, lists.rows.shape[1])
        draft = Draft.of(owners, lists, evidence, width)
        self._replace(draft)
        entries = Entries(owners, draft.rows)
        self._exclude(draft, entries)
        self._weigh(draft, entries)
        pins = self._pins(owners)
        touched = np.flatnonzero(draft.touched | pins.found.any(axis=1))
        kept = draft.settled(touched)
        wanted = lists.found.sum(axis=1)[touched]
        self._fill(kept, wanted)
        pins.part(touched).put_into(kept, self.depth)
        return _merged(draft, kept, touched, pins)

    def left_of(self, best_sellers: Rows) -> Rows:
        """The shop's best sellers (s,) less those that no list may show."""
        return best_sellers[~np.isin(best_sellers, excluded_everywhere(self.rules))]

    def _of(self, *actions: str) -> Iterator[Matched]:
        return (matched for matched in self.rules if matched.rule.action in actions)

    def _replace(self, draft: Draft) -> None:
        """Put substitutes in; an entry is replaced once, and leaves in any case."""
        entries = Entries(draft.owners, draft.rows.copy())
        done = np.zeros(draft.rows.size, dtype=bool)
        for matched in self._of("replace"):
            places = entries.meant(matched)
            places = places[~done[places]]
            done[places] = True
            draft.note(matched, places)
            if self.may_stand[matched.substitute]:
                draft.rows.ravel()[places] = matched.substitute
                draft.evidence.ravel()[places] = RULE
            else:
                draft.dropped.ravel()[places] = True

    def _exclude(self, draft: Draft, entries: Entries) -> None:
        for matched in self._of("exclude"):
            places = entries.meant(matched)
            draft.dropped.ravel()[places] = True
            draft.note(matched, places)

    def _weigh(self, draft: Draft, entries: Entries) -> None:
        weighed = draft.weighed.ravel()
        movable = (~draft.dropped & (draft.scores > FILLER)).ravel()
        for matched in self._of("boost", "bury"):
            places = entries.meant(matched)
            places = places[movable[places]]
            by = matched.rule.by if matched.rule.action == "boost" else 1 / matched.rule.by
            weighed[places] = np.maximum(weighed[places] * by, FILLER)
            draft.note(matched, places)

    def _barred(self, entries: Entries, actions: Sequence[str]) -> Flags:
        """Which entries (b, w) a rule of these actions means."""
        barred = np.zeros(entries.rows.size, dtype=bool)
        for matched in self._of(*actions):
            barred[entries.meant(matched)] = True
        return barred.reshape(entries.rows.shape)

    def _fill(self, kept: Kept, wanted: NDArray[np.int64]) -> None:
        """Put best sellers behind the lists that have fewer entries than `wanted` (t,).

        A few are tried at first; a list that they do not fill is tried with more.
        """
        short = np.flatnonzero((kept.rows != NONE).sum(axis=1) < wanted)
        k = TRIED
        while len(short):
            k = min(k, self.reserve.depth)
            unfinished = [
                self._fill_block(kept, short[block], wanted[short[block]], k)
                for block in blocks(len(short), max(1, FILLED_ENTRIES // k))
            ]
            short = np.concatenate(unfinished)
            k *= 4

    def _fill_block(self, kept: Kept, lists: Places, wanted: NDArray[np.int64], k: int) -> Places:
        """Fill some lists up from k best sellers; returns those for which there may be more."""
        owners, width = kept.owners[lists], kept.rows.shape[1]
        own = (kept.rows[lists] != NONE).sum(axis=1, keepdims=True)
        beside = self.reserve.beside(owners, k)
        beside[self._barred(Entries(owners, beside), ("exclude", "replace"))] = NONE
        joined = np.hstack([kept.rows[lists], beside])
        scores = np.full(joined.shape, LOWEST_SCORE, dtype=np.float32)
        once = first_of_each(joined) & (joined != owners[:, None])
        candidates = Neighbours(joined, scores).keep(once, joined.shape[1])
        chosen = self.kept_by_recipe(owners, candidates, own).keep_first(width)
        place = np.arange(width)
        new = chosen.found & (place >= own) & (place < wanted[:, None])
        done = (own[:, 0] + new.sum(axis=1) >= wanted) | (k >= self.reserve.depth)
        new &= done[:, None]
        rows, scored, evidence = kept.rows[lists], kept.scores[lists], kept.evidence[lists]
        rows[new], scored[new], evidence[new] = chosen.rows[new], LOWEST_SCORE, POPULAR
        kept.rows[lists], kept.scores[lists], kept.evidence[lists] = rows, scored, evidence
        unfinished: Places = lists[~done]
        return unfinished

    def _pins(self, owners: Rows) -> Pins:
        """The pins of a block, those that an exclusion or the stock forbids apart."""
        nothing = Entries(owners, np.zeros((len(owners), 0), dtype=np.int32))
        wanted = [(matched, *nothing.seats(matched)) for matched in self._of("pin")]
        pins = Pins.gathered(owners, wanted, self.depth)
        barred = self._barred(Entries(owners, pins.rows), ("exclude",)) | ~self.may_stand[pins.rows]
        return pins.without(barred).seated(self.depth)


def excluded_everywhere(rules: Sequence[Matched]) -> Rows:
    """The rows that these rules exclude from every list, rising."""
    parts = [
        matched.targets
        for matched in rules
        if matched.rule.action == "exclude" and matched.owners is None
    ]
    return np.unique(np.concatenate([NOTHING, *parts]))


def _merged(draft: Draft, kept: Kept, touched: Places, pins: Pins) -> Merchandised:
    rows, scores, evidence = draft.rows, draft.scores.astype(np.float32), draft.evidence
    falling = np.minimum.accumulate(kept.scores, axis=1)
    rows[touched], scores[touched], evidence[touched] = kept.rows, falling, kept.evidence
    padding = rows == NONE
    scores[padding] = -np.inf
    evidence[padding] = 0
    owners = draft.owners
    return Merchandised(
        Neighbours(rows, scores),
        evidence,
        _acts(owners, [*draft.notes, pins.set_by]),
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
