"""Filters by what an item is, whichever item asks: in stock, enough support."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows
from recommender.core.context import RankingContext
from recommender.core.interactions import Unit, support
from recommender.core.neighbours import Neighbours
from recommender.errors import ConfigError


@dataclass(frozen=True, slots=True)
class EligibleItems:
    """Whether each item of one build may be listed (n,), whichever item asks."""

    items: NDArray[np.bool_]

    def keep(self, rows: Rows, candidates: Neighbours) -> NDArray[np.bool_]:
        """Which candidates (b, k) are allowed."""
        return candidates.found & self.items[candidates.rows]


@dataclass(frozen=True, slots=True)
class InStock:
    """Drops items that the catalogue says are out of stock."""

    by_similarity: ClassVar[bool] = False

    def prepare(self, context: RankingContext) -> EligibleItems:
        """Look at the catalogue."""
        return EligibleItems(context.catalogue.in_stock)


@dataclass(frozen=True, slots=True)
class MinimumSupport:
    """Drops items in fewer than `least` units of the placement's interactions.

    So items without events are in no list of the placement.
    """

    by_similarity: ClassVar[bool] = False

    least: int = 1
    unit: Unit = "auto"

    def __post_init__(self) -> None:
        if self.least < 0:
            raise ConfigError(f"minimum-support: least = {self.least} is below 0")

    def prepare(self, context: RankingContext) -> EligibleItems:
        """Count the units."""
        return EligibleItems(support(context.interactions.matrix(self.unit)) >= self.least)
