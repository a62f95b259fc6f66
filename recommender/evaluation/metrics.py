"""Metrics: how well lists answer queries, what lists are like as a whole, and 95 % intervals.

Definitions follow Järvelin, Kekäläinen 2002 (NDCG) with binary relevance and the ideal list of
min(k, relevant) items. Recall, hit rate and reciprocal rank are cut at k as well. Debiased NDCG
weighs each relevant item by support^-.5, because popular items are in many baskets whatever is
asked (Steck 2011, "Item popularity and recommendation accuracy"; Yang et al. 2018, "Unbiased
offline recommender evaluation for missing-not-at-random implicit feedback").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.core.arrays import FloatMatrix, Rows, blocks
from recommender.core.co_occurrence import values_at
from recommender.evaluation.protocols import (
    K,
    Queries,
)

METRICS = ("hit_rate", "ndcg", "mrr", "recall", "debiased_ndcg")
FIRST = 12
"""How many entries of a list count for the share of hubs."""
PROPENSITY = 0.5
RESAMPLES = 1000
QUANTILES = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class QueryScores:
    """One value per query (q,) for each metric."""

    hit_rate: NDArray[np.float64]
    ndcg: NDArray[np.float64]
    mrr: NDArray[np.float64]
    recall: NDArray[np.float64]
    debiased_ndcg: NDArray[np.float64]

    def columns(self) -> NDArray[np.float64]:
        """The scores side by side (q, 5), in the order of `METRICS`."""
        return np.column_stack([getattr(self, name) for name in METRICS])

    @classmethod
    def joined(cls, parts: Sequence["QueryScores"]) -> "QueryScores":
        """The scores of several parts, one after the other."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in METRICS))


def score_queries(
    queries: Queries, top: Rows, k: int = K, support: NDArray[np.float32] | None = None
) -> QueryScores:
    """Score the lists (n, at least k) of all items or users, padded with -1, at the queries.

    `support` (n,) of the items debiases NDCG; without it all items weigh the same.

    >>> import numpy as np
    >>> one = Queries(np.array([0]), np.array([0]), np.array([0, 2]), np.array([2, 3]))
    >>> scores = score_queries(one, np.array([[1, 2, -1]]), k=3)
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
        debiased_ndcg=_debiased(queries, top[queries.row, :k], hits, support),
    )


def _debiased(
    queries: Queries, shown: Rows, hits: NDArray[np.bool_], support: NDArray[np.float32] | None
) -> NDArray[np.float64]:
    """NDCG (q,) of lists `shown` (q, k) with relevant items weighed by support^-.5."""
    n_items = 1 + max(int(shown.max(initial=0)), int(queries.relevant.max(initial=0)))
    sold = np.ones(n_items) if support is None else np.maximum(support.astype(np.float64), 1)
    weight = sold**-PROPENSITY
    discounts = 1 / np.log2(np.arange(2, shown.shape[1] + 2))
    gained = (hits * weight[shown]) @ discounts
    owners = np.repeat(np.arange(len(queries)), queries.n_relevant)
    worth = weight[queries.relevant]
    order = np.lexsort((-worth, owners))
    rank = np.arange(len(order)) - np.repeat(queries.offsets[:-1], queries.n_relevant)
    ideal = np.where(rank < shown.shape[1], worth[order] / np.log2(rank + 2), 0)
    best: NDArray[np.float64] = gained / np.bincount(owners, ideal, minlength=len(queries))
    return best


def hub_share(lists: Rows, k: int = FIRST) -> float:
    """The largest share of n lists (n, at least k) whose first k hold one item."""
    return float(shown_times(lists, len(lists), k).max(initial=0) / max(len(lists), 1))


def same_label_share(lists: Rows, codes: Rows, k: int = FIRST) -> float:
    """Share of entries with the label of the list's item, where both have one.

    `codes` (n,) numbers the labels of the items, -1 without one.
    """
    shown = lists[:, :k]
    own = codes[: len(lists), None]
    known = (shown >= 0) & (own >= 0) & (codes[shown] >= 0)
    return float((codes[shown] == own)[known].mean()) if known.any() else 0.0


def chance_share(lists: Rows, seen: sp.csr_array, k: int = FIRST) -> float:
    """Share of entries that share no more units with the list's item than by chance (lift <= 1).

    `seen` (u, n) holds ones where a unit has an item; pairs of items without events do not count.
    """
    support = np.bincount(seen.indices, minlength=seen.shape[1]).astype(np.float64)
    by_item, below, pairs = seen.T.tocsr(), 0, 0
    for block in blocks(len(lists), 1024):
        shown = lists[block, :k]
        rows = np.arange(block.start, block.start + len(shown))
        known = (shown >= 0) & (support[rows] > 0)[:, None] & (support[shown] > 0)
        at, items = np.nonzero(known)[0].astype(np.int32), shown[known]
        together: sp.csr_array = (by_item[rows] @ seen).tocsr()
        together.sort_indices()
        counts = values_at(together, at, items)
        chance = support[rows[at]] * support[items] / seen.shape[0]
        below += int((counts <= chance).sum())
        pairs += len(items)
    return below / pairs if pairs else 0.0


def coverage(top: Rows, n_items: int, k: int = K) -> float:
    """Distinct items in the lists' first k, as a share of all n items."""
    shown = top[:, :k]
    return float(len(np.unique(shown[shown >= 0])) / n_items)


def coverage_curve(top: Rows, n_items: int, k: int = K) -> list[float]:
    """Coverage by the first 1, 2, ... k entries of the lists."""
    return [coverage(top, n_items, depth) for depth in range(1, k + 1)]


def gini(top: Rows, n_items: int, k: int = K) -> float:
    """Gini index of how often the lists show each of n items: 0 all equal, 1 one item only."""
    counts = np.sort(shown_times(top, n_items, k)).astype(np.float64)
    if not counts.sum():
        return 0.0
    ranks = np.arange(1, n_items + 1)
    return float((2 * (ranks * counts).sum() / counts.sum() - (n_items + 1)) / n_items)


def shown_times(top: Rows, n_items: int, k: int = K) -> NDArray[np.int64]:
    """How many lists show each item among their first k (n,)."""
    shown = top[:, :k]
    return np.bincount(shown[shown >= 0], minlength=n_items)


def novelty(top: Rows, support: NDArray[np.float32], k: int = K) -> float:
    """Mean self-information of the shown items in bits: -log2 of their share of all support.

    Source: Zhou et al. 2010, "Solving the apparent diversity-accuracy dilemma".
    """
    shown = top[:, :k]
    share = (support + 1) / (support + 1).sum()
    return float(-np.log2(share[shown[shown >= 0]]).mean()) if (shown >= 0).any() else 0.0


def intra_list_similarity(top: Rows, text: FloatMatrix, k: int = K) -> float:
    """Mean cosine of all pairs of entries of a list, by unit rows of text (n, d); 0 without pairs.

    Entries without text (a zero row) are in no pair. Source: Ziegler et al. 2005, "Improving
    recommendation lists through topic diversification".
    """
    known = np.asarray(text.any(axis=1))
    total, pairs = 0.0, 0
    for block in blocks(len(top), 1024):
        shown = top[block, :k]
        there = (shown >= 0) & known[shown]
        vectors = text[shown] * there[:, :, None]
        size = there.sum(axis=1)
        total += float((vectors.sum(axis=1) ** 2).sum() - size.sum())
        pairs += int((size * (size - 1)).sum())
    return total / pairs if pairs else 0.0


def _hits(queries: Queries, top: Rows) -> NDArray[np.bool_]:
    """Where a list's entry is relevant (q, k)."""
    shown = top[queries.row]
    width = 1 + max(int(shown.max(initial=0)), int(queries.relevant.max(initial=0)))
    owners = np.arange(len(queries), dtype=np.int64)
    wanted = np.repeat(owners, queries.n_relevant) * width + queries.relevant
    found: NDArray[np.bool_] = np.isin(owners[:, None] * width + shown, wanted) & (shown >= 0)
    return found


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % interval."""

    value: float
    low: float
    high: float

    def plain(self) -> dict[str, float]:
        """The interval as JSON values."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Resamples:
    """Draws of clusters of queries with replacement, the same for all systems.

    `number` (q,) is the cluster of each query; `weights` (draws, c) counts how often each cluster
    is in each draw. The queries of one basket depend on each other, so they form one cluster.
    """

    number: NDArray[np.int64]
    weights: NDArray[np.float32]

    @classmethod
    def of(cls, clusters: NDArray[np.integer], seed: int = 0) -> "Resamples":
        """Draw for queries with these clusters (q,), any whole numbers."""
        distinct, number = np.unique(clusters, return_inverse=True)
        n = len(distinct)
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(n, np.full(n, 1 / max(n, 1)), size=RESAMPLES)
        return cls(number.astype(np.int64), drawn.astype(np.float32))

    def intervals(
        self, values: NDArray[np.float64], chosen: NDArray[np.bool_] | None = None
    ) -> list[Interval]:
        """The mean of each column of values (q, m), over the `chosen` queries (q,) or all.

        Source: Efron, Tibshirani 1993, percentile intervals.
        """
        number = self.number if chosen is None else self.number[chosen]
        values = values if chosen is None else values[chosen]
        if not len(values):
            return [Interval(0.0, 0.0, 0.0)] * values.shape[1]
        n = self.weights.shape[1]
        columns = [np.bincount(number, column, n) for column in (np.ones(len(values)), *values.T)]
        drawn = self.weights @ np.column_stack(columns).astype(np.float32)
        some = drawn[:, 0] > 0
        means = drawn[some, 1:] / drawn[some, :1]
        low, high = np.quantile(means.astype(np.float64), QUANTILES, axis=0)
        return [
            Interval(float(mean), float(lower), float(upper))
            for mean, lower, upper in zip(values.mean(axis=0), low, high, strict=True)
        ]
