"""Candidates of an item's own brand, or of its own category."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from recommender.core import labels
from recommender.core.arrays import Rows
from recommender.core.context import RankingContext
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.protocols import VectorIndex
from recommender.core.vectors import ItemVectors


@dataclass(frozen=True, slots=True)
class SameBrand:
    """The nearest item vectors of the asking item's brand; none where that is unknown.

    Beside the rule of that name, which would have to search the catalogue for what a brand has.
    """

    near_by_content: ClassVar[bool] = False

    def prepare(self, context: RankingContext, index: VectorIndex) -> "LabelCandidates":
        """Sort the items by brand."""
        return LabelCandidates.of(context.vectors, labels.of_brand(context.catalogue))


@dataclass(frozen=True, slots=True)
class SameCategory:
    """The nearest item vectors that share the first `level` parts of the category; 0 is all."""

    near_by_content: ClassVar[bool] = False

    level: int = 0

    def __post_init__(self) -> None:
        labels.require_level(self.level, "same-category")

    def prepare(self, context: RankingContext, index: VectorIndex) -> "LabelCandidates":
        """Sort the items by category."""
        return LabelCandidates.of(
            context.vectors, labels.of_category(context.catalogue, self.level)
        )


@dataclass(frozen=True, slots=True)
class LabelCandidates:
    """The label of each item (n,), and the items of each label."""

    vectors: ItemVectors
    codes: Rows
    members: tuple[Rows, ...]

    @classmethod
    def of(cls, vectors: ItemVectors, codes: Rows) -> "LabelCandidates":
        """Sort the items by label; `NONE` has no members."""
        order = np.argsort(codes, kind="stable").astype(np.int32)
        bounds = np.searchsorted(codes[order], np.arange(int(codes.max(initial=NONE)) + 2))
        members = tuple(order[start:end] for start, end in pairwise(bounds.tolist()))
        return cls(vectors, codes, members)

    def propose(self, rows: Rows, k: int) -> Neighbours:
        """The k nearest of each row's label, equal ones by row."""
        found = np.full((len(rows), k), NONE, dtype=np.int32)
        own = self.codes[rows]
        for code in np.unique(own[own != NONE]).tolist():
            asking, members = np.flatnonzero(own == code), self.members[code]
            if len(members) <= k:
                found[asking, : len(members)] = members
                continue
            products = self.vectors.queries[rows[asking]] @ self.vectors.targets[members].T
            best = np.argsort(-products, axis=1, kind="stable")[:, :k]
            found[asking] = members[best]
        return Neighbours.ordered(found, self.vectors.inner(rows, found))
