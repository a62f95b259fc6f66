"""The results of an evaluation by slice: means with intervals, differences, and the quality bar."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.core.arrays import FloatMatrix, Rows
from recommender.core.catalogue import PATH_SEPARATOR
from recommender.evaluation.metrics import (
    FIRST,
    METRICS,
    Interval,
    QueryScores,
    Resamples,
    chance_share,
    coverage,
    coverage_curve,
    gini,
    hub_share,
    intra_list_similarity,
    novelty,
    same_label_share,
)
from recommender.evaluation.protocols import Queries
from recommender.evaluation.user_protocols import NextItemTask

TAIL, HEAD = 20, 200
SHORT, LONG = 5, 50
CATEGORY_QUERIES, MOST_CATEGORIES = 100, 12
LARGE_SLICE = 300
ALL, COLD, CATEGORY = "all", "simulated cold", "category: "
TEXT_BASELINES = ("text alone", "plain concatenation")

Slices = Mapping[str, NDArray[np.bool_]]
"""Which queries (q,) belong to each slice, by name."""


def by_support(queries: Queries, support: NDArray[np.float32]) -> dict[str, NDArray[np.bool_]]:
    """Slices by the support of the item that asks."""
    asked = support[queries.row]
    return {
        ALL: np.ones(len(queries), dtype=bool),
        "new": asked == 0,
        "tail": (asked >= 1) & (asked < TAIL),
        "torso": (asked >= TAIL) & (asked < HEAD),
        "head": asked >= HEAD,
    }


def by_category(queries: Queries, category: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Slices by the top-level category of the item that asks.

    Of the categories with at least 100 queries the twelve with most; none where the catalogue
    has no categories.
    """
    asked = np.array([category[row].split(PATH_SEPARATOR)[0] for row in queries.row.tolist()])
    counts = Counter(asked.tolist())
    counts.pop("", None)
    names = [name for name, n in counts.most_common(MOST_CATEGORIES) if n >= CATEGORY_QUERIES]
    return {f"{CATEGORY}{name}": asked == name for name in names}


def by_history(task: NextItemTask) -> dict[str, NDArray[np.bool_]]:
    """Slices by the number of distinct items in the user's history."""
    items = np.diff(task.seen.indptr)
    return {
        ALL: np.ones(len(items), dtype=bool),
        f"history under {SHORT}": items < SHORT,
        f"history {SHORT} to {LONG - 1}": (items >= SHORT) & (items < LONG),
        f"history from {LONG}": items >= LONG,
    }


@dataclass(frozen=True, slots=True)
class Slice:
    """The number of queries in a slice, and the mean of each metric."""

    n: int
    metrics: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class QuerySlices:
    """The slices of the queries, and the resamples that all systems share."""

    slices: Slices
    resamples: Resamples

    def summary(self, scores: QueryScores) -> dict[str, Slice]:
        """The mean scores of one system, slice by slice."""
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
        """Ours minus theirs in a metric on the same queries, slice by slice."""
        values = (getattr(ours, metric) - getattr(theirs, metric))[:, None]
        return {
            name: self.resamples.intervals(values, chosen)[0]
            for name, chosen in self.slices.items()
        }


@dataclass(frozen=True, slots=True)
class BeyondAccuracy:
    """What describes lists as a whole.

    The support (n,) and text vectors (n, d) of the items, ones where a unit has an item (u, n), and
    the top category of the items (n,), -1 without one.
    """

    support: NDArray[np.float32]
    text: FloatMatrix
    seen: sp.csr_array
    category: Rows

    def measure(self, top: Rows, lists: Rows | None = None) -> dict[str, float]:
        """Coverage, Gini index, novelty and similarity of what is shown (any number, k).

        Of the `lists` (n, at least 12) of all items also what their first twelve are like.
        """
        n_items = len(self.support)
        first = {}
        if lists is not None:
            first = {
                "hub_share": hub_share(lists),
                "coverage_12": coverage(lists, n_items, FIRST),
                "own_category": same_label_share(lists, self.category),
                "by_chance": chance_share(lists, self.seen),
            }
        return first | {
            "coverage": coverage(top, n_items),
            "gini": gini(top, n_items),
            "novelty": novelty(top, self.support),
            "intra_list_similarity": intra_list_similarity(top, self.text),
        }


@dataclass(frozen=True, slots=True)
class SystemResult:
    """The result of one system: a recipe, a baseline or external lists.

    `slices` has its means, `lists` describes its lists as a whole, and `curve` is the coverage by
    their first 1, 2, ... entries. `scores` are by query; `cold` those of the simulated cold
    queries, None where the system cannot be fitted again without the events of an item. `top`
    (n, k) holds the rows of the lists.
    """

    name: str
    slices: Mapping[str, Slice]
    lists: Mapping[str, float]
    curve: tuple[float, ...]
    scores: QueryScores
    top: Rows
    cold: QueryScores | None = None

    @classmethod
    def of(
        cls,
        name: str,
        slices: QuerySlices,
        beyond: BeyondAccuracy,
        top: Rows,
        scores: QueryScores,
        lists: Rows | None = None,
    ) -> "SystemResult":
        """Summarise what a system shows (any number, k), its scores, and the lists behind it."""
        curve = tuple(coverage_curve(top, len(beyond.support)))
        return cls(name, slices.summary(scores), beyond.measure(top, lists), curve, scores, top)

    def with_cold(self, slices: QuerySlices, scores: QueryScores) -> "SystemResult":
        """The same with the slices of the simulated cold queries."""
        return replace(self, slices={**self.slices, **slices.summary(scores)}, cold=scores)

    def ndcg(self, part: str = ALL) -> Interval:
        """Mean NDCG@10 on a slice."""
        return self.slices[part].metrics["ndcg"]

    def plain(self) -> dict[str, object]:
        """The result as JSON values."""
        return {
            "slices": {name: asdict(part) for name, part in self.slices.items()},
            "lists": dict(self.lists),
            "coverage_curve": list(self.curve),
        }


def shortfalls(
    differences: Mapping[str, Mapping[str, Interval]],
    debiased: Mapping[str, Interval],
    sizes: Mapping[str, int],
) -> tuple[str, ...]:
    """Where a recipe misses the quality bar, one line each.

    The bar: above each baseline in debiased NDCG on all queries, with the whole 95 % interval;
    below none in NDCG, with the whole interval, on all queries and on any slice of at least 300;
    above the baselines with text on simulated cold items.

    Args:
        differences: recipe minus baseline in NDCG, by baseline and slice.
        debiased: recipe minus baseline in debiased NDCG on all queries, by baseline.
        sizes: number of queries by slice.

    """
    found = []
    for name, parts in differences.items():
        if debiased[name].low <= 0:
            found.append(f"not above {name} overall in debiased NDCG")
        if parts[ALL].high < 0:
            found.append(f"below {name} overall")
        found += [f"below {name} on {part}" for part in large(parts, sizes) if parts[part].high < 0]
        if name in TEXT_BASELINES and COLD in parts and parts[COLD].low <= 0:
            found.append(f"not above {name} on {COLD} items")
    return tuple(found)


def large(parts: Mapping[str, object], sizes: Mapping[str, int]) -> list[str]:
    """The slices of at least 300 queries, without that of all queries."""
    return [part for part in parts if part != ALL and sizes[part] >= LARGE_SLICE]


def worst_slice(parts: Mapping[str, Interval], sizes: Mapping[str, int]) -> str:
    """The large slice with the smallest difference; all queries where no slice is large."""
    return min(large(parts, sizes), key=lambda part: parts[part].value, default=ALL)
