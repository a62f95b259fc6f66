"""Candidates that are sold with the likes of an item."""

from dataclasses import dataclass
from typing import ClassVar

from recommender.core.arrays import Rows
from recommender.core.co_occurrence import CoOccurrence, strongest
from recommender.core.context import RankingContext
from recommender.core.interactions import Unit
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import VectorIndex
from recommender.core.vectors import ItemVectors
from recommender.errors import ConfigError


@dataclass(frozen=True, slots=True)
class TextBackOff:
    """An item borrows the co-occurrence of its `width` nearest items by text.

    So items that are new, or that hardly sell, have candidates that behaviour knows.
    """

    near_by_content: ClassVar[bool] = True

    unit: Unit = "auto"
    half_life_days: float = 60.0
    width: int = 20

    def __post_init__(self) -> None:
        if not self.half_life_days > 0:
            raise ConfigError(
                f"text-back-off: half_life_days = {self.half_life_days} is not above 0"
            )
        if self.width < 1:
            raise ConfigError(f"text-back-off: width = {self.width} is below 1")

    def prepare(self, context: RankingContext, index: VectorIndex) -> "TextBackOffCandidates":
        """Weigh the units and find who is near by text."""
        rates = context.rates(self.unit, self.half_life_days)
        return TextBackOffCandidates(context.vectors, rates, context.near_by_content(), self.width)


@dataclass(frozen=True, slots=True)
class TextBackOffCandidates:
    """Rates, and the nearest items by text (n, k), of one build."""

    vectors: ItemVectors
    rates: CoOccurrence
    near: Neighbours
    width: int

    def propose(self, rows: Rows, k: int) -> Neighbours:
        """The k items of the highest borrowed rate for each of the b rows."""
        proposed = strongest(self.rates.borrowed(self.near, rows, self.width), k)
        return Neighbours.ordered(proposed, self.vectors.inner(rows, proposed))
