"""Ranking metrics of queries against lists, and what lists as a whole are like.

Definitions follow Järvelin, Kekäläinen 2002 (NDCG) with binary relevance and the ideal list of
min(k, relevant) items; recall and hit rate are cut at k, reciprocal rank too.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.arrays import Rows
from recommender.evaluation.baskets import Queries

K = 10
METRICS = ("hit_rate", "ndcg", "mrr", "recall")


@dataclass(frozen=True, slots=True)
class QueryScores:
    """One value per query (q,) for each metric."""

    hit_rate: NDArray[np.float64]
    ndcg: NDArray[np.float64]
    mrr: NDArray[np.float64]
    recall: NDArray[np.float64]

    def select(self, chosen: NDArray[np.bool_]) -> "QueryScores":
        """The scores where `chosen` (q,) holds."""
        return QueryScores(*(getattr(self, name)[chosen] for name in METRICS))


def judge(queries: Queries, top: Rows, k: int = K) -> QueryScores:
    """Judge the top lists (n, at least k) of all items, padded with -1, at the queries.

    >>> import numpy as np
    >>> one = Queries(np.array([0]), np.array([0]), np.array([0, 2]), np.array([2, 3]))
    >>> scores = judge(one, np.array([[1, 2, -1]]), k=3)
    >>> float(scores.mrr[0]), float(scores.recall[0])
    (0.5, 0.5)
    """
    hits = _hits(queries, top[:, :k])
    discounts = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.concatenate([[0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
    n_relevant = queries.n_relevant
    any_hit = np.asarray(hits.any(axis=1))
    first = np.where(any_hit, hits.argmax(axis=1) + 1, np.inf)
    return QueryScores(
        hit_rate=any_hit.astype(np.float64),
        ndcg=(hits @ discounts) / ideal[np.minimum(n_relevant, k)],
        mrr=1 / first,
        recall=hits.sum(axis=1) / n_relevant,
    )


def coverage(top: Rows, k: int = K) -> float:
    """Distinct items in the lists' first k, as a share of all items."""
    shown = top[:, :k]
    return float(len(np.unique(shown[shown >= 0])) / len(top))


def gini(top: Rows, k: int = K) -> float:
    """How unequally the lists' places go to the items: 0 all alike, 1 all to one (Gini index)."""
    shown = top[:, :k]
    counts = np.sort(np.bincount(shown[shown >= 0], minlength=len(top))).astype(np.float64)
    if not counts.sum():
        return 0.0
    ranks = np.arange(1, len(counts) + 1)
    n = len(counts)
    return float((2 * (ranks * counts).sum() / counts.sum() - (n + 1)) / n)


def novelty(top: Rows, support: NDArray[np.float32], k: int = K) -> float:
    """Mean self-information of the shown items in bits: -log2 of their share of all support.

    Source: Zhou et al. 2010, "Solving the apparent diversity-accuracy dilemma".
    """
    shown = top[:, :k]
    share = (support + 1) / (support + 1).sum()
    return float(-np.log2(share[shown[shown >= 0]]).mean()) if (shown >= 0).any() else 0.0


def _hits(queries: Queries, top: Rows) -> NDArray[np.bool_]:
    """Where a list's entry is relevant (q, k)."""
    n_items = len(top)
    owners = np.repeat(np.arange(len(queries), dtype=np.int64), queries.n_relevant)
    wanted = np.unique(owners * n_items + queries.relevant)
    shown = top[queries.row]
    asked = np.arange(len(queries), dtype=np.int64)[:, None] * n_items + shown
    found: NDArray[np.bool_] = np.isin(asked, wanted) & (shown >= 0)
    return found
