"""Together: how often two items share a basket, session or user, from events sorted by item."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows
from recommender.core.interactions import Interactions
from recommender.core.lists import offsets_of


@dataclass(frozen=True, slots=True)
class Together:
    """How often two items share a basket, session or user, by one kind of interaction.

    `lift` is the ratio to the number expected if they were independent, 0 if they share none.
    """

    kind: str
    units: int
    users: int
    units_of_item: int
    units_of_other: int
    lift: float


@dataclass(frozen=True, slots=True)
class UnitsByItem:
    """The units (e,) and users (e,) of the events of one kind, sorted by item.

    Those of row i are from `offsets[i]` to `offsets[i + 1]`; `n_units` is the number of all units.
    """

    offsets: NDArray[np.int64]
    units: NDArray[np.integer]
    users: Rows
    n_units: int

    @classmethod
    def of(cls, events: Interactions, n_items: int) -> "UnitsByItem":
        """Sort the events that have a unit, the finest that the kind has."""
        units = events.units_of()
        known = np.flatnonzero(units >= 0)
        order = known[np.argsort(events.item[known], kind="stable")]
        counts = np.bincount(events.item[known], minlength=n_items)
        return cls(
            offsets_of(counts), units[order], events.user[order], len(np.unique(units[known]))
        )

    def together(self, kind: str, row: int, other: int) -> Together:
        """What two items share."""
        own, others = (np.unique(self.units[self._of(one)]) for one in (row, other))
        both = np.intersect1d(own, others)
        users = self.users[self._of(row)][np.isin(self.units[self._of(row)], both)]
        product = len(own) * len(others)
        lift = len(both) * self.n_units / product if product else 0.0
        n_users = len(np.unique(users[users >= 0]))
        return Together(kind, len(both), n_users, len(own), len(others), lift)

    def _of(self, row: int) -> slice:
        return slice(int(self.offsets[row]), int(self.offsets[row + 1]))


def units_by_kind(events: Interactions, n_items: int) -> Mapping[str, UnitsByItem]:
    """The units of each kind of interaction, sorted by item."""
    return {
        kind: UnitsByItem.of(events.select(events.kind == code), n_items)
        for code, kind in enumerate(events.kinds)
    }
