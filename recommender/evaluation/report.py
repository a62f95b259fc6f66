"""The report of an evaluation: every recipe and baseline on every slice, with intervals."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import FloatMatrix, Rows
from recommender.evaluation.intervals import Interval, Resamples
from recommender.evaluation.metrics import (
    METRICS,
    QueryScores,
    coverage,
    coverage_curve,
    gini,
    intra_list_similarity,
    novelty,
)
from recommender.evaluation.slices import Slices


@dataclass(frozen=True, slots=True)
class Slice:
    """The queries that share something: how many, and each metric's mean."""

    n: int
    metrics: Mapping[str, Interval]

    def plain(self) -> dict[str, object]:
        """The slice as JSON knows it."""
        metrics = {name: mean.plain() for name, mean in self.metrics.items()}
        return {"n": self.n, "metrics": metrics}


@dataclass(frozen=True, slots=True)
class Panel:
    """Queries on which everyone is judged alike: their slices, and how they are resampled."""

    slices: Slices
    resamples: Resamples

    def summary(self, scores: QueryScores) -> dict[str, Slice]:
        """The means of one maker's scores, slice by slice."""
        values = scores.columns()
        return {
            name: Slice(
                int(chosen.sum()),
                dict(zip(METRICS, self.resamples.intervals(values, chosen), strict=True)),
            )
            for name, chosen in self.slices.items()
        }

    def differences(
        self, ours: QueryScores, theirs: QueryScores, metric: str = "ndcg"
    ) -> dict[str, Interval]:
        """By how much one maker of lists beats another on the same queries, slice by slice."""
        values = (getattr(ours, metric) - getattr(theirs, metric))[:, None]
        return {
            name: self.resamples.intervals(values, chosen)[0]
            for name, chosen in self.slices.items()
        }


@dataclass(frozen=True, slots=True)
class Judged:
    """One maker of lists: its means by slice, what its lists are like, its scores and lists.

    `scores` are by query; `cold` those of the simulated cold queries, None where nobody could
    take the events of an item away from the maker (lists that came ready made). `top` (n, k) holds
    the rows of the lists.
    """

    name: str
    slices: Mapping[str, Slice]
    lists: Mapping[str, float]
    curve: tuple[float, ...]
    scores: QueryScores
    top: Rows
    cold: QueryScores | None = None

    def with_cold(self, panel: Panel, scores: QueryScores) -> "Judged":
        """The same with the slices of the simulated cold queries."""
        return replace(self, slices={**self.slices, **panel.summary(scores)}, cold=scores)

    def plain(self) -> dict[str, object]:
        """The judgement as JSON knows it."""
        return {
            "slices": {name: part.plain() for name, part in self.slices.items()},
            "lists": dict(self.lists),
            "coverage_curve": list(self.curve),
        }


@dataclass(frozen=True, slots=True)
class Shelf:
    """What lists are like is told of the n items by their support and text vectors (n, d)."""

    support: NDArray[np.float32]
    text: FloatMatrix

    def describe(self, top: Rows) -> dict[str, float]:
        """What the lists (any number, k) are like as a whole."""
        n_items = len(self.support)
        return {
            "coverage": coverage(top, n_items),
            "gini": gini(top, n_items),
            "novelty": novelty(top, self.support),
            "intra_list_similarity": intra_list_similarity(top, self.text),
        }


def judged(name: str, panel: Panel, shelf: Shelf, top: Rows, scores: QueryScores) -> Judged:
    """One maker's scores and lists, summed up."""
    return Judged(
        name=name,
        slices=panel.summary(scores),
        lists=shelf.describe(top),
        curve=tuple(coverage_curve(top, len(shelf.support))),
        scores=scores,
        top=top,
    )
