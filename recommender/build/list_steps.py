"""The steps from item vectors to the lists of every placement, and the build that they make."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from recommender import registry
from recommender.artifacts.store import artifact_key
from recommender.build.contents import (
    BUILD,
    LISTS,
    RULE_SET,
    bounded_columns,
    catalogue_of,
    counted,
    entry_columns,
    health,
    interactions_of,
    list_columns,
    shard_of_lists,
)
from recommender.build.job import Job, pins_of
from recommender.build.steps import (
    Events,
    Made,
    PlacementInputs,
    PlacementPlan,
    Step,
    embeddings_of,
    neighbours_of,
    steps_of,
)
from recommender.build.storefront import storefront_of, storefront_terms
from recommender.build.text_shards import PASSING
from recommender.build.vector_steps import reported, resolved
from recommender.core.arrays import blocks, release_pages
from recommender.core.recipe import Placement
from recommender.errors import ArtifactError, DataError
from recommender.merchandising.application import RuleApplication, rules_of, snapshot
from recommender.merchandising.matching import Shelves
from recommender.merchandising.rule_file import required_rules
from recommender.ranking.chooser import choose_rows
from recommender.ranking.evidence import EvidenceScale
from recommender.ranking.training_set import TemporalSplit, fit_ranker

_RANKER = ("ranker", 3)
MERCHANDISED = ("merchandised", 2)
_WIDE = ("wide", 3)


def temporal_split(
    job: Job, events: Events, content: Mapping[str, Step], near: Step
) -> TemporalSplit | None:
    """An earlier time of the shop, which a ranker learns from; None where there was none."""
    return TemporalSplit.of(
        job.recipe,
        catalogue_of(events.read.artifact()),
        events.load(),
        embeddings_of(content),
        cache(lambda: neighbours_of(near)),
        job.progress,
    )


def learn_step(
    job: Job, inputs: PlacementInputs, split: Callable[[], TemporalSplit | None]
) -> Step | None:
    """What the placement's ranker learns from an earlier time of the shop, if it learns.

    `split` returns that time; it is asked for when the step is performed.
    """
    placement = inputs.placement
    ranker = registry.ranker(placement.ranker)
    if not ranker.learns:
        return None
    generators = [
        resolved(choice, registry.candidate_generator(choice)) for choice in placement.candidates
    ]
    read = {"vectors": inputs.vectors, "index": inputs.index}
    read |= {"near": inputs.near, "read": inputs.events.read}
    key = artifact_key(
        *_RANKER,
        {
            "ranker": resolved(placement.ranker, ranker),
            "candidates": generators,
            "depth": placement.depth,
            "learn_days": job.recipe.learn_days,
        }
        | _of_trust(job),
        {name: step.key for name, step in read.items()},
    )
    label = f"learn to rank {placement.name}"

    def make() -> Made:
        with job.progress(label, 1) as advance:
            fitted = fit_ranker(placement, split)
            advance(1)
        return fitted.columns(), fitted.summary()

    place = (job.artifacts, _RANKER[0], key)
    return Step.single(
        place, (f"learn.{placement.name}", label), tuple(inputs.steps().values()), make
    )


def choose_step(job: Job, inputs: PlacementInputs, n_items: int) -> Step:
    """The lists of a placement before hubs are bounded, `job.shard_items` to a shard."""
    placement, needs = inputs.placement, inputs.steps()
    ranges = [range(part.start, part.stop) for part in blocks(n_items, job.shard_items)]
    kind = _WIDE if placement.hub_share else LISTS
    keys = tuple(
        artifact_key(
            *kind,
            {"placement": placement.plain(), "rows": [rows.start, rows.stop]} | _of_trust(job),
            {name: step.key for name, step in needs.items()},
        )
        for rows in ranges
    )
    label = f"search and choose {placement.name}"

    def make(shards: Sequence[int]) -> Iterator[tuple[int, Made]]:
        chooser, context = inputs.chooser()
        scale = EvidenceScale.measured(context.origins)
        total = sum(len(ranges[shard]) for shard in shards)
        with job.progress(label, total) as advance:
            for shard in shards:
                release_pages(context.vectors.queries)
                chosen = choose_rows(chooser, scale, ranges[shard], advance)
                columns = list_columns(chosen, chooser.depth)
                columns |= {"best_sellers": chooser.best_sellers.shop}
                yield shard, (columns, {"entries": len(columns["rows"])})

    name = f"choose.{placement.name}"
    return Step(job.artifacts, name, label, kind[0], tuple(needs.values()), lambda: keys, make)


def rule_set_step(job: Job, read: Step) -> Step:
    """The merchandisers' rules that are valid, and how many of their names are unknown."""
    pins = pins_of(job)
    key = artifact_key(*RULE_SET, {"rules": pins.rules}, {"read": read.key})

    def make() -> Made:
        if job.rule_file is None:
            raise ArtifactError("the rules of this run are not set on this machine")
        rule_set = required_rules(job.rule_file).on(date.fromisoformat(pins.rules_on))
        if rule_set.digest != pins.rules:
            raise DataError(f"{job.rule_file} was replaced since the run began; run again")
        shelves = Shelves(catalogue_of(read.artifact()))
        unknown = sum(1 for rule in rule_set.rules for _ in shelves.unknown(rule))
        return {}, {**snapshot(rule_set), "unknown": unknown}

    place = (job.artifacts, RULE_SET[0], key)
    return Step.single(place, (RULE_SET[0], "read rules"), (read,), make)


def merchandise_step(job: Job, needs: tuple[Step, Step, Step], placement: Placement) -> Step:
    """The lists of a placement after the merchandisers' rules, in the shards of the chosen."""
    read, rule_set, chosen = needs
    inputs = {"read": read.key, "rules": rule_set.key}
    keys = tuple(
        artifact_key(*MERCHANDISED, {"placement": placement.plain()}, inputs | {"chosen": key})
        for key in chosen.keys() or ()
    )
    label = f"apply rules {placement.name}"

    def make(shards: Sequence[int]) -> Iterator[tuple[int, Made]]:
        catalogue = catalogue_of(read.artifact())
        application = RuleApplication.of(
            rules_of(rule_set.artifact().summary), catalogue, interactions_of(read.artifact())
        )
        merchandiser, parts = application.merchandiser(placement), chosen.parts()
        with job.progress(label, len(shards)) as advance:
            for shard in shards:
                start = shard * job.shard_items
                part = parts[shard].columns()
                lists, rows = shard_of_lists(placement.name, part, start, len(catalogue))
                done = merchandiser.apply_to(lists, rows)
                columns = entry_columns(block.entries for block in done)
                columns["best_sellers"] = merchandiser.allowed(lists.best_sellers)
                yield shard, (columns, {"entries": len(columns["rows"])})
                advance(1)

    name = f"merchandise.{placement.name}"
    return Step(job.artifacts, name, label, LISTS[0], needs, lambda: keys, make)


def hub_step(job: Job, chosen: Step, placement: Placement) -> Step:
    """Cut lists twice as deep, all of them seen at once, so that shards make no difference."""
    inputs = {str(shard): key for shard, key in enumerate(chosen.keys() or ())}
    parameters = {name: getattr(placement, name) for name in ("shown", "depth", "hub_share")}
    keys = tuple(artifact_key(*LISTS, parameters | {"shard": shard}, inputs) for shard in inputs)

    def make(shards: Sequence[int]) -> Iterator[tuple[int, Made]]:
        wide = [part.columns() for part in chosen.parts()]
        bounded = bounded_columns(wide, placement)
        for shard, columns in enumerate(bounded):
            if shard in shards:
                yield shard, (columns, {"entries": len(columns["rows"])})

    name, label = f"bound.{placement.name}", f"bound hubs of {placement.name}"
    return Step(job.artifacts, name, label, LISTS[0], (chosen,), lambda: keys, make)


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a run; `build`, the last one, is None until the files are read."""

    read: Step
    placements: tuple[PlacementPlan, ...] = ()
    build: Step | None = None

    @property
    def goal(self) -> Step:
        """The step that all others lead to."""
        return self.read if self.build is None else self.build

    def makes(self, key: str) -> bool:
        """Whether the plan ends in the build of that key."""
        return self.build is not None and self.build.key == key

    def placement(self, build: str, name: str) -> PlacementPlan:
        """The plan of one placement, where the whole ends in the build of that key.

        Raises: ArtifactError where it does not, so that what made the build cannot be loaded.
        """
        if not self.makes(build):
            raise ArtifactError(
                "the build cannot be retraced: another version of recommender made it, or its "
                "artifacts are gone; run recommender reindex --force"
            )
        (found,) = (placement for placement in self.placements if placement.name == name)
        return found

    def artifacts(self) -> list[list[str]]:
        """Folder and key of everything that the build is made of, but text shards and plans."""
        return [
            [step.folder, key]
            for step in steps_of(self.goal)
            if step.folder not in PASSING
            for key in step.keys() or ()
        ]


def build_step(
    job: Job, read: Step, placements: Sequence[PlacementPlan], rules: Step | None
) -> Step:
    """The end of the plan; with merchandisers' rules, also which, and the lists before them."""
    keys = {plan.name: list(plan.lists.keys() or ()) for plan in placements}
    inputs = {f"{n}.{shard}": key for n, each in keys.items() for shard, key in enumerate(each)}
    terms = storefront_terms(job)
    given = {"recipe": job.recipe.digest, **terms}
    key = artifact_key(*BUILD, given, inputs | {"read": read.key})

    def make() -> Made:
        found = read.artifact().summary
        report = found["report"] | reported(placements[0].inputs.content)
        report |= {"rankers": _learned(placements)}
        besides: dict[str, Any] = {}
        if rules is not None:
            rule_set = rules.artifact().summary
            counts = {"rules": len(rule_set["rules"]), "unknown": rule_set["unknown"]}
            report = report | {"merchandising": counts}
            chosen = {plan.name: list(plan.chosen.keys() or ()) for plan in placements}
            besides = {"merchandising": rule_set, "chosen": chosen}
        lists = {plan.name: plan.lists.parts() for plan in placements}
        besides |= storefront_of(terms, read.artifact(), besides.get("merchandising", {}))
        return {}, {
            "read": read.key,
            "lists": keys,
            "shard_items": job.shard_items,
            "recipe": job.recipe.plain(),
            "report": report,
            "n_items": report["n_items"],
            "measures": counted(lists.values(), report["n_items"], found["n_events"]),
            "health": health(
                {plan.name: plan.chosen.parts() for plan in placements}, lists, job.recipe
            ),
            **besides,
        }

    needs = tuple(plan.lists for plan in placements)
    return Step.single((job.artifacts, BUILD[0], key), (BUILD[0], "build"), needs, make)


def _learned(placements: Sequence[PlacementPlan]) -> dict[str, Any]:
    """What the ranker of each placement found where it learns, for the report."""
    return {
        plan.name: plan.inputs.ranker.artifact().summary
        for plan in placements
        if plan.inputs.ranker is not None
    }


def _of_trust(job: Job) -> dict[str, Any]:
    """How far users are trusted, as part of a key, where it is not in everything."""
    plain = job.recipe.trust.plain()
    return {"trust": plain} if plain else {}
