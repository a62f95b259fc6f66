"""Candidates that sell best, or that sell better than before."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recommender.core.arrays import Rows
from recommender.core.half_life import HalfLife, require_half_life
from recommender.core.interactions import growth, most_popular
from recommender.core.labels import category_paths
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.protocols import RankingContext, VectorIndex
from recommender.core.vectors import ItemVectors
from recommender.errors import ConfigError


@dataclass(frozen=True, slots=True)
class BestSellersGenerator:
    """Proposes the `size` items that recently sold best, the same for every item."""

    near_by_content: ClassVar[bool] = False

    size: int = 30
    half_life_days: HalfLife = "auto"

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ConfigError(f"best-sellers: size = {self.size} is below 1")
        require_half_life(self.half_life_days, "best-sellers")

    def prepare(self, context: RankingContext, index: VectorIndex) -> "BestSellersCandidates":
        """Order the items by what they sold."""
        strength = context.rates(half_life_days=self.half_life_days).strength
        return BestSellersCandidates(context.vectors, most_popular(strength)[: self.size])


@dataclass(frozen=True, slots=True)
class BestSellersCandidates:
    """What sells best (s,)."""

    vectors: ItemVectors
    best: Rows

    def propose(self, rows: Rows, k: int) -> Neighbours:
        """The best sellers, at most k of them, for each of the b rows."""
        proposed = np.broadcast_to(self.best[:k], (len(rows), min(k, len(self.best))))
        return Neighbours.ordered(proposed, self.vectors.inner(rows, proposed))


@dataclass(frozen=True, slots=True)
class TrendingGenerator:
    """Proposes the `size` items of the query item's category, and of the shop, that grow most.

    Items that do not grow are not proposed. Recent events are those of the last few
    `half_life_days`.
    """

    near_by_content: ClassVar[bool] = False

    size: int = 50
    half_life_days: float = 7.0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ConfigError(f"trending: size = {self.size} is below 1")
        if not 0 < self.half_life_days < np.inf:
            raise ConfigError(f"trending: half_life_days = {self.half_life_days} is not above 0")

    def prepare(self, context: RankingContext, index: VectorIndex) -> "TrendingCandidates":
        """Order the items by growth."""
        grown = growth(context.interactions, self.half_life_days)
        ranked = most_popular(grown)
        of_category: dict[str, list[int]] = {}
        for row in ranked.tolist():
            for path in category_paths(context.catalogue, row):
                rows = of_category.setdefault(path, [])
                if len(rows) < self.size:
                    rows.append(row)
        return TrendingCandidates(
            context.vectors,
            context.catalogue.category,
            {name: np.array(rows, dtype=np.int32) for name, rows in of_category.items()},
            ranked[: self.size],
        )


@dataclass(frozen=True, slots=True)
class TrendingCandidates:
    """What grows most, by category and in the shop, best first."""

    vectors: ItemVectors
    category: tuple[str, ...]
    of_category: dict[str, Rows]
    of_shop: Rows

    def propose(self, rows: Rows, k: int) -> Neighbours:
        """What grows in each row's category, then in the shop, at most k items."""
        proposed = np.full((len(rows), k), NONE, dtype=np.int32)
        for place, row in enumerate(rows.tolist()):
            own = self.of_category.get(self.category[row], self.of_shop[:0])
            others = self.of_shop[~np.isin(self.of_shop, own)]
            found = np.concatenate([own, others])[:k]
            proposed[place, : len(found)] = found
        return Neighbours.ordered(proposed, self.vectors.inner(rows, proposed))
