"""Bench: where recipes, baselines and ready-made lists are judged on the same questions.

A bench holds what all who are judged share: the catalogue, the window with what may be learned
from, the questions, the simulated cold folds and the content embeddings. Whoever tunes a recipe
prepares one bench and judges every candidate on it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from recommender import registry
from recommender.build.job import Job
from recommender.core.arrays import Rows, blocks
from recommender.core.catalogue import Catalogue
from recommender.core.context import RankingContext
from recommender.core.interactions import DAY_S, Interactions, support
from recommender.core.neighbours import Neighbours
from recommender.core.recipe import Recipe
from recommender.core.telemetry import Progress, silent
from recommender.core.vectors import Embeddings, joined_content
from recommender.errors import ConfigError
from recommender.evaluation.baskets import Queries, Window, cold_folds, draw_queries, window
from recommender.evaluation.intervals import Interval, Resamples
from recommender.evaluation.metrics import K, QueryScores, judge
from recommender.evaluation.next_item import Histories, histories
from recommender.evaluation.report import Judged, Panel, Shelf, judged
from recommender.evaluation.slices import COLD, by_category, by_support
from recommender.pipeline import content_embeddings, read_shop_columns
from recommender.ranking.chooser import BLOCK, Chooser, prepare
from recommender.ranking.hubness import Entries, most_lists
from recommender.ranking.training_set import (
    TemporalSplit,
    fit_interactions,
    fit_ranker,
    near_by_content,
)

DEPTH = 36

Maker = Callable[[Interactions], Mapping[str, Neighbours]]
"""Makes lists (n, depth) of all items, by name, of what may be learned from."""

ProtocolName = Literal["basket", "next-item"]


@dataclass(frozen=True, slots=True)
class Terms:
    """On what a recipe is judged.

    The test period is the last `days`, or begins at `test_from` (epoch seconds). Unless `test`,
    the `days` before it are the validation window and nothing later is looked at; `back` rolls
    that window further back, by so many times its length. In each of `folds`, some items that sell
    are made cold, and asked for once more.
    """

    days: int = 30
    test_from: int | None = None
    test: bool = False
    back: int = 0
    folds: int = 3
    seed: int = 0
    protocol: ProtocolName = "basket"

    def __post_init__(self) -> None:
        if self.test and self.back:
            raise ConfigError("the test period does not roll back: leave out one of the two")

    def period(self, newest: int) -> tuple[int, int]:
        """End in epoch seconds and length in days, for a shop whose newest event is at `newest`."""
        start = newest + 1 - self.days * DAY_S if self.test_from is None else self.test_from
        if not self.test:
            return start - self.back * self.days * DAY_S, self.days
        days = -(-(newest + 1 - start) // DAY_S)
        return start + days * DAY_S, days


class Questions(Protocol):
    """What lists are asked: each query names who asks, by a number."""

    @property
    def queries(self) -> Queries:
        """Who asks, and what should be found."""

    def shown(self, lists: Neighbours) -> Rows:
        """What the lists (n, depth) of all items show those who may ask: (asking, 10)."""


@dataclass(frozen=True, slots=True)
class ItemQuestions:
    """The basket protocol: items ask, and are shown their own lists."""

    queries: Queries

    def shown(self, lists: Neighbours) -> Rows:
        """The first ten entries of each list (n, 10)."""
        return lists.keep_first(K).rows


@dataclass(frozen=True, slots=True)
class ColdFold:
    """What is left to learn from when some items lose their events, and the queries on those."""

    train: Interactions
    queries: Queries


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that those who are judged share."""

    catalogue: Catalogue
    window: Window
    questions: Questions
    panel: Panel
    folds: tuple[ColdFold, ...]
    cold_panel: Panel | None
    content: Mapping[str, Embeddings]
    terms: Terms
    progress: Progress = field(default=silent, repr=False)

    @property
    def queries(self) -> Queries:
        """Who asks, and what should be found."""
        return self.questions.queries

    @property
    def shelf(self) -> Shelf:
        """What lists as a whole are described by."""
        return Shelf(support(self.window.train.matrix()), joined_content(self.content).matrix)

    def judge(self, recipe: Recipe, placement: str = "") -> Judged:
        """Judge one placement of a recipe, by default its first, under its name.

        Every model is fitted to what may be learned from, and once more in each cold fold.
        Raises: ConfigError where the recipe has no such placement.
        """
        name = placement or recipe.placements[0].name
        return self.judge_made(self.maker(recipe.only([name])))[name]

    def maker(self, recipe: Recipe) -> Maker:
        """Makes the lists of all placements of a recipe."""
        near = cache(lambda: near_by_content(recipe.index, joined_content(self.content)))
        shop = self.catalogue, self.content, near

        def made(train: Interactions) -> dict[str, Neighbours]:
            return related_lists(recipe, shop, train, self.progress)

        return made

    def judge_made(self, maker: Maker, in_folds: Maker | None = None) -> dict[str, Judged]:
        """Judge whoever makes lists, by name; `in_folds` makes those of the cold folds.

        Raises: KeyError where the two do not make the same lists.
        """
        everyone = {
            name: self.judge_shown(name, self.questions.shown(lists))
            for name, lists in maker(self.window.train).items()
        }
        if self.cold_panel is None:
            return everyone
        found: dict[str, list[QueryScores]] = {name: [] for name in everyone}
        for fold in self.folds:
            made = (in_folds or maker)(fold.train)
            for name, scores in found.items():
                scores.append(judge(fold.queries, made[name].rows))
        return {
            name: one.with_cold(self.cold_panel, QueryScores.joined(found[name]))
            for name, one in everyone.items()
        }

    def judge_lists(self, name: str, lists: Neighbours) -> Judged:
        """Judge ready-made lists (n, depth) of all items, whoever made them, but on no cold fold.

        `rows` holds places in `catalogue.ids`, which turns item ids into them.
        """
        return self.judge_shown(name, self.questions.shown(lists))

    def judge_shown(self, name: str, top: Rows) -> Judged:
        """Judge what is shown to those who may ask (asking, 10)."""
        return judged(name, self.panel, self.shelf, top, judge(self.queries, top))

    def differences(self, ours: Judged, theirs: Judged) -> dict[str, Interval]:
        """Ours minus theirs in NDCG, query by query, on every slice that both were judged on."""
        found = self.panel.differences(ours.scores, theirs.scores)
        if self.cold_panel is not None and ours.cold is not None and theirs.cold is not None:
            found |= self.cold_panel.differences(ours.cold, theirs.cold)
        return found

    def plain(self) -> dict[str, Any]:
        """On what is judged, as JSON knows it."""
        data = {
            "items": len(self.catalogue),
            "train_events": len(self.window.train),
            "test_baskets": len(self.window.baskets),
            "left_out_baskets": self.window.left_out,
            "queries": len(self.queries),
        }
        if isinstance(self.questions, Histories):
            data["left_out_users"] = self.questions.left_out
        return data


def bench(job: Job, terms: Terms) -> Bench:
    """Prepare a bench of a shop's files; without a catalogue, titles are those before the test.

    Raises: DataError where there are no baskets with times on both sides of the cut; for the
    next-item protocol, where no user has a history and a next item.
    """
    read, catalogue, interactions = read_shop_columns(job)
    until, days = terms.period(interactions.newest)
    chosen = window(interactions, until=until, days=days)
    if not job.source.catalogue.path:
        source = replace(job.source, titles_before=chosen.start)
        read, catalogue, _ = read_shop_columns(replace(job, source=source))
    content = content_embeddings(job, read)
    return bench_of(catalogue, chosen, content, terms, job.progress)


def bench_of(
    catalogue: Catalogue,
    chosen: Window,
    content: Mapping[str, Embeddings],
    terms: Terms,
    progress: Progress = silent,
) -> Bench:
    """Prepare a bench of a window."""
    if terms.protocol == "next-item":
        asked = histories(chosen)
        panel = Panel(asked.slices(), Resamples.of(asked.queries.basket, terms.seed))
        return Bench(catalogue, chosen, asked, panel, (), None, content, terms, progress)
    queries = draw_queries(chosen.baskets, terms.seed)
    sold = support(chosen.train.matrix())
    slices = by_support(queries, sold) | by_category(queries, catalogue.category)
    folds = _folds(chosen.train, queries, sold, terms)
    cold = _cold_panel(folds, terms.seed) if folds else None
    panel = Panel(slices, Resamples.of(queries.basket, terms.seed))
    asked_items = ItemQuestions(queries)
    return Bench(catalogue, chosen, asked_items, panel, folds, cold, content, terms, progress)


def _folds(
    train: Interactions, queries: Queries, sold: NDArray[np.float32], terms: Terms
) -> tuple[ColdFold, ...]:
    found = []
    for cold in cold_folds(sold, terms.folds, terms.seed):
        asked = queries.select(np.isin(queries.row, cold))
        if len(asked):
            found.append(ColdFold(train.select(~np.isin(train.item, cold)), asked))
    return tuple(found)


def _cold_panel(folds: tuple[ColdFold, ...], seed: int) -> Panel:
    """All folds as one slice, clustered by the item that asks."""
    rows = np.concatenate([fold.queries.row for fold in folds])
    return Panel({COLD: np.ones(len(rows), dtype=bool)}, Resamples.of(rows, seed))


Known = tuple[Catalogue, Mapping[str, Embeddings], Callable[[], Neighbours]]
"""What does not change with the interactions: catalogue, content, and what is near by content."""


def related_lists(
    recipe: Recipe, known: Known, interactions: Interactions, progress: Progress
) -> dict[str, Neighbours]:
    """Every item's list (n, depth), by placement, without best sellers behind it."""
    catalogue, content, near = known
    capped = interactions.capped(recipe.trust.user_baskets)
    events = cache(capped.of_kinds)
    fitted_to = cache(lambda kinds: fit_interactions(recipe, events(kinds), content, progress))
    past = cache(
        lambda kinds: TemporalSplit.of(recipe, catalogue, events(kinds), content, near, progress)
    )
    made = {}
    for placement in recipe.placements:
        kinds = placement.kinds
        origins = fitted_to(kinds)
        fitted = registry.fusion(placement.fusion).fuse(origins, catalogue, events(kinds))
        vectors = fitted.apply(origins, catalogue)
        context = RankingContext(
            catalogue, events(kinds), origins, vectors, near, recipe.trust.users_min
        )
        index = registry.index_builder(recipe.index).build(vectors.targets)
        chooser = prepare(placement, context, index, fit_ranker(placement, partial(past, kinds)))
        made[placement.name] = own_lists(chooser, progress)
    return made


def own_lists(chooser: Chooser, progress: Progress) -> Neighbours:
    """Every item's list (n, depth), hubs bounded, without best sellers behind it."""
    placement, n_items = chooser.placement, len(chooser.catalogue)
    parts = []
    with progress(f"search and choose {placement.name}", n_items) as advance:
        for block in blocks(n_items, BLOCK):
            parts.append(chooser.choose(np.arange(block.start, block.stop, dtype=np.int32)))
            advance(block.stop - block.start)
    lists = Neighbours(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )
    if not placement.hub_share:
        return lists
    sizes = lists.found.sum(axis=1)
    entries = Entries.of(sizes, sizes, lists.rows[lists.found])
    kept = lists.found.copy()
    kept[kept] = entries.bounded(placement.depth, most_lists(placement.hub_share, n_items))
    return lists.keep(kept, placement.depth)
