"""One variant of a product."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows, first_of_each
from recommender.core.catalogue import Catalogue
from recommender.core.context import RankingContext
from recommender.core.interactions import Interactions, support
from recommender.core.neighbours import Neighbours


@dataclass(frozen=True, slots=True)
class OnePerGroup:
    """Keeps one variant of each group, and none of the asking item's own group.

    Which one: the `best-ranked` in each list, or the `best-selling` everywhere, which is in stock
    where any of its group is.
    """

    by_likeness: ClassVar[bool] = False

    variant: Literal["best-ranked", "best-selling"] = "best-ranked"

    def prepare(self, context: RankingContext) -> "GroupFilter":
        """Find who stands for each group."""
        everyone = np.ones(len(context.catalogue), dtype=bool)
        if self.variant == "best-selling":
            everyone = best_selling(context.catalogue, context.interactions)
        return GroupFilter(context.catalogue.group_codes, everyone)


@dataclass(frozen=True, slots=True)
class GroupFilter:
    """The group of each item (n,) and whether it may stand for it (n,)."""

    groups: Rows
    stands: NDArray[np.bool_]

    def keep(self, rows: Rows, candidates: Neighbours) -> NDArray[np.bool_]:
        """Which candidates (b, k) are the first of their group that may stand for it."""
        allowed = candidates.found & self.stands[candidates.rows]
        groups = np.where(allowed, self.groups[candidates.rows], -1)
        own = self.groups[rows][:, None]
        kept: NDArray[np.bool_] = allowed & first_of_each(groups) & (groups != own)
        return kept


def best_selling(catalogue: Catalogue, interactions: Interactions) -> NDArray[np.bool_]:
    """Whether each item (n,) is the one of its group in most units; equal ones by row."""
    sold = support(interactions.matrix())
    order = np.lexsort((-sold, ~catalogue.in_stock, catalogue.group_codes))
    groups = catalogue.group_codes[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = groups[1:] != groups[:-1]
    stands = np.zeros(len(order), dtype=bool)
    stands[order] = first
    return stands
