"""Candidates that were bought or viewed together with the query item, or with its like."""

from dataclasses import dataclass
from typing import ClassVar

from recommender.core.arrays import Rows
from recommender.core.co_occurrence import CoOccurrence, strongest
from recommender.core.half_life import HalfLife, require_half_life
from recommender.core.interactions import Unit
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import RankingContext, VectorIndex
from recommender.core.vectors import ItemVectors
from recommender.errors import ConfigError


@dataclass(frozen=True, slots=True)
class CoOccurrenceGenerator:
    """Proposes the items that share the most units with the query item.

    `auto` takes the finest unit that the shop gives. Large units count less, and every unit half
    as much for each `half_life_days` of age.
    """

    near_by_content: ClassVar[bool] = False

    unit: Unit = "auto"
    half_life_days: HalfLife = "auto"

    def __post_init__(self) -> None:
        require_half_life(self.half_life_days, "co-occurrence")

    def prepare(self, context: RankingContext, index: VectorIndex) -> "CoOccurrenceCandidates":
        """Weigh the units."""
        return CoOccurrenceCandidates(
            context.vectors, context.rates(self.unit, self.half_life_days)
        )


@dataclass(frozen=True, slots=True)
class CoOccurrenceCandidates:
    """The rates of one build."""

    vectors: ItemVectors
    rates: CoOccurrence

    def propose(self, rows: Rows, k: int) -> Neighbours:
        """The k items of the highest rate given each of the b rows, equal rates by row."""
        proposed = strongest(self.rates.rates(rows), k)
        return Neighbours.ordered(proposed, self.vectors.inner(rows, proposed))


@dataclass(frozen=True, slots=True)
class TextBackOffGenerator:
    """Proposes what the `width` nearest items by text are bought with.

    So items that are new, or that hardly sell, have candidates from behaviour too.
    """

    near_by_content: ClassVar[bool] = True

    unit: Unit = "auto"
    half_life_days: HalfLife = "auto"
    width: int = 20

    def __post_init__(self) -> None:
        require_half_life(self.half_life_days, "text-back-off")
        if self.width < 1:
            raise ConfigError(f"text-back-off: width = {self.width} is below 1")

    def prepare(self, context: RankingContext, index: VectorIndex) -> "TextBackOffCandidates":
        """Weigh the units, and find the nearest items by text."""
        rates = context.rates(self.unit, self.half_life_days)
        return TextBackOffCandidates(context.vectors, rates, context.near_by_content(), self.width)


@dataclass(frozen=True, slots=True)
class TextBackOffCandidates:
    """CoOccurrence, and the nearest items by text (n, k), of one build."""

    vectors: ItemVectors
    rates: CoOccurrence
    near: Neighbours
    width: int

    def propose(self, rows: Rows, k: int) -> Neighbours:
        """The k items of the highest borrowed rate for each of the b rows."""
        proposed = strongest(self.rates.borrowed(self.near, rows, self.width), k)
        return Neighbours.ordered(proposed, self.vectors.inner(rows, proposed))
