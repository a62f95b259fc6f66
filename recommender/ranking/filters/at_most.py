"""At most so many of one brand, or of one category."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from recommender.core import labels
from recommender.core.arrays import Rows, place_among_equals
from recommender.core.context import RankingContext
from recommender.core.neighbours import NONE, Neighbours
from recommender.errors import ConfigError


@dataclass(frozen=True, slots=True)
class AtMostPerBrand:
    """Keeps the best `most` of each brand in a list; items without a brand are not counted."""

    by_likeness: ClassVar[bool] = False

    most: int = 3

    def __post_init__(self) -> None:
        _require_most(self.most, "at-most-per-brand")

    def prepare(self, context: RankingContext) -> "CountFilter":
        """Number the brands."""
        return CountFilter(labels.of_brand(context.catalogue), self.most)


@dataclass(frozen=True, slots=True)
class AtMostPerCategory:
    """Keeps the best `most` of each category in a list; those without one are not counted.

    Categories are one where the first `level` parts of their path are; 0 is the whole path.
    """

    by_likeness: ClassVar[bool] = False

    most: int = 6
    level: int = 0

    def __post_init__(self) -> None:
        _require_most(self.most, "at-most-per-category")
        labels.require_level(self.level, "at-most-per-category")

    def prepare(self, context: RankingContext) -> "CountFilter":
        """Number the categories."""
        return CountFilter(labels.of_category(context.catalogue, self.level), self.most)


@dataclass(frozen=True, slots=True)
class CountFilter:
    """The label of each item (n,), and how many of one label a list may hold."""

    codes: Rows
    most: int

    def keep(self, rows: Rows, candidates: Neighbours) -> NDArray[np.bool_]:
        """Which candidates (b, k) are among the first `most` of their label."""
        codes = np.where(candidates.found, self.codes[candidates.rows], NONE)
        kept: NDArray[np.bool_] = (codes == NONE) | (place_among_equals(codes) < self.most)
        return kept & candidates.found


def _require_most(most: int, rule: str) -> None:
    if most < 1:
        raise ConfigError(f"{rule}: most = {most} is below 1")
