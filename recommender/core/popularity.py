"""Popularity: the items that sell most, and those that sell more than they used to."""

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import FloatVector, Rows
from recommender.core.interactions import DAY_S, Interactions

LONGER = 4


def most_popular(
    popularity: NDArray[np.floating], allowed: NDArray[np.bool_] | None = None
) -> Rows:
    """Rows (r,) by falling `popularity` (n,); those at 0 or not `allowed` (n,) are left out.

    Ties are in row order.
    """
    ranked = np.argsort(-popularity, kind="stable").astype(np.int32)
    listed = popularity[ranked] > 0
    if allowed is not None:
        listed &= allowed[ranked]
    rows: Rows = ranked[listed]
    return rows


def growth(interactions: Interactions, half_life_days: float) -> FloatVector:
    """By how many standard deviations each item (n,) sells more now than its usual share.

    Recent events count half for every half-life before the newest event; the usual share counts
    them half for every four half-lives. An item that keeps its share of the shop has a growth of 0,
    whatever the season does to the shop as a whole, and so has one without events.

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
