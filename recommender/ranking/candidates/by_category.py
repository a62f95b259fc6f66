"""Candidates of the categories that go with an item's."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from recommender.core.arrays import FloatMatrix, Rows
from recommender.core.co_occurrence import strongest
from recommender.core.context import RankingContext
from recommender.core.interactions import Unit, support
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.protocols import VectorIndex
from recommender.core.vectors import ItemVectors
from recommender.errors import ConfigError
from recommender.vectors.behaviour.affinity import Habits


@dataclass(frozen=True, slots=True)
class ByCategory:
    """The items nearest by content in the `categories` that share most units with the item's own.

    So an item that hardly sells has candidates where its like are bought with something else. Of a
    category only the `members_max` items that sell best are looked at.
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
        """Find which categories go with which, and who sells in them."""
        category, habits = Habits.of(context.catalogue, context.interactions, self.unit)
        sold = support(context.interactions.matrix(self.unit))
        best = np.lexsort((-sold, category)).astype(np.int32)
        starts = np.searchsorted(category[best], np.arange(len(habits.weight) + 1))
        members = tuple(
            best[start:end][: self.members_max] for start, end in pairwise(starts.tolist())
        )
        return ByCategoryCandidates(
            context.vectors,
            context.origins.joined().matrix,
            category,
            members,
            strongest(habits.together, self.categories),
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
