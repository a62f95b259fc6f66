"""Vectors in clusters, such as indexes are made for."""

import numpy as np

from recommender.core.arrays import unit_rows


def clustered(n: int, seed: int = 0) -> np.ndarray:
    """Vectors (n, 24) around sixty centres, of lengths from 0.5 to 2."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(60, 24))
    made = unit_rows(centres[rng.integers(0, 60, n)] + 0.3 * rng.normal(size=(n, 24)))
    return made * rng.uniform(0.5, 2, (n, 1)).astype(np.float32)
