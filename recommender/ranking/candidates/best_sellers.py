"""Candidates that sell best at the time."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recommender.core.arrays import Rows
from recommender.core.context import RankingContext
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import VectorIndex
from recommender.core.vectors import ItemVectors
from recommender.errors import ConfigError


@dataclass(frozen=True, slots=True)
class BestSellers:
    """The `size` items that sell best of late, the same for everyone: for a ranker to judge."""

    near_by_content: ClassVar[bool] = False

    size: int = 30
    half_life_days: float = 20.0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ConfigError(f"best-sellers: size = {self.size} is below 1")
        if not self.half_life_days > 0:
            raise ConfigError(
                f"best-sellers: half_life_days = {self.half_life_days} is not above 0"
            )

    def prepare(self, context: RankingContext, index: VectorIndex) -> "BestSellersCandidates":
        """Order the items by what they sold."""
        strength = context.rates(half_life_days=self.half_life_days).strength
        ranked = np.argsort(-strength, kind="stable")[: self.size]
        return BestSellersCandidates(context.vectors, ranked[strength[ranked] > 0].astype(np.int32))


@dataclass(frozen=True, slots=True)
class BestSellersCandidates:
    """What sells best (s,)."""

    vectors: ItemVectors
    best: Rows

    def propose(self, rows: Rows, k: int) -> Neighbours:
        """The best sellers, at most k of them, for each of the b rows."""
        proposed = np.broadcast_to(self.best[:k], (len(rows), min(k, len(self.best))))
        return Neighbours.ordered(proposed, self.vectors.inner(rows, proposed))
