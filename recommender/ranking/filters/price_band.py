"""Items of about the price of the asking one, or cheaper, or dearer."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import FloatVector, Rows
from recommender.core.context import RankingContext
from recommender.core.neighbours import Neighbours
from recommender.errors import ConfigError
from recommender.ranking.filters.shared import Unknown


@dataclass(frozen=True, slots=True)
class PriceBand:
    """Keeps items whose price is `low` to `high` times that of the asking item, both included.

    An item without a price above 0 is in no band. `unknown` says what happens to all candidates of
    an asking item without one.
    """

    by_likeness: ClassVar[bool] = False

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
