"""The flow, top to bottom: files in, related lists live.

    read -> embed content, fit interactions -> fuse -> index -> learn to rank -> choose
         -> merchandisers' rules, where there are some -> gates -> publish

Each stage but the last two is a step that writes artifacts, whose keys cover everything that
decides their bytes. `plan` returns all steps of a run; it makes nothing. `reindex` performs those
that have no artifact yet, and workers perform them shard by shard. So an unchanged run does
nothing, a killed run resumes, and a fleet makes the same as one process.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from recommender.artifacts.runs import Run
from recommender.artifacts.store import Artifact, ArtifactStore
from recommender.build.contents import (
    catalogue_of,
    find_build,
    interactions_of,
    read_ids,
    related_lists,
)
from recommender.build.folded_changes import leave_live, with_changes
from recommender.build.gates import Gates, gated, golden_pairs
from recommender.build.job import Job, pinned, pins_of, with_content_pinned
from recommender.build.list_steps import (
    Plan,
    build_step,
    choose_step,
    hub_step,
    learn_step,
    merchandise_step,
    rule_set_step,
    temporal_split,
)
from recommender.build.repair import absent, complete_all, discard_damaged, is_recorded
from recommender.build.steps import (
    Events,
    PlacementInputs,
    PlacementPlan,
    Step,
    complete,
    embeddings_of,
    steps_of,
)
from recommender.build.storefront import records_of
from recommender.build.vector_steps import (
    already_read,
    behaviour_steps,
    content_steps,
    fuse_step,
    index_step,
    near_step,
    read_step,
)
from recommender.core.catalogue import Catalogue
from recommender.core.generation import Generation
from recommender.core.interactions import Interactions
from recommender.core.telemetry import Progress, silent
from recommender.core.vectors import Embeddings
from recommender.errors import ArtifactError, GateHeld, RecommenderError
from recommender.publishing.publisher import Publisher

# Planning


def plan(job: Job) -> Plan:
    """The steps of a pinned job. What was read decides them, so before that there is one step."""
    read = read_step(job)
    if read.missing():
        return Plan(read)
    found = read.artifact().summary
    n_items = found["report"]["n_items"]
    content = content_steps(job, read, found["documents"])
    near = near_step(job, content)
    rules = rule_set_step(job, read) if pins_of(job).rules else None
    placements = []
    for inputs in _placement_inputs(job, read, content, near):
        placement = inputs.placement
        chosen = choose_step(job, inputs, n_items)
        if placement.hub_share:
            chosen = hub_step(job, chosen, placement)
        lists = chosen
        if rules is not None:
            lists = merchandise_step(job, (read, rules, chosen), placement)
        placements.append(PlacementPlan(inputs, chosen, lists))
    return Plan(read, tuple(placements), build_step(job, read, placements, rules))


def _placement_inputs(
    job: Job, read: Step, content: Mapping[str, Step], near: Step
) -> list[PlacementInputs]:
    """The inputs of each placement's lists; placements share steps of the same key."""
    shared: dict[str, Step] = {}
    baskets = job.recipe.trust.user_baskets
    split = cache(lambda kinds: temporal_split(job, Events(read, kinds, baskets), content, near))
    found = []
    for placement in job.recipe.placements:
        events = Events(read, placement.kinds, baskets)
        behaviour = behaviour_steps(job, events)
        vectors = fuse_step(job, events, content, behaviour, placement)
        vectors = shared.setdefault(vectors.key, vectors)
        index = index_step(job, vectors, placement)
        index = shared.setdefault(index.key, index)
        inputs = PlacementInputs(
            job.recipe, placement, events, content, behaviour, vectors, index, near
        )
        ranker = learn_step(job, inputs, partial(split, placement.kinds))
        found.append(dataclasses.replace(inputs, ranker=ranker))
    return found


# Execution


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reindex did: the generation it published, or the live one where nothing changed."""

    generation: Generation
    published: bool
    report: Mapping[str, Any]
    jumps: Sequence[Mapping[str, Any]] = ()


Judge = Callable[[Job], float | None]
"""Measures the offline metric (NDCG@10) of a job's recipe; None where that fails."""


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

    Where neither inputs nor recipe changed, nothing is published unless `force`, and no heavy
    library is imported. With a `canary_share` only so many requests read what is published.

    Raises: DataError, ConfigError, ArtifactError, GateHeld or StoreUnavailable; what was live
    stays live.
    """
    publisher.check_canary(canary_share)
    golden_pairs(gates.golden)
    job = with_changes(pinned(job), publisher)
    if not force and (unchanged := _unchanged(job, publisher)):
        return unchanged
    run = begin(job, publisher)
    try:
        run, planned = laid_out(job, run)
        complete_all(planned.goal, job.stopwatch)
        run = measured(job, run, judge if gates.ndcg_drop_max else None)
        if not force:
            run = gated(job.artifacts, run, gates, publisher.live())
        with job.stopwatch.measure("publish"):
            generation = publish(job.artifacts, run, publisher, canary_share, job.progress)
    except GateHeld:
        raise
    except (RecommenderError, KeyboardInterrupt) as error:
        why = str(error) or "interrupted"
        with suppress(ArtifactError):  # a full disk refuses the record too
            run.save(job.artifacts, state="failed", error=why, stages=_costs(job))
        raise
    made, stages = dataclasses.asdict(generation), _costs(job)
    run.save(job.artifacts, state="published", generation=made, stages=stages)
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


def laid_out(job: Job, run: Run) -> tuple[Run, Plan]:
    """Read the files, and record what the build will be made of, before any of it is made."""
    planned = read_and_planned(job)
    if discard_damaged(planned.goal):
        planned = read_and_planned(job)
    run = run.save(job.artifacts, artifacts=planned.artifacts(), build=planned.goal.key)
    return run, planned


def read_and_planned(job: Job) -> Plan:
    """Read the files of a pinned job where that was not done yet, and plan the rest."""
    complete(read_step(job), job.stopwatch)
    return plan(job)


def measured(job: Job, run: Run, judge: Judge | None = None) -> Run:
    """The run with the measures of its build, and its offline metric if there is a judge."""
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
    generation = publisher.publish(
        read_ids(store, build),
        related_lists(store, build),
        records=records_of(store, build),
        lists_key=build.key,
        recipe_digest=run.recipe_digest,
        number=run.number,
        canary_share=canary_share,
        progress=progress,
    )
    if not canary_share:
        leave_live(store, build, publisher)
    return generation


# For those who judge recipes


def read_shop_columns(job: Job) -> tuple[Artifact, Catalogue, Interactions]:
    """Read the files of a job: the artifact, which may exist already, catalogue, interactions."""
    job = pinned(job)
    step = read_step(job)
    complete(step, job.stopwatch)
    read = step.artifact()
    return read, catalogue_of(read), interactions_of(read)


def content_made(job: Job, read: Artifact) -> dict[str, Step]:
    """The steps of each content origin, performed if they were not yet."""
    job = with_content_pinned(job)
    steps = content_steps(job, already_read(job, read), read.summary["documents"])
    for step in steps.values():
        complete(step, job.stopwatch)
    return steps


def content_embeddings(job: Job, read: Artifact) -> dict[str, Embeddings]:
    """The embeddings of each content origin, computed if they do not exist yet."""
    return embeddings_of(content_made(job, read))


# Records


def is_live(planned: Plan, live: Generation | None) -> bool:
    """Whether a plan ends in the live build, and all that it is made of is whole and recorded.

    What is damaged is discarded.
    """
    if live is None or not planned.makes(live.lists_key) or discard_damaged(planned.goal):
        return False
    return is_recorded(planned.goal.artifacts, live.id) and not absent(planned.goal)


def _unchanged(job: Job, publisher: Publisher) -> Outcome | None:
    """The live generation, where the job's build is what it was published from."""
    planned, live = plan(job), publisher.live()
    if live is None or not is_live(planned, live):
        return None
    report = planned.read.artifact().summary["report"]
    for step in steps_of(planned.goal):
        job.stopwatch.reused(step.label)
    return Outcome(live, published=False, report=report)


def _costs(job: Job) -> list[dict[str, Any]]:
    return [dataclasses.asdict(cost) for cost in job.stopwatch.costs]
