"""Only what has proved itself."""

from dataclasses import dataclass
from typing import ClassVar

from recommender.core.context import RankingContext
from recommender.core.interactions import Unit, support
from recommender.errors import ConfigError
from recommender.ranking.filters.allowed import Allowed


@dataclass(frozen=True, slots=True)
class MinimumSupport:
    """Drops items in fewer than `least` units of the placement's interactions.

    So items without events are in no list of the placement.
    """

    by_likeness: ClassVar[bool] = False

    least: int = 1
    unit: Unit = "auto"

    def __post_init__(self) -> None:
        if self.least < 0:
            raise ConfigError(f"minimum-support: least = {self.least} is below 0")

    def prepare(self, context: RankingContext) -> Allowed:
        """Count the units."""
        return Allowed(support(context.interactions.matrix(self.unit)) >= self.least)
