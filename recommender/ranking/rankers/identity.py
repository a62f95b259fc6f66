"""Candidates in the order of their scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from recommender.core.arrays import Columns, Rows
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.protocols import RankingContext, TrainingSet

LOWEST_SCORE = 1e-6


class UnlearnedRanker:
    """The part of a ranker that learns nothing: what it needs, it counts anew in every build."""

    __slots__ = ()

    learns: ClassVar[bool] = False

    def fit(self, training_set: TrainingSet | None) -> Self:
        """Return itself."""
        return self

    def load(self, columns: Columns) -> Self:
        """Return itself."""
        return self

    def columns(self) -> Columns:
        """Return nothing: it learns nothing."""
        return {}

    def summary(self) -> Mapping[str, Any]:
        """Return nothing: it learns nothing."""
        return {}


@dataclass(frozen=True, slots=True)
class Identity(UnlearnedRanker):
    """Leaves candidates in the order of their inner products."""

    by_popularity: ClassVar[bool] = False

    def prepare(self, context: RankingContext) -> "InnerProductScorer":
        """Scores are divided by the largest possible inner product."""
        return InnerProductScorer(context.vectors.bound)


@dataclass(frozen=True, slots=True)
class InnerProductScorer:
    """The order of the item vectors of one build."""

    bound: float

    def rank(self, rows: Rows, candidates: Neighbours) -> Neighbours:
        """The candidates themselves, scores divided by the bound, the lowest just above 0."""
        scores = np.clip(candidates.scores / np.float32(self.bound), LOWEST_SCORE, 1)
        return Neighbours(
            candidates.rows, np.where(candidates.rows == NONE, -np.inf, scores).astype(np.float32)
        )
