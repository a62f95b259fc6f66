"""A phone leads to a case, not the reverse."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import FloatVector, Rows
from recommender.core.context import RankingContext
from recommender.core.interactions import Unit
from recommender.core.neighbours import Neighbours
from recommender.errors import ConfigError
from recommender.vectors.behaviour.affinity import Habits


@dataclass(frozen=True, slots=True)
class OneWay:
    """Drops what the asking item is an accessory of.

    That is what costs more than `dearer` times as much and whose category leads to the item's
    more often than the reverse: the share of the one's units with the other is below `leads_below`
    of what it is the other way round. Prices alone would not do, nor counts alone: a popular
    category is in the baskets of a rare one more often than the reverse, whatever the two are.
    """

    by_likeness: ClassVar[bool] = False

    dearer: float = 2.0
    leads_below: float = 0.8
    unit: Unit = "auto"

    def __post_init__(self) -> None:
        for name in ("dearer", "leads_below"):
            if not 0 < getattr(self, name) < np.inf:
                raise ConfigError(f"one-way: {name} = {getattr(self, name)} is not above 0")

    def prepare(self, context: RankingContext) -> "OneWayFilter":
        """Count which categories go with which."""
        category, habits = Habits.of(context.catalogue, context.interactions, self.unit)
        price = context.catalogue.price
        known = np.where(price > 0, price, np.float32(np.nan))
        return OneWayFilter(self, known, category, habits)


@dataclass(frozen=True, slots=True)
class OneWayFilter:
    """Price (n,), NaN where unknown, category (n,) and what goes with what, of one build."""

    rule: OneWay
    price: FloatVector
    category: Rows
    habits: Habits

    def keep(self, rows: Rows, candidates: Neighbours) -> NDArray[np.bool_]:
        """Which candidates (b, k) their row is no accessory of."""
        dearer = self.price[candidates.rows] > self.rule.dearer * self.price[rows][:, None]
        kept = candidates.found.copy()
        asking, place = np.nonzero(kept & dearer)
        seeds = self.category[rows[asking]]
        found = self.category[candidates.rows[asking, place]]
        there, back = self.habits.rate(seeds, found), self.habits.rate(found, seeds)
        kept[asking, place] = there >= self.rule.leads_below * back
        return kept
