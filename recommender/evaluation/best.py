"""The best of each row of a sparse matrix of scores."""

from collections.abc import Iterable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.core.neighbours import NONE, Neighbours


def best_of_each(scores: sp.csr_array, depth: int, start: int = 0) -> Neighbours:
    """The `depth` largest scores above 0 of each row (b, n).

    Equal scores stand in a hashed order of row, counted from `start`, and column, which favours no
    column in all rows.
    """
    sizes = np.diff(scores.indptr)
    owner = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)
    positive = scores.data > 0
    owner, found, value = owner[positive], scores.indices[positive], scores.data[positive]
    order = np.lexsort((_hashed(owner + start, found), -value, owner))
    owner, found, value = owner[order], found[order], value[order]
    place = np.arange(len(owner)) - np.searchsorted(owner, owner)
    first = place < depth
    rows = np.full((len(sizes), depth), NONE, dtype=np.int32)
    best = np.full((len(sizes), depth), -np.inf, dtype=np.float32)
    rows[owner[first], place[first]] = found[first]
    best[owner[first], place[first]] = value[first]
    return Neighbours(rows, best)


def joined(parts: Iterable[Neighbours]) -> Neighbours:
    """Blocks of neighbours, one below the other."""
    made = list(parts)
    return Neighbours(
        np.vstack([part.rows for part in made]), np.vstack([part.scores for part in made])
    )


def _hashed(owner: NDArray[np.int64], found: NDArray[np.int32]) -> NDArray[np.uint64]:
    """A number for each pair that follows from nothing else (the mixer of splitmix64)."""
    mixed = (owner.astype(np.uint64) << np.uint64(32)) | found.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))
