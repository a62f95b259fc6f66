"""Experiments: a recipe judged on later baskets, beside what it must beat."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recommender.artifacts.store import Artifact
from recommender.build.contents import lists_and_own, placements, read_catalogue, read_interactions
from recommender.build.job import Job
from recommender.core.interactions import Interactions, support
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.recipe import Choice, Placement, Recipe
from recommender.errors import ConfigError, DataError
from recommender.evaluation import baselines
from recommender.evaluation.bar import shortfalls
from recommender.evaluation.baselines import Baseline
from recommender.evaluation.harness import DEPTH, Bench, Terms, bench
from recommender.evaluation.intervals import Interval
from recommender.evaluation.metrics import K
from recommender.evaluation.next_item import DECAY, LAST_ITEMS, Histories
from recommender.evaluation.ready_made import ReadyMade
from recommender.evaluation.report import Judged
from recommender.evaluation.slices import ALL
from recommender.evaluation.test_window_log import record_peek
from recommender.pipeline import Judge
from recommender.settings.tables import EvaluationSettings
from recommender.vectors.content.model_folder import learned_until

_logger = logging.getLogger(__name__)

BEST_SELLERS = "best sellers"
BEHAVIOUR: Mapping[str, Baseline] = {
    "co-occurrence count": baselines.co_occurrence_counts,
    "implicit cosine": baselines.implicit_cosine,
    "implicit BM25": baselines.implicit_bm25,
}
EASE = "EASE"
REFERENCES = {
    "implicit-als": "implicit ALS",
    "text-alone": "text alone",
    "plain-concatenation": "plain concatenation",
}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Who was judged, on what; `differences` are ours minus theirs in NDCG, by name and slice.

    Ours is the first of `judged`; `baselines` are the names that it must beat. `notes` say what a
    reader of the figures must know.
    """

    bench: Bench
    protocol: Mapping[str, Any]
    judged: tuple[Judged, ...]
    differences: Mapping[str, Mapping[str, Interval]]
    notes: tuple[str, ...]
    baselines: tuple[str, ...]

    @property
    def shortfalls(self) -> tuple[str, ...]:
        """Where the recipe misses the bar against the baselines, one line each."""
        against = {name: self.differences[name] for name in self.baselines}
        return shortfalls(against, self.sizes)

    @property
    def sizes(self) -> dict[str, int]:
        """How many queries each slice has."""
        return {name: part.n for name, part in self.judged[0].slices.items()}

    def plain(self) -> dict[str, Any]:
        """The evaluation as JSON knows it."""
        return {
            "data": self.bench.plain(),
            "protocol": dict(self.protocol),
            "seed": self.protocol["seed"],
            "recipes": {one.name: one.plain() for one in self.judged},
            "differences": {
                name: {part: mean.plain() for part, mean in parts.items()}
                for name, parts in self.differences.items()
            },
            "shortfalls": list(self.shortfalls),
            "notes": list(self.notes),
        }


def evaluate(job: Job, terms: Terms, ready_made: Sequence[ReadyMade] = ()) -> Evaluation:
    """Judge the job's recipe, then ready-made lists, beside what they must beat.

    Each use of the test window is recorded in the artifact folder, and its number reported.

    Raises: DataError where there are no baskets with times on both sides of the cut; ConfigError
    where two that are judged have one name.
    """
    prepared = bench(job, terms)
    protocol = described(prepared, job)
    ours = prepared.judge_made(prepared.maker(job.recipe))
    beside, notes = references(prepared, job.recipe)
    given, more = _given(prepared, ready_made)
    everyone = (*ours.values(), *given, *beside)
    names = [one.name for one in everyone]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"two of those judged are named {twice[0]!r}; name the lists otherwise")
    first, *others = everyone
    differences = {one.name: prepared.differences(first, one) for one in others}
    return Evaluation(
        bench=prepared,
        protocol=protocol,
        judged=everyone,
        differences=differences,
        notes=(*notes, *more, *tuning_notes(job.recipe, prepared.window.start)),
        baselines=tuple(one.name for one in beside),
    )


def published_lists(job: Job, build: Artifact, name: str, placement: str = "") -> ReadyMade:
    """The lists of a published build in one placement, without best sellers behind them.

    By default in its first. Raises: ArtifactError where they are no longer there; ConfigError
    where the build has no such placement.
    """
    ids = np.array(read_catalogue(job.artifacts, build).ids.ids, dtype=object)
    there = placements(build)
    if placement and placement not in there:
        raise ConfigError(f"placement {placement!r}: {name} has {', '.join(there)}")
    lists, own = lists_and_own(job.artifacts, build, placement or there[0])
    owner = np.repeat(np.arange(len(lists)), lists.sizes)[own]
    return ReadyMade(
        name=name,
        item=ids[owner].tolist(),
        related=ids[lists.rows[own]].tolist(),
        score=np.asarray(lists.scores[own]),
        newest=read_interactions(job.artifacts, build).newest,
    )


def described(prepared: Bench, job: Job) -> dict[str, Any]:
    """The protocol as JSON knows it; a use of the test window is counted here."""
    terms = prepared.terms
    window = prepared.window
    protocol: dict[str, Any] = {
        "name": terms.protocol,
        "window": "test" if terms.test else "validation",
        "back": terms.back,
        "from": window.start,
        "until": window.until,
        "k": K,
        "cold_folds": len(prepared.folds),
        "seed": terms.seed,
        "recipe": job.recipe.digest,
    }
    if isinstance(prepared.questions, Histories):
        protocol |= {"decay": DECAY, "last_items": LAST_ITEMS}
    if terms.test:
        facts = {name: protocol[name] for name in ("name", "from", "until", "recipe")}
        protocol["test_uses"] = record_peek(job.artifacts, facts)
    return protocol


def tuning_notes(recipe: Recipe, start: int) -> tuple[str, ...]:
    """What is to be known where the text model was fine-tuned, for a window from `start` on."""
    models = (choice.parameters.get("model", "") for choice in recipe.content.values())
    until = max(learned_until(str(model)) for model in models)
    if not until:
        return ()
    if start < until:
        return ("the text model was fine-tuned on events of the judged period: too good",)
    return ("simulated cold items may be known to the text model, which was fine-tuned",)


def references(prepared: Bench, recipe: Recipe) -> tuple[list[Judged], tuple[str, ...]]:
    """What any recipe must beat, judged; and which of it was left out, and why.

    Of the recipe only the text encoder and the index are used, so that what must be beaten does
    not change with the recipe.
    """
    n_items = len(prepared.catalogue)
    behaviour = dict(BEHAVIOUR)
    notes: tuple[str, ...] = ()
    if baselines.ease_fits(n_items, _memory_bytes()):
        behaviour[EASE] = baselines.ease
    else:
        notes = (f"EASE is left out: {n_items:,} items squared do not fit this machine's memory",)
    nothing = Neighbours(
        np.full((n_items, K), NONE, dtype=np.int32), np.full((n_items, K), -np.inf, np.float32)
    )
    judged = [_best_sellers(prepared)]
    for name, baseline in behaviour.items():
        judged += prepared.judge_made(
            lambda train, name=name, make=baseline: {name: make(train, DEPTH)},  # type: ignore[misc]
            lambda _train, name=name: {name: nothing},  # type: ignore[misc]
        ).values()
    return judged + _with_text(prepared, recipe, nothing), notes


def _best_sellers(prepared: Bench) -> Judged:
    if isinstance(prepared.questions, Histories):
        sold = support(prepared.window.train.matrix())
        order = np.lexsort((np.arange(len(sold)), -sold)).astype(np.int32)
        top = prepared.questions.shown_to_everyone(order[sold[order] > 0])
        return prepared.judge_shown(BEST_SELLERS, top)
    made = prepared.judge_made(lambda train: {BEST_SELLERS: baselines.best_sellers(train, K)})
    return made[BEST_SELLERS]


def _with_text(prepared: Bench, recipe: Recipe, nothing: Neighbours) -> list[Judged]:
    """ALS, text alone and their plain concatenation.

    What rests on behaviour alone has no list for an item without events, and text alone the same
    lists whatever was sold: in the folds only the concatenation is made anew.
    """
    textbook = _textbook(recipe)
    made = _named(prepared.maker(textbook)(prepared.window.train))
    joined = replace(textbook, placements=textbook.placements[-1:])

    def in_folds(train: Interactions) -> dict[str, Neighbours]:
        kept = {"implicit ALS": nothing, "text alone": made["text alone"]}
        return kept | _named(prepared.maker(joined)(train))

    return list(prepared.judge_made(lambda _train: made, in_folds).values())


def _named(lists: Mapping[str, Neighbours]) -> dict[str, Neighbours]:
    return {REFERENCES[name]: one for name, one in lists.items()}


def _textbook(recipe: Recipe) -> Recipe:
    """ALS with BM25 weights, content alone, and all in equal parts: the placements `REFERENCES`."""
    als, content = {"als": 1.0}, dict.fromkeys(recipe.content, 1.0)
    weights = (als, content, content | als)
    return Recipe(
        content=recipe.content,
        interactions={"als": Choice("als")},
        index=recipe.index,
        placements=tuple(
            Placement(name, Choice("concatenation", {"weights": each}))
            for name, each in zip(REFERENCES, weights, strict=True)
        ),
    )


def _given(prepared: Bench, ready_made: Sequence[ReadyMade]) -> tuple[list[Judged], list[str]]:
    judged: list[Judged] = []
    notes: list[str] = []
    for one in ready_made:
        lists, left_out = one.placed(prepared.catalogue.ids, DEPTH)
        judged.append(prepared.judge_lists(one.name, lists))
        notes += left_out
        if one.newest >= prepared.window.start:
            notes.append(
                f"{one.name} was learned from events of the judged period: its figures are too good"
            )
    return judged, notes


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def judge_of(evaluation: EvaluationSettings) -> Judge:
    """Return a function that computes the NDCG@10 of a job's recipe, for the gate of a reindex.

    It uses the window before the test period and no cold folds. It returns None, and logs why,
    when the interactions cannot be split.
    """

    def ndcg(job: Job) -> float | None:
        terms = Terms(days=evaluation.days, test_from=evaluation.test_from_s(), folds=0)
        try:
            judged = bench(job, terms).judge(job.recipe)
        except DataError as error:
            _logger.warning("the recipe was not judged: %s", error)
            return None
        return float(judged.slices[ALL].metrics["ndcg"].value)

    return ndcg
