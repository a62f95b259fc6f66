"""The report of an evaluation: every recipe and baseline on every slice, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recommender.arrays import Rows
from recommender.evaluation.baskets import Queries
from recommender.evaluation.intervals import Interval, bootstrap, paired
from recommender.evaluation.metrics import METRICS, QueryScores, coverage, gini, judge, novelty

TAIL, HEAD = 20, 200


@dataclass(frozen=True, slots=True)
class Slice:
    """The queries that share something: how many, and each metric's mean."""

    n: int
    metrics: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class Judged:
    """One maker of lists: its slices, what its lists are like, and its scores per query."""

    name: str
    slices: Mapping[str, Slice]
    lists: Mapping[str, float]
    scores: QueryScores

    def with_slice(self, name: str, part: Slice) -> "Judged":
        """The same with one more slice, whose queries are not among the others'."""
        return replace(self, slices={**self.slices, name: part})

    def plain(self) -> dict[str, object]:
        """The judgement as JSON knows it."""
        return {
            "slices": {
                name: {
                    "n": part.n,
                    "metrics": {
                        metric: {"value": mean.value, "low": mean.low, "high": mean.high}
                        for metric, mean in part.metrics.items()
                    },
                }
                for name, part in self.slices.items()
            },
            "lists": dict(self.lists),
        }


def slices_of(queries: Queries, support: NDArray[np.float32]) -> dict[str, NDArray[np.bool_]]:
    """Which queries (q,) belong to each slice, by the support of the item that asks."""
    asked = support[queries.row]
    return {
        "all": np.ones(len(queries), dtype=bool),
        "new": asked == 0,
        "tail": (asked >= 1) & (asked < TAIL),
        "torso": (asked >= TAIL) & (asked < HEAD),
        "head": asked >= HEAD,
    }


def judged(
    name: str, queries: Queries, top: Rows, support: NDArray[np.float32], seed: int = 0
) -> Judged:
    """Judge the top lists (n, k) of all items at the queries, slice by slice."""
    scores = judge(queries, top)
    slices = {}
    for part, chosen in slices_of(queries, support).items():
        of_slice = scores.select(chosen)
        clusters = queries.basket[chosen]
        slices[part] = Slice(
            int(chosen.sum()),
            {m: bootstrap(getattr(of_slice, m), clusters, seed) for m in METRICS},
        )
    lists = {
        "coverage": coverage(top),
        "gini": gini(top),
        "novelty": novelty(top, support),
    }
    return Judged(name, slices, lists, scores)


def pooled(parts: Sequence[tuple[Queries, QueryScores]], seed: int = 0) -> Slice:
    """One slice of several folds, its intervals clustered by the item that asks."""
    rows = np.concatenate([queries.row for queries, _ in parts])
    values = {
        metric: np.concatenate([getattr(scores, metric) for _, scores in parts])
        for metric in METRICS
    }
    return Slice(len(rows), {m: bootstrap(column, rows, seed) for m, column in values.items()})


def difference(ours: Judged, theirs: Judged, queries: Queries, metric: str = "ndcg") -> Interval:
    """By how much one maker of lists beats another on the same queries."""
    return paired(getattr(ours.scores, metric), getattr(theirs.scores, metric), queries.basket)
