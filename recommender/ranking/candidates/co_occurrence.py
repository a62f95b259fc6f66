"""Candidates that were bought or seen together most often."""

from dataclasses import dataclass
from typing import ClassVar

from recommender.core.arrays import Rows
from recommender.core.co_occurrence import CoOccurrence as Rates
from recommender.core.co_occurrence import strongest
from recommender.core.context import RankingContext
from recommender.core.interactions import Unit
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import VectorIndex
from recommender.core.vectors import ItemVectors
from recommender.errors import ConfigError


@dataclass(frozen=True, slots=True)
class CoOccurrence:
    """Items that share the most units with the asking item; `auto` by the finest unit given.

    Large units count less, and half as much for every `half_life_days` of age.
    """

    near_by_content: ClassVar[bool] = False

    unit: Unit = "auto"
    half_life_days: float = 60.0

    def __post_init__(self) -> None:
        if not self.half_life_days > 0:
            raise ConfigError(
                f"co-occurrence: half_life_days = {self.half_life_days} is not above 0"
            )

    def prepare(self, context: RankingContext, index: VectorIndex) -> "CoOccurrenceCandidates":
        """Weigh the units."""
        return CoOccurrenceCandidates(
            context.vectors, context.rates(self.unit, self.half_life_days)
        )


@dataclass(frozen=True, slots=True)
class CoOccurrenceCandidates:
    """The rates of one build."""

    vectors: ItemVectors
    rates: Rates

    def propose(self, rows: Rows, k: int) -> Neighbours:
        """The k items of the highest rate given each of the b rows, equal rates by row."""
        proposed = strongest(self.rates.rates(rows), k)
        return Neighbours.ordered(proposed, self.vectors.inner(rows, proposed))
