"""Only what can be bought."""

from dataclasses import dataclass
from typing import ClassVar

from recommender.core.context import RankingContext
from recommender.ranking.filters.allowed import Allowed


@dataclass(frozen=True, slots=True)
class InStock:
    """Drops items that the catalogue says are out of stock."""

    by_likeness: ClassVar[bool] = False

    def prepare(self, context: RankingContext) -> Allowed:
        """Look at the catalogue."""
        return Allowed(context.catalogue.in_stock)
