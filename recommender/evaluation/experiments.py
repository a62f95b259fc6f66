"""Experiments: a recipe and the baselines that it must beat, evaluated on later events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np

from recommender.artifacts.store import ArtifactStore
from recommender.build.job import Job
from recommender.core.arrays import Rows
from recommender.core.interactions import Interactions, most_popular
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.recipe import Choice, Placement, Recipe
from recommender.core.vectors import joined_content
from recommender.errors import ConfigError
from recommender.evaluation import systems
from recommender.evaluation.external_lists import ExternalLists
from recommender.evaluation.harness import EvaluationPlan, Harness, prepare_harness
from recommender.evaluation.metrics import Interval
from recommender.evaluation.protocols import K
from recommender.evaluation.report import ALL, SystemResult, shortfalls
from recommender.evaluation.systems import DEPTH, Baseline, ListBuilder
from recommender.evaluation.user_protocols import DECAY, LAST_ITEMS, NextItemTask
from recommender.vectors.content.model_folder import learned_until

TEST_LOG = "test-uses"
BEST_SELLERS, EASE, WITH_TEXT = "best sellers", "EASE", "item-kNN and text"
BEHAVIOUR: Mapping[str, Baseline] = {
    "co-occurrence count": systems.co_occurrence_counts,
    "implicit cosine": systems.implicit_cosine,
    "implicit BM25": systems.implicit_bm25,
    "item-kNN": systems.item_knn,
}
REFERENCES = {
    "implicit-als": "implicit ALS",
    "text-alone": "text alone",
    "plain-concatenation": "plain concatenation",
}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The results of all systems, the evaluated recipe first.

    `differences` are the recipe minus each other system in NDCG, by name and slice; `debiased` the
    same in debiased NDCG over all queries. `baselines` are the names that the recipe must beat.
    `notes` limit what the figures mean.
    """

    harness: Harness
    protocol: Mapping[str, Any]
    results: tuple[SystemResult, ...]
    differences: Mapping[str, Mapping[str, Interval]]
    debiased: Mapping[str, Interval]
    notes: tuple[str, ...]
    baselines: tuple[str, ...]

    @property
    def shortfalls(self) -> tuple[str, ...]:
        """Where the recipe misses the quality bar against the baselines, one line each."""
        against = {name: self.differences[name] for name in self.baselines}
        return shortfalls(against, self.debiased, self.sizes)

    @property
    def sizes(self) -> dict[str, int]:
        """The number of queries in each slice."""
        return {name: part.n for name, part in self.results[0].slices.items()}

    def plain(self) -> dict[str, Any]:
        """The evaluation as JSON values."""
        return {
            "data": self.harness.plain(),
            "protocol": dict(self.protocol),
            "seed": self.protocol["seed"],
            "recipes": {one.name: one.plain() for one in self.results},
            "differences": {
                name: {part: mean.plain() for part, mean in parts.items()}
                for name, parts in self.differences.items()
            },
            "debiased_differences": {name: mean.plain() for name, mean in self.debiased.items()},
            "shortfalls": list(self.shortfalls),
            "notes": list(self.notes),
        }


def evaluate(job: Job, plan: EvaluationPlan, external: Sequence[ExternalLists] = ()) -> Evaluation:
    """Evaluate the job's recipe, external lists and the baselines on the same queries.

    Each use of the test window is logged in the artifact folder, and its number is reported.

    Raises: DataError where one side of the cut is empty, or nothing could be asked; ConfigError
    where two systems have one name.
    """
    harness = prepare_harness(job, plan)
    protocol = _protocol(harness, job)
    ours = harness.evaluate_builder(harness.builder(_suited(job.recipe, plan)))
    baselines, notes = evaluate_baselines(harness, job.recipe)
    theirs, more = _evaluate_external(harness, external)
    results = (*ours.values(), *theirs, *baselines)
    names = [one.name for one in results]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"two systems are named {twice[0]!r}: give the lists another name")
    first, *others = results
    return Evaluation(
        harness=harness,
        protocol=protocol,
        results=results,
        differences={one.name: harness.differences(first, one) for one in others},
        debiased={
            one.name: harness.slices.differences(first.scores, one.scores, "debiased_ndcg")[ALL]
            for one in others
        },
        notes=(*notes, *more, *_notes_on_text_model(job.recipe, harness.window.start)),
        baselines=tuple(one.name for one in baselines),
    )


def _suited(recipe: Recipe, plan: EvaluationPlan) -> Recipe:
    """The recipe with the placements first that learn what the protocol asks."""
    learned = [one.ranker.parameters.get("objective") == "next" for one in recipe.placements]
    suited = [of_users != (plan.protocol == "basket") for of_users in learned]
    order = np.argsort(~np.array(suited), kind="stable")
    return replace(recipe, placements=tuple(recipe.placements[place] for place in order))


def heading(evaluation: Evaluation) -> str:
    """The data and protocol of an evaluation, in a sentence or two."""
    harness, protocol = evaluation.harness, evaluation.protocol
    n_queries, task = len(harness.queries), harness.task
    if isinstance(task, NextItemTask):
        name = str(protocol["name"]).capitalize()
        asked = f"{n_queries:,} users (left out: {task.left_out:,} without a history or a new item)"
    else:
        name = "Basket"
        asked = (
            f"{n_queries:,} queries of {len(harness.window.baskets):,} baskets (left out: "
            f"{harness.window.left_out:,} of more than 100 items)"
        )
    learned = f"{len(harness.window.train):,} events to learn from"
    text = f"{name} protocol, {protocol['window']} window: {asked}, {learned}."
    uses = protocol.get("test_uses")
    if uses is None:
        return text
    return f"{text}\nThe test window was used {uses:,} time{'s' if uses > 1 else ''} so far."


def verdict(evaluation: Evaluation) -> str:
    """Whether the recipe clears the quality bar, and where it does not."""
    ours = evaluation.results[0].name
    if not evaluation.shortfalls:
        return (
            f"{ours} clears the bar: above every baseline in debiased NDCG, and below none in NDCG "
            "on any large slice."
        )
    return "\n".join([f"{ours} misses the bar:", *(f"- {one}" for one in evaluation.shortfalls)])


def log_test_use(store: ArtifactStore, facts: Mapping[str, Any]) -> int:
    """Log one use of the test window, and return how many there are now.

    A window that is used often is no longer a test. Raises: ArtifactError where it cannot be
    logged.
    """
    entry = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **facts}
    number = 1
    while not store.append(TEST_LOG, number, entry):
        number += 1
    return number


def _protocol(harness: Harness, job: Job) -> dict[str, Any]:
    """The protocol as JSON values; a use of the test window is logged here."""
    plan = harness.plan
    protocol: dict[str, Any] = {
        "name": plan.protocol,
        "window": "test" if plan.test else "validation",
        "back": plan.back,
        "from": harness.window.start,
        "until": harness.window.until,
        "k": K,
        "cold_folds": len(harness.folds),
        "seed": plan.seed,
        "recipe": job.recipe.digest,
    }
    if isinstance(harness.task, NextItemTask):
        protocol |= {"decay": DECAY, "last_items": LAST_ITEMS}
    if plan.test:
        facts = {name: protocol[name] for name in ("name", "from", "until", "recipe")}
        protocol["test_uses"] = log_test_use(job.artifacts, facts)
    return protocol


def _notes_on_text_model(recipe: Recipe, start: int) -> tuple[str, ...]:
    """What limits the figures where the text model was fine-tuned, for a window from `start`."""
    models = (choice.parameters.get("model", "") for choice in recipe.content.values())
    until = max(learned_until(str(model)) for model in models)
    if not until:
        return ()
    if start < until:
        return ("the text model was fine-tuned on events of the tested period: too good",)
    return ("the text model was fine-tuned and may know the simulated cold items",)


def evaluate_baselines(
    harness: Harness, recipe: Recipe
) -> tuple[list[SystemResult], tuple[str, ...]]:
    """Evaluate what any recipe must beat; the notes name what was left out.

    Of the recipe only the text encoder and the index are used.
    """
    n_items = len(harness.catalogue)
    behaviour = dict(BEHAVIOUR)
    notes: tuple[str, ...] = ()
    if systems.ease_fits(n_items, systems.memory_bytes()):
        behaviour[EASE] = systems.ease
    else:
        notes = (f"EASE is left out: {n_items:,} items squared do not fit this machine's memory",)
    nothing = Neighbours(
        np.full((n_items, K), NONE, dtype=np.int32), np.full((n_items, K), -np.inf, np.float32)
    )
    results = [_best_sellers(harness)]
    for name, baseline in behaviour.items():
        built = {name: baseline(harness.window.train, DEPTH)}
        results += _evaluate_built(harness, built, partial(_always, {name: nothing}))
    return results + _with_text(harness, recipe, nothing), notes


def _evaluate_built(
    harness: Harness, built: Mapping[str, Neighbours], in_folds: ListBuilder
) -> list[SystemResult]:
    return list(harness.evaluate_builder(partial(_always, built), in_folds).values())


def _always(lists: Mapping[str, Neighbours], *_given: object) -> Mapping[str, Neighbours]:
    return lists


def _best_sellers(harness: Harness) -> SystemResult:
    if isinstance(harness.task, NextItemTask):
        best = most_popular(harness.beyond.support)
        top = harness.task.shown_to_everyone(best)
        return harness.evaluate_shown(BEST_SELLERS, top)
    built = harness.evaluate_builder(
        lambda train, _asking: {BEST_SELLERS: systems.best_sellers(train, K)}
    )
    return built[BEST_SELLERS]


def _with_text(harness: Harness, recipe: Recipe, nothing: Neighbours) -> list[SystemResult]:
    """Item-kNN with text, and ALS with BM25 weights, text alone and both: `REFERENCES`.

    In the folds only the concatenation is fitted again: without events an item has no list from
    behaviour alone, and has that of text alone from item-kNN with text.
    """
    als, content = {"als": 1.0}, dict.fromkeys(recipe.content, 1.0)
    weights = (als, content, content | als)
    textbook = Recipe(
        content=recipe.content,
        interactions={"als": Choice("als")},
        index=recipe.index,
        placements=tuple(
            Placement(name, Choice("concatenation", {"weights": each}))
            for name, each in zip(REFERENCES, weights, strict=True)
        ),
    )
    train = harness.window.train
    text = joined_content(harness.content).matrix
    built = _named(harness.builder(textbook)(train, None))
    built[WITH_TEXT] = systems.item_knn(train, DEPTH, text)
    concatenation = replace(textbook, placements=textbook.placements[-1:])

    def in_folds(train: Interactions, asking: Rows | None) -> dict[str, Neighbours]:
        text_alone = built["text alone"]
        kept = {"implicit ALS": nothing, "text alone": text_alone, WITH_TEXT: text_alone}
        return kept | _named(harness.builder(concatenation)(train, asking))

    return _evaluate_built(harness, built, in_folds)


def _named(lists: Mapping[str, Neighbours]) -> dict[str, Neighbours]:
    return {REFERENCES[name]: one for name, one in lists.items()}


def _evaluate_external(
    harness: Harness, external: Sequence[ExternalLists]
) -> tuple[list[SystemResult], list[str]]:
    results: list[SystemResult] = []
    notes: list[str] = []
    for one in external:
        lists, left_out = one.aligned(harness.catalogue.ids, DEPTH)
        results.append(harness.evaluate_lists(one.name, lists))
        notes += left_out
        if one.newest >= harness.window.start:
            notes.append(
                f"{one.name} was learned from events of the tested period: its figures are too good"
            )
    return results, notes
