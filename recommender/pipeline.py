"""The flow, top to bottom: files in, related lists live.

    read -> embed text, fit interactions -> fuse -> index -> learn to rank -> choose
         -> merchandisers' rules, where there are some -> gates -> publish

Each stage but the last two is a step that writes artifacts, whose keys cover everything that
decides their bytes; what exists is not made again. So a run that was killed goes on where it was by
running again, an unchanged run does nothing, and a fleet does what one process does: `plan` is the
whole run as a graph, `reindex` walks it here, workers take its steps shard by shard.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from recommender import registry
from recommender.artifacts.runs import Run
from recommender.artifacts.store import Artifact, ArtifactStore
from recommender.build.admission import gated
from recommender.build.contents import (
    BUILD,
    catalogue_of,
    find_build,
    interactions_of,
    read_ids,
    related_lists,
)
from recommender.build.gates import Gates, golden_pairs
from recommender.build.job import Job, Pins, pinned, pins_of
from recommender.build.list_steps import (
    ChosenFrom,
    build_step,
    choose_step,
    chooser_of,
    hub_step,
    learn_step,
    merchandise_step,
    rule_book_step,
    split_of,
)
from recommender.build.steps import Step, complete, steps_of
from recommender.build.text_shards import PLAN, SHARD, Ledger
from recommender.build.vector_steps import (
    digest_of,
    encode_steps,
    fuse_step,
    index_step,
    near_step,
    origin_steps,
    read_step,
    text_step,
)
from recommender.core.catalogue import Catalogue
from recommender.core.context import RankingContext
from recommender.core.generation import Generation
from recommender.core.interactions import Interactions
from recommender.core.lists import RelatedLists
from recommender.core.recipe import Placement
from recommender.core.telemetry import Progress, silent
from recommender.core.vectors import Embeddings
from recommender.errors import ArtifactError, GateHeld, RecommenderError
from recommender.publishing.publisher import Publisher
from recommender.ranking.chooser import Chooser


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reindex did: the generation it published, or the live one where nothing changed."""

    generation: Generation
    published: bool
    report: Mapping[str, Any]
    jumps: Sequence[Mapping[str, Any]] = ()


Judge = Callable[[Job], float | None]
"""The offline metric (NDCG@10) of a job's recipe on its data, None where it cannot be told."""


def reindex(
    job: Job,
    publisher: Publisher,
    gates: Gates,
    *,
    force: bool = False,
    canary_share: float = 0.0,
    judge: Judge | None = None,
) -> Outcome:
    """Bring a shop's lists up to date.

    Where neither inputs nor recipe changed since the live generation, nothing is published unless
    `force`, and no heavy library is imported. With a `canary_share` only so many requests read
    what is published.

    Raises: DataError, ConfigError, ArtifactError, GateHeld or StoreUnavailable; what was live
    stays live.
    """
    publisher.check_canary(canary_share)
    golden_pairs(gates.golden)
    job = pinned(job)
    if not force and (unchanged := _unchanged(job, publisher)):
        return unchanged
    run = begin(job, publisher)
    try:
        run = laid_out(job, run)
        complete(plan(job), job.stopwatch)
        run = measured(job, run, judge if gates.ndcg_drop_max else None)
        if not force:
            run = gated(job.artifacts, run, gates, publisher.live())
        with job.stopwatch.measure("publish"):
            generation = publish(job.artifacts, run, publisher, canary_share, job.progress)
    except GateHeld:
        raise
    except (RecommenderError, KeyboardInterrupt) as error:
        why = str(error) or "interrupted"
        with suppress(ArtifactError):  # a full disk takes no record either; its error is told
            run.save(job.artifacts, state="failed", error=why, stages=_costs(job))
        raise
    run.save(
        job.artifacts,
        state="published",
        generation=dataclasses.asdict(generation),
        stages=_costs(job),
    )
    return Outcome(generation, published=True, report=run.report, jumps=run.jumps)


def begin(job: Job, publisher: Publisher) -> Run:
    """Draw the number of a new run, which is the fence it will publish under, and record it."""
    number = publisher.reserve(job.artifacts.highest_run())
    run = Run(
        shop=job.shop,
        number=number,
        state="running",
        settings=job.settings,
        pins=dataclasses.asdict(pins_of(job)),
        recipe_digest=job.recipe.digest,
    )
    run.begin(job.artifacts)
    return run


def laid_out(job: Job, run: Run) -> Run:
    """Read the files, and write down what the build will be made of, before any of it is made."""
    complete(read_step(job), job.stopwatch)
    goal = plan(job)
    return run.save(job.artifacts, artifacts=kept(goal), build=goal.key)


def measured(job: Job, run: Run, judge: Judge | None = None) -> Run:
    """The run with what was counted of its build, and judged if there is a judge."""
    build = find_build(job.artifacts, run.build)
    measures = dict(build.summary["measures"])
    if judge is not None:
        with job.stopwatch.measure("evaluate"):
            measures["ndcg"] = judge(job)
    return run.save(
        job.artifacts,
        measures=measures,
        report={**build.summary["report"], "health": build.summary["health"]},
        stages=_costs(job),
    )


def publish(
    store: ArtifactStore,
    run: Run,
    publisher: Publisher,
    canary_share: float = 0.0,
    progress: Progress = silent,
) -> Generation:
    """Make the build of a run live under the run's number."""
    build = find_build(store, run.build)
    return publisher.publish(
        read_ids(store, build),
        related_lists(store, build),
        lists_key=build.key,
        recipe_digest=run.recipe_digest,
        number=run.number,
        canary_share=canary_share,
        progress=progress,
    )


def make(job: Job) -> tuple[Artifact, Callable[[], list[RelatedLists]]]:
    """Run every stage that has no artifact yet.

    Returns the artifact of the build, whose key stands for everything in it, and a function that
    loads its lists.
    """
    job = pinned(job)
    complete(read_step(job), job.stopwatch)
    goal = plan(job)
    complete(goal, job.stopwatch)
    build = goal.artifact()
    return build, lambda: related_lists(job.artifacts, build)


# The plan


def plan(job: Job) -> Step:
    """The run of a pinned job as a graph that ends in its build.

    Until its files are read, that is the step of reading alone: what follows depends on it.
    """
    read = read_step(job)
    if read.missing():
        return read
    chosen = []
    for placement, chosen_from, ranker in _placements(job, read):
        found = choose_step(job, chosen_from, ranker, placement)
        chosen.append(hub_step(job, found, placement) if placement.hub_share else found)
    if not pins_of(job).rules:
        return build_step(job, read, chosen)
    book = rule_book_step(job, read)
    placed = zip(job.recipe.placements, chosen, strict=True)
    lists = [merchandise_step(job, (read, book, step), placement) for placement, step in placed]
    return build_step(job, read, lists, (book, chosen))


def _placements(job: Job, read: Step) -> Iterator[tuple[Placement, "ChosenFrom", Step | None]]:
    """What the lists of each placement are chosen from, and its ranker where that learns."""
    text = text_step(job, encode_steps(job, read))
    near = near_step(job, text)
    origins = cache(lambda kinds: origin_steps(job, read, text, kinds))
    past = cache(lambda kinds: split_of(job, read, text, near, kinds))
    indexes: dict[str, tuple[Step, Step]] = {}
    for placement in job.recipe.placements:
        known = origins(placement.kinds)
        fused = digest_of([placement.fusion.plain(), placement.kinds])
        if fused not in indexes:
            vectors = fuse_step(job, read, known, placement)
            indexes[fused] = vectors, index_step(job, vectors, placement)
        chosen_from = ChosenFrom(job, read, placement.kinds, known, *indexes[fused], near)
        ranker = learn_step(job, chosen_from, placement, partial(past, placement.kinds))
        yield placement, chosen_from, ranker


def kept(goal: Step) -> list[list[str]]:
    """Folder and key of everything that a build is made of, text shards and their plan apart."""
    passing = {PLAN[0], SHARD[0]}
    return [
        [step.folder, key]
        for step in steps_of(goal)
        if step.folder not in passing
        for key in step.keys() or ()
    ]


# For those who judge recipes, or ask why


def retraced(job: Job, build: Artifact, name: str) -> tuple[Chooser, RankingContext]:
    """What made the lists of a placement in a build, of the job of the run that made it.

    Raises: ArtifactError where the job does not lead to that build, or its parts are gone.
    """
    goal = plan(job)
    if goal.name != BUILD[0] or goal.key != build.key:
        raise ArtifactError(
            "the build cannot be retraced: another version made it, or its parts are gone; "
            "run recommender reindex --force"
        )
    (found,) = (parts for parts in _placements(job, read_step(job)) if parts[0].name == name)
    placement, chosen_from, ranker = found
    return chooser_of(job, chosen_from, ranker, placement)


def read_shop_columns(job: Job) -> tuple[Artifact, Catalogue, Interactions]:
    """Read a job's files, or what was read of them: the artifact, catalogue and interactions."""
    job = pinned(job)
    step = read_step(job)
    complete(step, job.stopwatch)
    read = step.artifact()
    return read, catalogue_of(read), interactions_of(read)


def text_embeddings(job: Job, read: Artifact) -> Embeddings:
    """The text embeddings of what was read, encoded where they are not there yet."""
    if job.pins is None:
        encoder = registry.text_encoder(job.recipe.text, job.text_api).fingerprint()
        pins = Pins({}, encoder, Ledger(job.artifacts, encoder).end())
        job = dataclasses.replace(job, pins=pins)
    given = dataclasses.replace(read_step(job), keys=lambda: (read.key,))
    step = text_step(job, encode_steps(job, given))
    complete(step, job.stopwatch)
    return Embeddings.from_columns(step.artifact().columns())


# Records


def _unchanged(job: Job, publisher: Publisher) -> Outcome | None:
    """The live generation, where the job's build is what it was published from."""
    goal, live = plan(job), publisher.live()
    if live is None or goal.name != BUILD[0] or goal.key != live.lists_key:
        return None
    report = read_step(job).artifact().summary["report"]
    for step in steps_of(goal):
        job.stopwatch.reused(step.label)
    return Outcome(live, published=False, report=report)


def _costs(job: Job) -> list[dict[str, Any]]:
    return [dataclasses.asdict(cost) for cost in job.stopwatch.costs]
