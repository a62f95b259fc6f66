"""Experiments: a recipe judged on later baskets, beside what it must beat."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from recommender import registry
from recommender.arrays import Rows
from recommender.basis import Basis
from recommender.catalogue import Catalogue
from recommender.chooser import POPULAR, choose_all, prepare
from recommender.evaluation import baselines
from recommender.evaluation.baskets import DAY_S, Queries, Window, cold_folds, draw_queries, window
from recommender.evaluation.intervals import Interval
from recommender.evaluation.metrics import K, QueryScores, judge
from recommender.evaluation.report import Judged, Slice, difference, judged, pooled
from recommender.evidence import EvidenceScale
from recommender.interactions import Interactions, support
from recommender.learning import Past, fit_interactions, fit_ranker, near_by_text
from recommender.neighbours import NONE, RelatedLists
from recommender.pipeline import Job, read_shop_columns, text_embeddings
from recommender.progress import Progress
from recommender.recipe import TEXT, Choice, Placement, Recipe
from recommender.vectors import Embeddings

BASELINES = {
    "best sellers": baselines.best_sellers,
    "co-occurrence count": baselines.co_occurrence_counts,
    "co-occurrence cosine": baselines.co_occurrence_cosine,
}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Who was judged, on what; `differences` are of the recipe's first placement, in NDCG."""

    window: Window
    queries: Queries
    protocol: Mapping[str, Any]
    judged: tuple[Judged, ...]
    differences: Mapping[str, Interval]

    def plain(self) -> dict[str, Any]:
        """The evaluation as JSON knows it."""
        return {
            "data": {
                "train_events": len(self.window.train),
                "test_baskets": len(self.window.baskets),
                "left_out_baskets": self.window.left_out,
                "queries": len(self.queries),
            },
            "protocol": dict(self.protocol),
            "seed": self.protocol["seed"],
            "recipes": {one.name: one.plain() for one in self.judged},
            "differences": {
                name: {"value": mean.value, "low": mean.low, "high": mean.high}
                for name, mean in self.differences.items()
            },
        }


@dataclass(frozen=True, slots=True)
class Terms:
    """On what a recipe is judged.

    The test period is the last `days`, or begins at `test_from` (epoch seconds). Unless `test`,
    the `days` before it are the validation window and nothing later is looked at. In each of
    `folds`, some items that sell are made cold, and asked for once more.
    """

    days: int = 30
    test_from: int | None = None
    test: bool = False
    folds: int = 3
    seed: int = 0

    def period(self, newest: int) -> tuple[int, int]:
        """End in epoch seconds and length in days, for a shop whose newest event is at `newest`."""
        start = newest + 1 - self.days * DAY_S if self.test_from is None else self.test_from
        if not self.test:
            return start, self.days
        days = -(-(newest + 1 - start) // DAY_S)
        return start + days * DAY_S, days


def evaluate(job: Job, terms: Terms) -> Evaluation:
    """Judge the job's recipe by the basket protocol, beside what it must beat.

    Raises: DataError where there are no baskets with times on both sides of the cut.
    """
    read, catalogue, interactions = read_shop_columns(job)
    until, days = terms.period(interactions.newest)
    chosen = window(interactions, until=until, days=days)
    queries = draw_queries(chosen.baskets, terms.seed)
    sold = support(chosen.train.matrix())
    text = text_embeddings(job, read)
    recipes = (job.recipe, others_beside(job.recipe))

    def tops(train: Interactions) -> dict[str, Rows]:
        made = {name: make(train, K) for name, make in BASELINES.items()}
        for recipe in recipes:
            made |= top_lists(recipe, catalogue, train, text, job.progress)
        return made

    everyone = {
        name: judged(name, queries, top, sold, terms.seed)
        for name, top in tops(chosen.train).items()
    }
    for name, part in _cold(chosen.train, queries, tops, terms).items():
        everyone[name] = everyone[name].with_slice("simulated cold", part)
    ours = everyone[job.recipe.placements[0].name]
    others = [one for one in everyone.values() if one is not ours]
    protocol = {
        "name": "basket",
        "window": "test" if terms.test else "validation",
        "from": until - days * DAY_S,
        "until": until,
        "k": K,
        "cold_folds": terms.folds,
        "seed": terms.seed,
    }
    differences = {one.name: difference(ours, one, queries) for one in others}
    return Evaluation(chosen, queries, protocol, tuple(everyone.values()), differences)


def others_beside(recipe: Recipe) -> Recipe:
    """What a recipe must beat with the same vectors, as placements of their own.

    `text-alone`; `als-alone`, implicit's factors with BM25 weights; and `plain-concatenation` of
    the text and the recipe's own interaction models.
    """
    fusions = {
        "text-alone": {TEXT: 1.0},
        "als-alone": {"als-alone": 1.0},
        "plain-concatenation": dict.fromkeys((TEXT, *recipe.interactions), 1.0),
    }
    return replace(
        recipe,
        interactions={**recipe.interactions, "als-alone": Choice("als")},
        placements=tuple(
            Placement(name, Choice("concatenation", {"weights": weights}))
            for name, weights in fusions.items()
        ),
    )


def _cold(
    train: Interactions,
    queries: Queries,
    tops: Callable[[Interactions], dict[str, Rows]],
    terms: Terms,
) -> dict[str, Slice]:
    """What becomes of queries whose item lost all its events, pooled over the folds."""
    parts: dict[str, list[tuple[Queries, QueryScores]]] = defaultdict(list)
    for cold in cold_folds(support(train.matrix()), terms.folds, terms.seed):
        asked = queries.select(np.isin(queries.row, cold))
        if not len(asked):
            continue
        for name, top in tops(train.select(~np.isin(train.item, cold))).items():
            parts[name].append((asked, judge(asked, top)))
    return {name: pooled(part, terms.seed) for name, part in parts.items()}


def top_lists(
    recipe: Recipe,
    catalogue: Catalogue,
    interactions: Interactions,
    text: Embeddings,
    progress: Progress,
) -> dict[str, Rows]:
    """The first ten entries of every item's list (n, 10), by placement."""
    embeddings = fit_interactions(recipe, interactions, text, progress)
    scale = EvidenceScale.measured(embeddings)
    near = cache(lambda: near_by_text(recipe.index, text))
    past = cache(lambda: Past.of(recipe, catalogue, interactions, text, near, progress))
    tops = {}
    for placement in recipe.placements:
        fitted = registry.fusion(placement.fusion).fuse(embeddings, catalogue, interactions)
        vectors = fitted.apply(embeddings, catalogue)
        basis = Basis(catalogue, interactions, embeddings, vectors, near)
        index = registry.index_builder(recipe.index).build(vectors.targets)
        chooser = prepare(placement, basis, index, fit_ranker(placement, past))
        lists = RelatedLists.of_blocks(placement.name, choose_all(chooser, scale, progress))
        tops[placement.name] = _top(lists)
    return tops


def _top(lists: RelatedLists) -> Rows:
    """The first ten entries of each list, without best sellers behind it: (n, 10)."""
    top = np.full((len(lists), K), NONE, dtype=np.int32)
    sizes = np.minimum(lists.sizes, K)
    columns = np.arange(K)
    shown = columns < sizes[:, None]
    places = lists.offsets[:-1, None] + columns
    own = shown.copy()
    own[shown] = lists.evidence[places[shown]] != POPULAR
    top[own] = lists.rows[places[own]]
    return top
