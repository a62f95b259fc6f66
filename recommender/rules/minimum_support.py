"""Only what has proved itself."""

from dataclasses import dataclass

from recommender.basis import Basis
from recommender.errors import ConfigError
from recommender.interactions import Unit, support
from recommender.rules.allowed import Allowed


@dataclass(frozen=True, slots=True)
class MinimumSupport:
    """Drops items in fewer than `least` units of the placement's interactions.

    So items without events are in no list of the placement.
    """

    least: int = 1
    unit: Unit = "auto"

    def __post_init__(self) -> None:
        if self.least < 0:
            raise ConfigError(f"minimum-support: least = {self.least} is below 0")

    def prepare(self, basis: Basis) -> Allowed:
        """Count the units."""
        return Allowed(support(basis.interactions.matrix(self.unit)) >= self.least)
