"""Candidates that the vector index finds."""

from dataclasses import dataclass
from typing import ClassVar

from recommender.arrays import Rows
from recommender.basis import Basis
from recommender.neighbours import Neighbours
from recommender.protocols import VectorIndex
from recommender.vectors import ItemVectors


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest item vectors."""

    near_by_text: ClassVar[bool] = False

    def prepare(self, basis: Basis, index: VectorIndex) -> "NearestProposer":
        """Keep the index at hand."""
        return NearestProposer(basis.vectors, index)


@dataclass(frozen=True, slots=True)
class NearestProposer:
    """The index of one build."""

    vectors: ItemVectors
    index: VectorIndex

    def propose(self, rows: Rows, k: int) -> Neighbours:
        """The k nearest targets of the b rows."""
        return self.index.search(self.vectors.queries[rows], k)
