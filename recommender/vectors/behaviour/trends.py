"""Trends: what sells better of late than it used to."""

import numpy as np

from recommender.core.arrays import FloatVector
from recommender.core.interactions import Interactions

DAY_S = 86_400
LONGER = 4


def growth(interactions: Interactions, half_life_days: float) -> FloatVector:
    """By how many deviations each item (n,) sells more of late than its share until now.

    Of late: events count half for every half-life before the newest one; until now: for every
    four of them. An item with the share of the shop that it always had has 0, whatever the season
    does to the shop as a whole; one without events has 0 as well.

    Source: the standardised residual of a Poisson count, shrunk by one event.
    """
    age = (interactions.newest - interactions.time) / DAY_S
    weight = np.asarray(interactions.weights, dtype=np.float64)[interactions.kind]
    late, always = (
        np.bincount(
            interactions.item, weight * 0.5 ** (age / half_life), minlength=interactions.n_items
        )
        for half_life in (half_life_days, LONGER * half_life_days)
    )
    expected = always * (late.sum() / max(float(always.sum()), 1e-9))
    grown: FloatVector = ((late - expected) / np.sqrt(expected + 1)).astype(np.float32)
    return grown
