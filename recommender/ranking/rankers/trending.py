"""Candidates in the order of their growth."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recommender.core.arrays import Columns, FloatVector, Rows, text_codes
from recommender.core.context import RankingContext
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import TrainingSet
from recommender.errors import ConfigError
from recommender.ranking.rankers.identity import LOWEST_SCORE
from recommender.vectors.behaviour.trends import growth


@dataclass(frozen=True, slots=True)
class Trending:
    """What grows in the asking item's category comes first, then what grows in the shop.

    Scores are above 0.5 for the first. The newest event says what late is; no clock does.
    """

    learns: ClassVar[bool] = False
    by_popularity: ClassVar[bool] = True

    half_life_days: float = 7.0

    def __post_init__(self) -> None:
        if not 0 < self.half_life_days < np.inf:
            raise ConfigError(f"trending: half_life_days = {self.half_life_days} is not above 0")

    def fit(self, training_set: TrainingSet | None) -> "Trending":
        """Itself."""
        return self

    def load(self, columns: Columns) -> "Trending":
        """Itself."""
        return self

    def columns(self) -> Columns:
        """Nothing."""
        return {}

    def prepare(self, context: RankingContext) -> "GrowthScorer":
        """Measure the growth of every item."""
        category, names = text_codes(context.catalogue.category)
        blank = np.array([not name for name in names], dtype=bool)
        known = np.where(blank[category], -1, category).astype(np.int32)
        return GrowthScorer(growth(context.interactions, self.half_life_days), known)


@dataclass(frozen=True, slots=True)
class GrowthScorer:
    """Growth (n,) and category (n,) of the items of one build, -1 where unknown."""

    growth: FloatVector
    category: Rows

    def rank(self, rows: Rows, candidates: Neighbours) -> Neighbours:
        """Candidates by growth, those of the row's category before others where they grow."""
        grown = self.growth[candidates.rows]
        own = self.category[rows][:, None]
        local = (self.category[candidates.rows] == own) & (own >= 0) & (grown > 0)
        squeezed = (1 + grown / (1 + np.abs(grown))) / 2
        scores = np.where(local, (1 + squeezed) / 2, squeezed / 2)
        return Neighbours.ordered(candidates.rows, np.clip(scores, LOWEST_SCORE, 1))
