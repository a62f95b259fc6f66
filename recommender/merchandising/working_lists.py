"""Drafts: a block of lists while rules work on it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows, first_of_each
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.related import EVIDENCE
from recommender.merchandising.entries import Places
from recommender.merchandising.matching import Matched

Codes = NDArray[np.uint8]
Flags = NDArray[np.bool_]
Scores = NDArray[np.float64]
Acts = NDArray[np.int64]
"""Pairs (t, 2): the number of a list or the row of its owner, and the number of a rule."""

RULE = np.uint8(EVIDENCE.index("rule"))
POPULAR = np.uint8(EVIDENCE.index("popular"))
LOWEST_SCORE = 1e-6
FILLER = 2e-6
"""Entries that score less only fill a list up; what is buried stays above them."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Lists while they are filled up and pinned: columns (t, w) of t owners, `NONE` behind."""

    owners: Rows
    rows: Rows
    scores: Scores
    evidence: Codes

    def part(self, lists: Places) -> "Kept":
        """Copies of some of the lists."""
        columns = self.rows[lists], self.scores[lists], self.evidence[lists]
        return Kept(self.owners[lists], *columns)

    def reordered(self, order: Places) -> "Kept":
        """The entries of each list in an order of their places (t, k)."""
        rows = np.take_along_axis(self.rows, order, axis=1)
        scores = np.take_along_axis(self.scores, order, axis=1)
        return Kept(self.owners, rows, scores, np.take_along_axis(self.evidence, order, axis=1))

    def beside(self, rows: Rows) -> "Kept":
        """The lists with further entries (t, m), put there by a rule, that have no score yet."""
        scores = np.hstack([self.scores, np.full(rows.shape, np.nan)])
        evidence = np.hstack([self.evidence, np.full(rows.shape, RULE, dtype=np.uint8)])
        return Kept(self.owners, np.hstack([self.rows, rows]), scores, evidence)


@dataclass(frozen=True, slots=True)
class Draft:
    """A block while rules move its entries: what is dropped, and scores as they are weighed."""

    owners: Rows
    rows: Rows
    scores: Scores
    evidence: Codes
    dropped: Flags
    weighed: Scores
    notes: list[Acts] = field(default_factory=list)

    @classmethod
    def of(cls, owners: Rows, lists: Neighbours, evidence: Codes, width: int) -> "Draft":
        """A draft of lists (b, k) with room for `width` entries."""
        k = lists.rows.shape[1]
        rows = np.full((len(owners), width), NONE, dtype=np.int32)
        scores = np.full(rows.shape, LOWEST_SCORE, dtype=np.float64)
        codes = np.zeros(rows.shape, dtype=np.uint8)
        rows[:, :k], codes[:, :k] = lists.rows, evidence
        scores[:, :k] = np.where(lists.found, lists.scores, LOWEST_SCORE)
        return cls(owners, rows, scores, codes, np.zeros(rows.shape, dtype=bool), scores.copy())

    def note(self, matched: Matched, places: Places) -> None:
        """Remember in which lists a rule acted."""
        if len(places):
            acted = np.zeros(len(self.rows), dtype=bool)
            acted[places // self.rows.shape[1]] = True
            lists = np.flatnonzero(acted)
            self.notes.append(np.column_stack([lists, np.full(len(lists), matched.number)]))

    @property
    def touched(self) -> Flags:
        """In which lists (b,) a rule acted."""
        touched = np.zeros(len(self.rows), dtype=bool)
        for note in self.notes:
            touched[note[:, 0]] = True
        return touched

    def settled(self, touched: Places) -> Kept:
        """The lists in question with what is dropped left out, in the order of their scores."""
        rows = np.where(self.dropped[touched], np.int32(NONE), self.rows[touched])
        owners, weighed = self.owners[touched], self.weighed[touched]
        stay = (rows != NONE) & (rows != owners[:, None]) & first_of_each(rows)
        mixed = (weighed != self.scores[touched]).any(axis=1)
        places = np.broadcast_to(np.arange(rows.shape[1], dtype=np.float64), rows.shape)
        keys = np.where(stay, np.where(mixed[:, None], -weighed, places), np.inf)
        order = np.argsort(keys, axis=1, kind="stable")
        stay = np.take_along_axis(stay, order, axis=1)
        rows = np.where(stay, np.take_along_axis(rows, order, axis=1), np.int32(NONE))
        scores = np.clip(np.take_along_axis(weighed, order, axis=1), 0.0, 1.0)
        evidence = np.take_along_axis(self.evidence[touched], order, axis=1)
        return Kept(owners, rows, scores, evidence)
