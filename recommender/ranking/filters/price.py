"""Filters by price: a band around the price of the query item, and accessories to it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import FloatVector, Rows
from recommender.core.interactions import Unit
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import RankingContext
from recommender.errors import ConfigError
from recommender.ranking.filters.labels import Unknown
from recommender.vectors.behaviour.affinity import CategoryAffinity


@dataclass(frozen=True, slots=True)
class PriceBand:
    """Keeps items whose price is `low` to `high` times that of the query item, inclusive.

    An item without a price above 0 is in no band. `unknown` says whether a query item without a
    price keeps or drops all of its candidates.
    """

    by_similarity: ClassVar[bool] = False

    low: float = 0.5
    high: float = 2.0
    unknown: Unknown = "drop"

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high < np.inf:
            raise ConfigError(
                f"price-band: low = {self.low}, high = {self.high}; 0 <= low <= high is needed"
            )

    def prepare(self, context: RankingContext) -> "PriceFilter":
        """Look at the prices."""
        price = context.catalogue.price
        known = np.where(price > 0, price, np.float32(np.nan))
        return PriceFilter(known, self.low, self.high, self.unknown == "keep")


@dataclass(frozen=True, slots=True)
class PriceFilter:
    """The price of each item (n,), NaN where unknown, and the band."""

    price: FloatVector
    low: float
    high: float
    keeps_unknown: bool

    def keep(self, rows: Rows, candidates: Neighbours) -> NDArray[np.bool_]:
        """Which candidates (b, k) are in the band of their row."""
        own = self.price[rows][:, None].astype(np.float64)
        price = self.price[candidates.rows]
        inside: NDArray[np.bool_] = (price >= self.low * own) & (price <= self.high * own)
        if self.keeps_unknown:
            inside = inside | np.isnan(own)
        return inside & candidates.found


@dataclass(frozen=True, slots=True)
class OneWay:
    """Drops the main products that the query item is an accessory of: a case leads to no phone.

    A candidate is dropped if it costs more than `dearer` times as much and its category leads to
    the item's more often than the reverse, that is, if the rate from the item's category to the
    candidate's is below `leads_below` of the reverse rate. Neither prices nor counts suffice
    alone: a popular category is in the baskets of a rare one more often than the reverse.
    """

    by_similarity: ClassVar[bool] = False

    dearer: float = 2.0
    leads_below: float = 0.8
    unit: Unit = "auto"

    def __post_init__(self) -> None:
        for name in ("dearer", "leads_below"):
            if not 0 < getattr(self, name) < np.inf:
                raise ConfigError(f"one-way: {name} = {getattr(self, name)} is not above 0")

    def prepare(self, context: RankingContext) -> "OneWayFilter":
        """Count which categories go with which."""
        category, by_category = CategoryAffinity.of(
            context.catalogue, context.interactions, self.unit
        )
        price = context.catalogue.price
        known = np.where(price > 0, price, np.float32(np.nan))
        return OneWayFilter(self, known, category, by_category)


@dataclass(frozen=True, slots=True)
class OneWayFilter:
    """Price (n,), NaN where unknown, category (n,) and what goes with what, of one build."""

    settings: OneWay
    price: FloatVector
    category: Rows
    by_category: CategoryAffinity

    def keep(self, rows: Rows, candidates: Neighbours) -> NDArray[np.bool_]:
        """Which candidates (b, k) their row is no accessory of."""
        dearer = self.price[candidates.rows] > self.settings.dearer * self.price[rows][:, None]
        kept = candidates.found.copy()
        asking, place = np.nonzero(kept & dearer)
        seeds = self.category[rows[asking]]
        found = self.category[candidates.rows[asking, place]]
        there, back = self.by_category.rate(seeds, found), self.by_category.rate(found, seeds)
        kept[asking, place] = there >= self.settings.leads_below * back
        return kept
