"""Candidates in the order of their growth."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recommender.core.arrays import FloatVector, Rows
from recommender.core.interactions import growth
from recommender.core.labels import Labels
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import RankingContext
from recommender.errors import ConfigError
from recommender.ranking.rankers.identity import LOWEST_SCORE, UnlearnedRanker


@dataclass(frozen=True, slots=True)
class TrendingRanker(UnlearnedRanker):
    """Ranks growing items of the query item's category first, then growing items of the shop.

    The former have scores above 0.5. Age counts from the newest event, not from the clock.
    """

    by_popularity: ClassVar[bool] = True

    half_life_days: float = 7.0

    def __post_init__(self) -> None:
        if not 0 < self.half_life_days < np.inf:
            raise ConfigError(f"trending: half_life_days = {self.half_life_days} is not above 0")

    def prepare(self, context: RankingContext) -> "GrowthScorer":
        """Measure the growth of every item."""
        grown = growth(context.interactions, self.half_life_days)
        return GrowthScorer(grown, Labels.of_categories(context.catalogue))


@dataclass(frozen=True, slots=True)
class GrowthScorer:
    """Growth (n,) and categories of the n items of one build."""

    growth: FloatVector
    categories: Labels

    def rank(self, rows: Rows, candidates: Neighbours) -> Neighbours:
        """Candidates by growth; growing items that share a category come before all others."""
        grown = self.growth[candidates.rows]
        local = self.categories.shared(rows[:, None], candidates.rows) & (grown > 0)
        squeezed = (1 + grown / (1 + np.abs(grown))) / 2
        scores = np.where(local, (1 + squeezed) / 2, squeezed / 2)
        return Neighbours.ordered(candidates.rows, np.clip(scores, LOWEST_SCORE, 1))
