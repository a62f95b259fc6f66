"""Filters by the brand or the category of a candidate."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows, place_among_equals
from recommender.core.catalogue import brand_codes, category_codes, require_level
from recommender.core.labels import Labels
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.protocols import RankingContext
from recommender.errors import ConfigError

Unknown = Literal["keep", "drop"]


@dataclass(frozen=True, slots=True)
class SameCategory:
    """Keeps items that share the first `level` parts of a category path; 0 is the whole path.

    Of items with several categories, one in common is enough. An item without a category matches
    nothing. `unknown` says whether a query item without a
    category keeps or drops all of its candidates.
    """

    by_similarity: ClassVar[bool] = False

    level: int = 0
    unknown: Unknown = "drop"

    def __post_init__(self) -> None:
        require_level(self.level, "same-category")

    def prepare(self, context: RankingContext) -> "LabelFilter":
        """Number the categories."""
        labels = Labels.of_categories(context.catalogue, self.level)
        return LabelFilter(labels, same=True, keeps_unknown=self.unknown == "keep")


@dataclass(frozen=True, slots=True)
class OtherCategory:
    """Drops items that share the first `level` parts of a category path; 0 is the whole path.

    Candidates stay where either item has no category.
    """

    by_similarity: ClassVar[bool] = False

    level: int = 0

    def __post_init__(self) -> None:
        require_level(self.level, "other-category")

    def prepare(self, context: RankingContext) -> "LabelFilter":
        """Number the categories."""
        labels = Labels.of_categories(context.catalogue, self.level)
        return LabelFilter(labels, same=False, keeps_unknown=True)


@dataclass(frozen=True, slots=True)
class SameBrand:
    """Keeps items of the query item's brand; `unknown` as in `SameCategory`."""

    by_similarity: ClassVar[bool] = False

    unknown: Unknown = "drop"

    def prepare(self, context: RankingContext) -> "LabelFilter":
        """Number the brands."""
        labels = Labels.of_brands(context.catalogue)
        return LabelFilter(labels, same=True, keeps_unknown=self.unknown == "keep")


@dataclass(frozen=True, slots=True)
class OtherBrand:
    """Drops items of the query item's brand."""

    by_similarity: ClassVar[bool] = False

    def prepare(self, context: RankingContext) -> "LabelFilter":
        """Number the brands."""
        labels = Labels.of_brands(context.catalogue)
        return LabelFilter(labels, same=False, keeps_unknown=True)


@dataclass(frozen=True, slots=True)
class LabelFilter:
    """The labels of n items, and whether candidates must share one with the query item."""

    labels: Labels
    same: bool
    keeps_unknown: bool

    def keep(self, rows: Rows, candidates: Neighbours) -> NDArray[np.bool_]:
        """Which candidates (b, k) have the wanted label."""
        wanted = self.labels.shared(rows[:, None], candidates.rows)
        if not self.same:
            wanted = ~wanted
        elif self.keeps_unknown:
            wanted = wanted | (self.labels.own[rows] == NONE)[:, None]
        return wanted & candidates.found


@dataclass(frozen=True, slots=True)
class AtMostPerBrand:
    """Keeps the best `most` of each brand in a list; items without a brand are not counted."""

    by_similarity: ClassVar[bool] = False

    most: int = 3

    def __post_init__(self) -> None:
        _require_most(self.most, "at-most-per-brand")

    def prepare(self, context: RankingContext) -> "CountFilter":
        """Number the brands."""
        return CountFilter(brand_codes(context.catalogue), self.most)


@dataclass(frozen=True, slots=True)
class AtMostPerCategory:
    """Keeps the best `most` of each category in a list; those without one are not counted.

    Of an item with several categories, its own counts. Categories are one where the first `level`
    parts of their path are; 0 is the whole path.
    """

    by_similarity: ClassVar[bool] = False

    most: int = 6
    level: int = 0

    def __post_init__(self) -> None:
        _require_most(self.most, "at-most-per-category")
        require_level(self.level, "at-most-per-category")

    def prepare(self, context: RankingContext) -> "CountFilter":
        """Number the categories."""
        return CountFilter(category_codes(context.catalogue, self.level), self.most)


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
