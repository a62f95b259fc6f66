"""Filters by what an item is: in stock, enough support, one variant of each product."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows, first_of_each
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions, Unit, support
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import RankingContext
from recommender.errors import ConfigError


@dataclass(frozen=True, slots=True)
class EligibleItems:
    """Whether each item of one build may be listed (n,), whichever item asks."""

    items: NDArray[np.bool_]

    def keep(self, rows: Rows, candidates: Neighbours) -> NDArray[np.bool_]:
        """Which candidates (b, k) are allowed."""
        return candidates.found & self.items[candidates.rows]


@dataclass(frozen=True, slots=True)
class InStock:
    """Drops items that the catalogue says are out of stock."""

    by_similarity: ClassVar[bool] = False

    def prepare(self, context: RankingContext) -> EligibleItems:
        """Look at the catalogue."""
        return EligibleItems(context.catalogue.in_stock)


@dataclass(frozen=True, slots=True)
class MinimumSupport:
    """Drops items in fewer than `least` units of the placement's interactions.

    So items without events are in no list of the placement.
    """

    by_similarity: ClassVar[bool] = False

    least: int = 1
    unit: Unit = "auto"

    def __post_init__(self) -> None:
        if self.least < 0:
            raise ConfigError(f"minimum-support: least = {self.least} is below 0")

    def prepare(self, context: RankingContext) -> EligibleItems:
        """Count the units."""
        return EligibleItems(support(context.interactions.matrix(self.unit)) >= self.least)


@dataclass(frozen=True, slots=True)
class OnePerGroup:
    """Keeps one variant of each group, and no variant of the query item itself.

    `variant` says which one: the `best-ranked` in each list, or the `best-selling` in all lists,
    which is in stock if any variant of its group is.
    """

    by_similarity: ClassVar[bool] = False

    variant: Literal["best-ranked", "best-selling"] = "best-ranked"

    def prepare(self, context: RankingContext) -> "GroupFilter":
        """Find which variant represents each group."""
        everyone = np.ones(len(context.catalogue), dtype=bool)
        if self.variant == "best-selling":
            everyone = best_selling(context.catalogue, context.interactions)
        return GroupFilter(context.catalogue.group_codes, everyone)


@dataclass(frozen=True, slots=True)
class GroupFilter:
    """The group of each item (n,), and whether the item may represent it (n,)."""

    groups: Rows
    represents: NDArray[np.bool_]

    def keep(self, rows: Rows, candidates: Neighbours) -> NDArray[np.bool_]:
        """Which candidates (b, k) are the first of their group that may represent it."""
        allowed = candidates.found & self.represents[candidates.rows]
        groups = np.where(allowed, self.groups[candidates.rows], -1)
        own = self.groups[rows][:, None]
        kept: NDArray[np.bool_] = allowed & first_of_each(groups) & (groups != own)
        return kept


def best_selling(catalogue: Catalogue, interactions: Interactions) -> NDArray[np.bool_]:
    """Whether each item (n,) is the one of its group in most units; equal ones by row."""
    sold = support(interactions.matrix())
    order = np.lexsort((-sold, ~catalogue.in_stock, ~catalogue.for_sale, catalogue.group_codes))
    groups = catalogue.group_codes[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = groups[1:] != groups[:-1]
    represents = np.zeros(len(order), dtype=bool)
    represents[order] = first
    return represents
