"""Candidates near the query item, in the shop, its brand, its category or related ones."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from recommender.core.arrays import FloatMatrix, Rows
from recommender.core.catalogue import require_level
from recommender.core.co_occurrence import strongest
from recommender.core.interactions import Unit, support
from recommender.core.labels import Labels
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.protocols import RankingContext, VectorIndex
from recommender.core.vectors import ItemVectors
from recommender.errors import ConfigError
from recommender.vectors.behaviour.affinity import CategoryAffinity


@dataclass(frozen=True, slots=True)
class NearestGenerator:
    """Proposes the nearest item vectors."""

    near_by_content: ClassVar[bool] = False

    def prepare(self, context: RankingContext, index: VectorIndex) -> "NearestCandidates":
        """Keep the index at hand."""
        return NearestCandidates(context.vectors, index)


@dataclass(frozen=True, slots=True)
class NearestCandidates:
    """The index of one build."""

    vectors: ItemVectors
    index: VectorIndex

    def propose(self, rows: Rows, k: int) -> Neighbours:
        """The k nearest targets of the b rows."""
        return self.index.search(self.vectors.queries[rows], k)


@dataclass(frozen=True, slots=True)
class NearestContentGenerator:
    """Proposes the nearest items by content, whatever their item vectors have learned."""

    near_by_content: ClassVar[bool] = True

    def prepare(self, context: RankingContext, index: VectorIndex) -> "NearestContentCandidates":
        """Find the nearest items by content."""
        return NearestContentCandidates(context.vectors, context.near_by_content())


@dataclass(frozen=True, slots=True)
class NearestContentCandidates:
    """The nearest items by content (n, 30) of one build."""

    vectors: ItemVectors
    near: Neighbours

    def propose(self, rows: Rows, k: int) -> Neighbours:
        """At most 30 nearest items of each of the b rows."""
        proposed = self.near.rows[rows, :k]
        return Neighbours.ordered(proposed, self.vectors.inner(rows, proposed))


@dataclass(frozen=True, slots=True)
class SameBrandGenerator:
    """Proposes the nearest item vectors of the query item's brand; none where it is unknown.

    The filter of that name alone would have to search the whole catalogue for a rare brand.
    """

    near_by_content: ClassVar[bool] = False

    def prepare(self, context: RankingContext, index: VectorIndex) -> "LabelCandidates":
        """Sort the items by brand."""
        return LabelCandidates.of(context.vectors, Labels.of_brands(context.catalogue))


@dataclass(frozen=True, slots=True)
class SameCategoryGenerator:
    """Proposes the nearest item vectors of the first `level` parts of the item's category path.

    0 means the whole path. Items that have the category among several are proposed too.
    """

    near_by_content: ClassVar[bool] = False

    level: int = 0

    def __post_init__(self) -> None:
        require_level(self.level, "same-category")

    def prepare(self, context: RankingContext, index: VectorIndex) -> "LabelCandidates":
        """Sort the items by category."""
        labels = Labels.of_categories(context.catalogue, self.level)
        return LabelCandidates.of(context.vectors, labels)


@dataclass(frozen=True, slots=True)
class LabelCandidates:
    """The label of each item (n,), and the items of each label."""

    vectors: ItemVectors
    codes: Rows
    members: tuple[Rows, ...]

    @classmethod
    def of(cls, vectors: ItemVectors, labels: Labels) -> "LabelCandidates":
        """Sort the items by label; `NONE` has no members."""
        rows, codes = labels.members()
        order = np.argsort(codes, kind="stable")
        bounds = np.searchsorted(codes[order], np.arange(int(codes.max(initial=NONE)) + 2))
        members = tuple(rows[order[start:end]] for start, end in pairwise(bounds.tolist()))
        return cls(vectors, labels.own, members)

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


@dataclass(frozen=True, slots=True)
class ByCategoryGenerator:
    """Proposes the nearest items by text in the `categories` most often bought with the item's own.

    So an item that hardly sells has candidates from the categories that similar items sell with.
    Only the `members_max` best sellers of each category are considered.
    """

    near_by_content: ClassVar[bool] = False

    unit: Unit = "auto"
    categories: int = 5
    members_max: int = 2_000

    def __post_init__(self) -> None:
        for name in ("categories", "members_max"):
            if getattr(self, name) < 1:
                raise ConfigError(f"by-category: {name} = {getattr(self, name)} is below 1")

    def prepare(self, context: RankingContext, index: VectorIndex) -> "ByCategoryCandidates":
        """Find which categories are bought together, and the best sellers of each."""
        category, by_category = CategoryAffinity.of(
            context.catalogue, context.interactions, self.unit
        )
        sold = support(context.interactions.matrix(self.unit))
        best = np.lexsort((-sold, category)).astype(np.int32)
        starts = np.searchsorted(category[best], np.arange(len(by_category.weight) + 1))
        members = tuple(
            best[start:end][: self.members_max] for start, end in pairwise(starts.tolist())
        )
        return ByCategoryCandidates(
            context.vectors,
            context.origins.joined().matrix,
            category,
            members,
            strongest(by_category.together, self.categories),
        )


@dataclass(frozen=True, slots=True)
class ByCategoryCandidates:
    """Category (n,), the members of each, and which categories (c, categories) go with it."""

    vectors: ItemVectors
    content: FloatMatrix
    category: Rows
    members: tuple[Rows, ...]
    going_with: Rows

    def propose(self, rows: Rows, k: int) -> Neighbours:
        """The k / categories nearest members of each category that goes with a row's."""
        each = max(1, k // self.going_with.shape[1])
        proposed = np.full((len(rows), each * self.going_with.shape[1]), NONE, dtype=np.int32)
        own = self.category[rows]
        for category in np.unique(own).tolist():
            asking = np.flatnonzero(own == category)
            found = [
                self._nearest(rows[asking], self.members[other], each)
                for other in self.going_with[category].tolist()
                if other != NONE
            ]
            if found:
                joined = np.hstack(found)
                proposed[asking, : joined.shape[1]] = joined
        proposed = proposed[:, :k]
        return Neighbours.ordered(proposed, self.vectors.inner(rows, proposed))

    def _nearest(self, rows: Rows, members: Rows, k: int) -> Rows:
        cosines = self.content[rows] @ self.content[members].T
        best = np.lexsort((np.broadcast_to(members, cosines.shape), -cosines), axis=1)[:, :k]
        return members[best]
