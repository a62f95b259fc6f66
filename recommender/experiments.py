"""Experiments: a recipe judged on later baskets, beside what it must beat."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recommender import registry
from recommender.arrays import Rows
from recommender.catalogue import Catalogue
from recommender.chooser import choose_all, prepare
from recommender.evaluation import baselines
from recommender.evaluation.baskets import DAY_S, Queries, Window, draw_queries, window
from recommender.evaluation.intervals import Interval
from recommender.evaluation.metrics import K
from recommender.evaluation.report import Judged, difference, judged
from recommender.evidence import EvidenceScale
from recommender.interactions import Interactions, support
from recommender.neighbours import NONE, RelatedLists
from recommender.pipeline import Job, read_shop_columns, text_embeddings
from recommender.progress import Progress
from recommender.recipe import TEXT, Recipe
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


def evaluate(
    job: Job, *, days: int, test_from: int | None, test: bool, seed: int = 0
) -> Evaluation:
    """Judge the job's recipe by the basket protocol.

    The test period is the last `days`, or begins at `test_from` (epoch seconds). Unless `test`,
    the `days` before it are the validation window and nothing later is looked at.

    Raises: DataError where there are no baskets with times on both sides.
    """
    read, catalogue, interactions = read_shop_columns(job)
    newest = interactions.newest + 1
    start = newest - days * DAY_S if test_from is None else test_from
    until = newest if test else start
    length = -(-(newest - start) // DAY_S) if test else days
    if test and test_from is not None:
        until = test_from + length * DAY_S
    chosen = window(interactions, until=until, days=length)
    queries = draw_queries(chosen.baskets, seed)
    sold = support(chosen.train.matrix())
    tops = {name: make(chosen.train, K) for name, make in BASELINES.items()}
    text = text_embeddings(job, read)
    recipe_tops = top_lists(job.recipe, catalogue, chosen.train, text, job.progress)
    everyone = [judged(name, queries, top, sold) for name, top in (tops | recipe_tops).items()]
    ours = next(one for one in everyone if one.name == next(iter(recipe_tops)))
    protocol = {
        "name": "basket",
        "window": "test" if test else "validation",
        "from": until - length * DAY_S,
        "until": until,
        "k": K,
        "seed": seed,
    }
    differences = {one.name: difference(ours, one, queries) for one in everyone if one is not ours}
    return Evaluation(chosen, queries, protocol, tuple(everyone), differences)


def top_lists(
    recipe: Recipe,
    catalogue: Catalogue,
    interactions: Interactions,
    text: Embeddings,
    progress: Progress,
) -> dict[str, Rows]:
    """The first ten entries of every item's list (n, 10), by placement."""
    embeddings = {TEXT: text}
    for name, choice in recipe.interactions.items():
        embeddings[name] = registry.interaction_model(choice).fit(interactions, progress)
    scale = EvidenceScale.measured(embeddings)
    tops = {}
    for placement in recipe.placements:
        fitted = registry.fusion(placement.fusion).fuse(embeddings, catalogue, interactions)
        vectors = fitted.apply(embeddings, catalogue)
        chooser = prepare(recipe.index, placement, vectors, catalogue, interactions)
        lists = RelatedLists.of_blocks(placement.name, choose_all(chooser, scale, progress))
        tops[placement.name] = _top(lists)
    return tops


def _top(lists: RelatedLists) -> Rows:
    top = np.full((len(lists), K), NONE, dtype=np.int32)
    sizes = np.minimum(lists.sizes, K)
    columns = np.arange(K)
    shown = columns < sizes[:, None]
    places = lists.offsets[:-1, None] + columns
    top[shown] = lists.rows[places[shown]]
    return top
