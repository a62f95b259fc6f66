"""RankingContext: what the lists of one build are chosen from."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from recommender.core.catalogue import Catalogue
from recommender.core.co_occurrence import CoOccurrence, Units
from recommender.core.half_life import HalfLife, learned_half_life
from recommender.core.interactions import Interactions, Unit
from recommender.core.neighbours import Neighbours
from recommender.core.vectors import ItemVectors, Origins


@dataclass(frozen=True, slots=True)
class CoOccurrenceCounts:
    """Co-occurrence of interactions; equal requests are counted once."""

    units: Callable[[Unit], Units]
    learned: Callable[[Unit], float]
    weighed: Callable[[Unit, float], CoOccurrence]

    @classmethod
    def of(cls, interactions: Interactions, users_min: int = 1) -> "CoOccurrenceCounts":
        """Count when first asked."""
        units = cache(partial(Units.of, interactions))
        return cls(
            units,
            cache(lambda unit: learned_half_life(units(unit))),
            cache(lambda unit, days: CoOccurrence.weighed(units(unit), days, users_min)),
        )

    def days(self, unit: Unit, half_life: HalfLife) -> float:
        """The half-life in days, inf for no decay."""
        return self.learned(unit) if half_life == "auto" else float(half_life) or np.inf


@dataclass(frozen=True, slots=True)
class RankingContext:
    """Catalogue, interactions, embeddings by origin and the item vectors made of them.

    `near_by_content` finds the nearest items by content of all items (n, k), once, when first
    asked.
    Only what `users_min` distinct users had together counts as behaviour of a pair. `counted` may
    be shared with another context of the same interactions.
    """

    catalogue: Catalogue
    interactions: Interactions
    origins: Origins
    vectors: ItemVectors
    near_by_content: Callable[[], Neighbours]
    users_min: int = 1
    counted: CoOccurrenceCounts | None = None

    def __post_init__(self) -> None:
        if self.counted is None:
            object.__setattr__(
                self, "counted", CoOccurrenceCounts.of(self.interactions, self.users_min)
            )

    def rates(self, unit: Unit = "auto", half_life_days: HalfLife = 0) -> CoOccurrence:
        """The co-occurrence of all items, by the weight of their units at that half-life."""
        return self._counted.weighed(unit, self.days(half_life_days, unit))

    def days(self, half_life_days: HalfLife = "auto", unit: Unit = "auto") -> float:
        """A half-life in days, inf for no decay; `auto` is learned from the interactions."""
        return self._counted.days(unit, half_life_days)

    @property
    def _counted(self) -> CoOccurrenceCounts:
        return self.counted or CoOccurrenceCounts.of(self.interactions, self.users_min)
