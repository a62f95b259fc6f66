"""Best sellers: what stands behind a list that is short, and in place of one that is missing."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recommender.core.arrays import Rows, frozen
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions, support
from recommender.core.neighbours import NONE

DEPTH = 100


@dataclass(frozen=True, slots=True)
class BestSellers:
    """Rows in stock by falling support, at most `DEPTH`: of the shop, and of each category."""

    shop: Rows
    by_category: Mapping[str, Rows]

    @classmethod
    def of(cls, catalogue: Catalogue, interactions: Interactions) -> "BestSellers":
        """Count distinct units; equal items stand in row order."""
        sold = support(interactions.matrix())
        ranked = np.argsort(-sold, kind="stable").astype(np.int32)
        ranked = ranked[(sold[ranked] > 0) & catalogue.in_stock[ranked]]
        by_category: dict[str, list[int]] = {}
        for row in ranked.tolist():
            category = by_category.setdefault(catalogue.category[row], [])
            if len(category) < DEPTH:
                category.append(row)
        return cls(
            frozen(ranked[:DEPTH]),
            {name: np.array(rows, dtype=np.int32) for name, rows in by_category.items() if name},
        )

    def beside(self, rows: Rows, catalogue: Catalogue, depth: int) -> Rows:
        """For each of b rows its category's best sellers, then the shop's: (b, 2 depth)."""
        found = np.full((len(rows), 2 * depth), NONE, dtype=np.int32)
        overall = self.shop[:depth]
        nothing = np.zeros(0, dtype=np.int32)
        for place, row in enumerate(rows.tolist()):
            own = self.by_category.get(catalogue.category[row], nothing)[:depth]
            found[place, : len(own)] = own
            found[place, len(own) : len(own) + len(overall)] = overall
        return found
