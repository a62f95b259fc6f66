"""The asking item's brand or category, and another one."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from recommender.core import labels
from recommender.core.arrays import Rows
from recommender.core.context import RankingContext
from recommender.core.neighbours import NONE, Neighbours

Unknown = Literal["keep", "drop"]


@dataclass(frozen=True, slots=True)
class SameCategory:
    """Keeps items that share the first `level` parts of the category path; 0 is the whole path.

    An item without a category is in nobody's. `unknown` says what happens to all candidates of an
    asking item without one.
    """

    by_likeness: ClassVar[bool] = False

    level: int = 0
    unknown: Unknown = "drop"

    def __post_init__(self) -> None:
        labels.require_level(self.level, "same-category")

    def prepare(self, context: RankingContext) -> "LabelFilter":
        """Number the categories."""
        codes = labels.of_category(context.catalogue, self.level)
        return LabelFilter(codes, same=True, keeps_unknown=self.unknown == "keep")


@dataclass(frozen=True, slots=True)
class OtherCategory:
    """Drops items that share the first `level` parts of the category path; 0 is the whole path.

    Where one of the two has no category, nothing is known to be shared.
    """

    by_likeness: ClassVar[bool] = False

    level: int = 0

    def __post_init__(self) -> None:
        labels.require_level(self.level, "other-category")

    def prepare(self, context: RankingContext) -> "LabelFilter":
        """Number the categories."""
        codes = labels.of_category(context.catalogue, self.level)
        return LabelFilter(codes, same=False, keeps_unknown=True)


@dataclass(frozen=True, slots=True)
class SameBrand:
    """Keeps items of the asking item's brand; `unknown` as in `SameCategory`."""

    by_likeness: ClassVar[bool] = False

    unknown: Unknown = "drop"

    def prepare(self, context: RankingContext) -> "LabelFilter":
        """Number the brands."""
        codes = labels.of_brand(context.catalogue)
        return LabelFilter(codes, same=True, keeps_unknown=self.unknown == "keep")


@dataclass(frozen=True, slots=True)
class OtherBrand:
    """Drops items of the asking item's brand."""

    by_likeness: ClassVar[bool] = False

    def prepare(self, context: RankingContext) -> "LabelFilter":
        """Number the brands."""
        return LabelFilter(labels.of_brand(context.catalogue), same=False, keeps_unknown=True)


@dataclass(frozen=True, slots=True)
class LabelFilter:
    """The label of each item (n,), and whether that of the asking item is wanted."""

    codes: Rows
    same: bool
    keeps_unknown: bool

    def keep(self, rows: Rows, candidates: Neighbours) -> NDArray[np.bool_]:
        """Which candidates (b, k) have the wanted label."""
        own = self.codes[rows][:, None]
        wanted: NDArray[np.bool_] = (self.codes[candidates.rows] == own) & (own != NONE)
        if not self.same:
            wanted = ~wanted
        elif self.keeps_unknown:
            wanted = wanted | (own == NONE)
        return wanted & candidates.found
