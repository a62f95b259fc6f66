"""Candidates from the vector index."""

from dataclasses import dataclass
from typing import ClassVar

from recommender.core.arrays import Rows
from recommender.core.context import RankingContext
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import VectorIndex
from recommender.core.vectors import ItemVectors


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
