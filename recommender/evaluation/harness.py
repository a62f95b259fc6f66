"""The evaluation harness: recipes, baselines and external lists answer the same queries.

A harness holds what all systems share: the catalogue, the window with the interactions to learn
from, the task, the simulated cold folds and the content embeddings. Tuning prepares one harness and
evaluates every candidate on it.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recommender.build.job import Job
from recommender.core.arrays import Rows
from recommender.core.catalogue import Catalogue, category_codes
from recommender.core.interactions import DAY_S, Interactions, support
from recommender.core.neighbours import Neighbours
from recommender.core.recipe import Recipe
from recommender.core.telemetry import Progress, silent
from recommender.core.vectors import Embeddings, joined_content
from recommender.errors import ConfigError, DataError
from recommender.evaluation.metrics import FIRST, Interval, QueryScores, Resamples, score_queries
from recommender.evaluation.protocols import (
    EvaluationTask,
    Queries,
    Window,
    basket_task,
    cold_folds,
    window,
)
from recommender.evaluation.report import (
    COLD,
    BeyondAccuracy,
    QuerySlices,
    SystemResult,
    by_category,
    by_history,
    by_support,
)
from recommender.evaluation.systems import Fixed, ListBuilder, related_lists
from recommender.evaluation.user_protocols import (
    NextItemTask,
    leave_one_out,
    next_item_task,
)
from recommender.pipeline import Judge, content_embeddings, read_shop_columns
from recommender.ranking.training_set import near_by_content
from recommender.settings.tables import EvaluationSettings

_logger = logging.getLogger(__name__)

COLD_QUERIES = 3_000
"""Queries of cold items after which no further fold is made: the models are fitted in each."""

ProtocolName = Literal["basket", "next-item", "leave-one-out"]


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """Which period is tested, by which protocol.

    The test period is the last `days`, or begins at `test_from` (epoch seconds). Unless `test`,
    the `days` before it are the validation window, and nothing later is read; `back` moves that
    window back by so many times its length. In each of `folds`, some items that sell lose their
    events and are asked about once more.
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
            raise ConfigError("the test period cannot be moved back: leave out one of the two")
        if self.back and self.protocol == "leave-one-out":
            raise ConfigError("the leave-one-out protocol has no period that could be moved back")

    def period(self, newest: int) -> tuple[int, int]:
        """End in epoch seconds and length in days, for a shop whose newest event is at `newest`."""
        start = newest + 1 - self.days * DAY_S if self.test_from is None else self.test_from
        if not self.test:
            return start - self.back * self.days * DAY_S, self.days
        days = -(-(newest + 1 - start) // DAY_S)
        return start + days * DAY_S, days


@dataclass(frozen=True, slots=True)
class ColdFold:
    """The interactions that remain when some items lose their events, and queries of those."""

    train: Interactions
    queries: Queries


@dataclass(frozen=True, slots=True)
class Harness:
    """Everything that the systems under evaluation share."""

    catalogue: Catalogue
    window: Window
    task: EvaluationTask
    slices: QuerySlices
    folds: tuple[ColdFold, ...]
    cold_slices: QuerySlices | None
    content: Mapping[str, Embeddings]
    plan: EvaluationPlan
    progress: Progress = field(default=silent, repr=False)

    @property
    def queries(self) -> Queries:
        """What is asked, and what should be found."""
        return self.task.queries

    @property
    def beyond(self) -> BeyondAccuracy:
        """What describes lists as a whole."""
        seen = self.window.train.matrix()
        seen.data = np.ones_like(seen.data)
        return BeyondAccuracy(
            support(seen),
            joined_content(self.content).matrix,
            seen,
            category_codes(self.catalogue, level=1),
        )

    def evaluate(self, recipe: Recipe, placement: str = "") -> SystemResult:
        """Evaluate one placement of a recipe, by default its first, under its name.

        All models are fitted to the interactions to learn from, and again in each cold fold.

        Raises: ConfigError where the recipe has no such placement.
        """
        name = placement or recipe.placements[0].name
        return self.evaluate_builder(self.builder(recipe.only([name])))[name]

    def builder(self, recipe: Recipe) -> ListBuilder:
        """Builds the lists of all placements of a recipe."""
        fixed = self.fixed(recipe)
        return lambda train, asking: related_lists(recipe, fixed, train, self.progress, asking)

    def fixed(self, recipe: Recipe) -> Fixed:
        """What a recipe reads that no interactions change, as `related_lists` takes it."""
        near = cache(lambda: near_by_content(recipe.index, joined_content(self.content)))
        return self.catalogue, self.content, near

    def evaluate_builder(
        self, builder: ListBuilder, in_folds: ListBuilder | None = None
    ) -> dict[str, SystemResult]:
        """Evaluate the lists that are built, by name; `in_folds` builds those of the cold folds.

        Raises: KeyError where `in_folds` lacks a name.
        """
        results = {
            name: self.evaluate_lists(name, lists)
            for name, lists in builder(self.window.train, None).items()
        }
        if self.cold_slices is None:
            return results
        found: dict[str, list[QueryScores]] = {name: [] for name in results}
        for fold in self.folds:
            built = (in_folds or builder)(fold.train, np.unique(fold.queries.row))
            for name, scores in found.items():
                sold = support(fold.train.matrix())
                scores.append(score_queries(fold.queries, built[name].rows, support=sold))
        return {
            name: one.with_cold(self.cold_slices, QueryScores.joined(found[name]))
            for name, one in results.items()
        }

    def evaluate_lists(self, name: str, lists: Neighbours) -> SystemResult:
        """Evaluate lists (n, depth) of all items, by row of the catalogue, on no cold fold."""
        return self.evaluate_shown(name, self.task.shown(lists), lists.keep_first(FIRST).rows)

    def evaluate_shown(self, name: str, top: Rows, lists: Rows | None = None) -> SystemResult:
        """Evaluate what each item or user that may ask is shown (n, 10).

        `lists` (n, 12) holds the first entries of the lists of all items, where it comes from such.
        """
        beyond = self.beyond
        scores = score_queries(self.queries, top, support=beyond.support)
        return SystemResult.of(name, self.slices, beyond, top, scores, lists)

    def differences(self, ours: SystemResult, theirs: SystemResult) -> dict[str, Interval]:
        """Ours minus theirs in NDCG, query by query, on every slice that both have."""
        found = self.slices.differences(ours.scores, theirs.scores)
        if self.cold_slices is not None and ours.cold is not None and theirs.cold is not None:
            found |= self.cold_slices.differences(ours.cold, theirs.cold)
        return found

    def plain(self) -> dict[str, Any]:
        """The sizes of the data as JSON values."""
        data = {
            "items": len(self.catalogue),
            "train_events": len(self.window.train),
            "test_baskets": len(self.window.baskets),
            "left_out_baskets": self.window.left_out,
            "queries": len(self.queries),
        }
        if isinstance(self.task, NextItemTask):
            data["left_out_users"] = self.task.left_out
        return data


def prepare_harness(job: Job, plan: EvaluationPlan) -> Harness:
    """Prepare a harness from a shop's files; without a catalogue, titles are from before the test.

    The leave-one-out protocol has no time before which titles could be from.

    Raises: DataError where one side of the cut is empty, or nothing could be asked by the protocol.
    """
    read, catalogue, interactions = read_shop_columns(job)
    if plan.protocol == "leave-one-out":
        chosen, task = leave_one_out(interactions, test=plan.test)
        return _of_users(catalogue, chosen, task, content_embeddings(job, read), plan, job.progress)
    until, days = plan.period(interactions.newest)
    chosen = window(interactions, until=until, days=days)
    if not job.source.catalogue.given:
        source = replace(job.source, titles_before=chosen.start)
        read, catalogue, _ = read_shop_columns(replace(job, source=source))
    content = content_embeddings(job, read)
    return harness_of(catalogue, chosen, content, plan, job.progress)


def harness_of(
    catalogue: Catalogue,
    chosen: Window,
    content: Mapping[str, Embeddings],
    plan: EvaluationPlan,
    progress: Progress = silent,
) -> Harness:
    """Prepare a harness for a window."""
    if plan.protocol == "next-item":
        return _of_users(catalogue, chosen, next_item_task(chosen), content, plan, progress)
    task = basket_task(chosen, plan.seed)
    queries = task.queries
    sold = support(chosen.train.matrix())
    names = by_support(queries, sold) | by_category(queries, catalogue.category)
    slices = QuerySlices(names, Resamples.of(queries.basket, plan.seed))
    folds = _folds(chosen.train, queries, sold, plan)
    cold = _cold_slices(folds, plan.seed) if folds else None
    return Harness(catalogue, chosen, task, slices, folds, cold, content, plan, progress)


def _of_users(
    catalogue: Catalogue,
    chosen: Window,
    task: NextItemTask,
    content: Mapping[str, Embeddings],
    plan: EvaluationPlan,
    progress: Progress,
) -> Harness:
    """A harness of users who ask with their histories."""
    slices = QuerySlices(by_history(task), Resamples.of(task.queries.basket, plan.seed))
    return Harness(catalogue, chosen, task, slices, (), None, content, plan, progress)


def judge_of(evaluation: EvaluationSettings) -> Judge:
    """Return a function that computes the NDCG@10 of a job's recipe, for the gate of a reindex.

    It uses the window before the test period and no cold folds. It returns None, and logs why,
    when the interactions cannot be split.
    """

    def ndcg(job: Job) -> float | None:
        plan = EvaluationPlan(days=evaluation.days, test_from=evaluation.test_from_s(), folds=0)
        try:
            return prepare_harness(job, plan).evaluate(job.recipe).ndcg().value
        except DataError as error:
            _logger.warning("the recipe was not judged: %s", error)
            return None

    return ndcg


def _folds(
    train: Interactions, queries: Queries, sold: NDArray[np.float32], plan: EvaluationPlan
) -> tuple[ColdFold, ...]:
    found: list[ColdFold] = []
    for cold in cold_folds(sold, plan.folds, plan.seed):
        if sum(len(fold.queries) for fold in found) >= COLD_QUERIES:
            break
        asked = queries.select(np.isin(queries.row, cold))
        if len(asked):
            found.append(ColdFold(train.select(~np.isin(train.item, cold)), asked))
    return tuple(found)


def _cold_slices(folds: tuple[ColdFold, ...], seed: int) -> QuerySlices:
    """All folds as one slice, resampled by the item that asks."""
    rows = np.concatenate([fold.queries.row for fold in folds])
    return QuerySlices({COLD: np.ones(len(rows), dtype=bool)}, Resamples.of(rows, seed))
