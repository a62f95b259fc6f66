"""Recall: how many of the true nearest an index finds for some of its targets."""

from collections.abc import Sequence

import numpy as np

from recommender.core.arrays import NUMBERS_AT_ONCE, FloatMatrix, Rows, blocks

SAMPLE = 256
DEPTH = 24


def sample_of(targets: FloatMatrix, rows: Rows, seed: int) -> tuple[FloatMatrix, Rows]:
    """Some of the targets as queries (s, d), and the rows of their 24 nearest (s, k)."""
    picked = np.random.default_rng(seed).choice(len(rows), min(SAMPLE, len(rows)), replace=False)
    sample = targets[rows[np.sort(picked)]]
    best = np.zeros((len(sample), 0), dtype=np.int32)
    scores = np.zeros((len(sample), 0), dtype=np.float32)
    for block in blocks(len(rows), NUMBERS_AT_ONCE // SAMPLE):
        others = np.broadcast_to(rows[block], (len(sample), block.stop - block.start))
        best = np.hstack([best, others])
        scores = np.hstack([scores, sample @ targets[rows[block]].T])
        kept = np.argpartition(-scores, min(DEPTH, scores.shape[1]) - 1, axis=1)[:, :DEPTH]
        best = np.take_along_axis(best, kept, axis=1)
        scores = np.take_along_axis(scores, kept, axis=1)
    return sample, best


def recall_of(wanted: Rows, found: Sequence[Rows] | Rows) -> float:
    """The share of the wanted rows (s, k) that were found."""
    shared = [len(np.intersect1d(a, b)) for a, b in zip(wanted, found, strict=True)]
    return float(np.mean(shared) / wanted.shape[1])
