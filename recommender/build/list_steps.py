"""The steps from item vectors to the lists of every placement, and the build that they make."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from recommender import registry
from recommender.artifacts.store import Artifact, artifact_key
from recommender.build.contents import (
    BUILD,
    LISTS,
    RULE_BOOK,
    bounded_columns,
    catalogue_of,
    counted,
    entry_columns,
    health,
    interactions_of,
    list_columns,
    shard_of_lists,
)
from recommender.build.job import Job, Kinds, pins_of
from recommender.build.steps import Made, Step, single
from recommender.build.vector_steps import (
    embeddings_of,
    learned_from,
    neighbours_of,
    resolved,
    step_of_one,
    vectors_of,
)
from recommender.core.arrays import blocks, let_go
from recommender.core.context import RankingContext
from recommender.core.protocols import FittedRanker
from recommender.core.recipe import Placement
from recommender.core.vectors import Embeddings
from recommender.errors import ArtifactError, DataError
from recommender.merchandising.application import RuleApplication, rules_of, snapshot
from recommender.merchandising.matching import Shelves
from recommender.merchandising.rule_file import required_rules
from recommender.ranking.chooser import Chooser, choose_rows, prepare
from recommender.ranking.evidence import EvidenceScale
from recommender.ranking.training_set import TemporalSplit, fit_ranker, reads_near_by_text

_RANKER = ("ranker", 1)
MERCHANDISED = ("merchandised", 1)
_WIDE = ("wide", 1)


@dataclass(frozen=True, slots=True)
class ChosenFrom:
    """The steps whose artifacts the lists of a placement are chosen from."""

    job: Job
    read: Step
    kinds: Kinds
    origins: Mapping[str, Step]
    vectors: Step
    index: Step
    near: Step

    def needs(self, placement: Placement) -> tuple[Step, ...]:
        """Those of them that the placement reads."""
        always = (self.read, *self.origins.values(), self.vectors, self.index)
        return (*always, self.near) if reads_near_by_text(placement) else always

    def context(self) -> RankingContext:
        """What they hold."""
        return RankingContext(
            catalogue=catalogue_of(self.read.artifact()),
            interactions=learned_from(self.job, self.read, self.kinds),
            embeddings=embeddings_of(self.origins),
            vectors=vectors_of(self.vectors),
            near_by_text=cache(lambda: neighbours_of(self.near)),
            users_min=self.job.recipe.trust.users_min,
        )


def split_of(job: Job, read: Step, text: Step, near: Step, kinds: Kinds) -> TemporalSplit | None:
    """An earlier time of the shop, which a ranker learns from; None where there was none."""
    return TemporalSplit.of(
        job.recipe,
        catalogue_of(read.artifact()),
        learned_from(job, read, kinds),
        Embeddings.from_columns(text.artifact().columns()),
        cache(lambda: neighbours_of(near)),
        job.progress,
    )


def learn_step(
    job: Job,
    chosen_from: ChosenFrom,
    placement: Placement,
    past: Callable[[], TemporalSplit | None],
) -> Step | None:
    """What the placement's ranker learns from an earlier time of the shop, if it learns."""
    ranker = registry.ranker(placement.ranker)
    if not ranker.learns:
        return None
    sources = [
        resolved(choice, registry.candidate_generator(choice)) for choice in placement.candidates
    ]
    key = artifact_key(
        *_RANKER,
        {
            "ranker": resolved(placement.ranker, ranker),
            "candidates": sources,
            "depth": placement.depth,
        }
        | _of_trust(job),
        {"vectors": chosen_from.vectors.key, "index": chosen_from.index.key}
        | {"near": chosen_from.near.key, "read": chosen_from.read.key},
    )

    def make() -> Made:
        with job.progress(f"learn to rank {placement.name}", 1) as advance:
            columns = fit_ranker(placement, past).columns()
            advance(1)
        return columns, {}

    label = f"learn to rank {placement.name}"
    step = step_of_one(job, _RANKER, label, key, chosen_from.needs(placement), single(make))
    return dataclasses.replace(step, name=f"learn.{placement.name}")


def choose_step(
    job: Job, chosen_from: ChosenFrom, ranker: Step | None, placement: Placement
) -> Step:
    """The lists of a placement before the merchandisers' rules, `job.shard_items` to a shard."""
    ranges = _ranges(job, chosen_from.read)
    needs = chosen_from.needs(placement) + (() if ranker is None else (ranker,))
    inputs = {step.name: step.key for step in needs}
    kind = _WIDE if placement.hub_share else LISTS
    keys = tuple(
        artifact_key(
            *kind,
            {"placement": placement.plain(), "rows": [rows.start, rows.stop]} | _of_trust(job),
            inputs,
        )
        for rows in ranges
    )

    def make(shards: Sequence[int]) -> Iterator[tuple[int, Made]]:
        chooser, context = chooser_of(job, chosen_from, ranker, placement)
        scale = EvidenceScale.measured(context.embeddings)
        total = sum(len(ranges[shard]) for shard in shards)
        with job.progress(f"search and choose {placement.name}", total) as advance:
            for shard in shards:
                let_go(context.vectors.queries)
                chosen = choose_rows(chooser, scale, ranges[shard], advance)
                columns = list_columns(chosen, chooser.depth)
                columns |= {"best_sellers": chooser.best_sellers.shop}
                yield shard, (columns, {"entries": len(columns["rows"])})

    return Step(
        job.artifacts,
        f"choose.{placement.name}",
        f"search and choose {placement.name}",
        kind[0],
        needs,
        lambda: keys,
        make,
    )


def chooser_of(
    job: Job, chosen_from: ChosenFrom, ranker: Step | None, placement: Placement
) -> tuple[Chooser, RankingContext]:
    """What chooses the lists of a placement, and what it reads."""
    context = chosen_from.context()
    builder = registry.index_builder(job.recipe.index)
    index = builder.restore(context.vectors.targets, chosen_from.index.artifact().columns())
    return prepare(placement, context, index, _ranker(placement, ranker)), context


def rule_book_step(job: Job, read: Step) -> Step:
    """The merchandisers' rules that are valid, and how many of their names are unknown."""
    pins = pins_of(job)
    key = artifact_key(*RULE_BOOK, {"rules": pins.rules}, {"read": read.key})

    def make() -> Made:
        if job.rule_file is None:
            raise ArtifactError("the rules of this run are not set on this machine")
        book = required_rules(job.rule_file).on(date.fromisoformat(pins.rules_on))
        if book.digest != pins.rules:
            raise DataError(f"{job.rule_file} was replaced since the run began; run again")
        shelves = Shelves(catalogue_of(read.artifact()))
        unknown = sum(1 for rule in book.rules for _ in shelves.unknown(rule))
        return {}, {**snapshot(book), "unknown": unknown}

    return step_of_one(job, RULE_BOOK, "read rules", key, (read,), single(make))


def merchandise_step(job: Job, needs: tuple[Step, Step, Step], placement: Placement) -> Step:
    """The lists of a placement after the merchandisers' rules, in the shards of the chosen."""
    read, book, chosen = needs
    inputs = {"read": read.key, "rules": book.key}
    keys = tuple(
        artifact_key(*MERCHANDISED, {"placement": placement.plain()}, inputs | {"chosen": key})
        for key in chosen.keys() or ()
    )

    def make(shards: Sequence[int]) -> Iterator[tuple[int, Made]]:
        catalogue = catalogue_of(read.artifact())
        application = RuleApplication.of(
            rules_of(book.artifact().summary), catalogue, interactions_of(read.artifact())
        )
        merchandiser, parts = application.merchandiser(placement), chosen.parts()
        with job.progress(f"apply rules {placement.name}", len(shards)) as advance:
            for shard in shards:
                start = shard * job.shard_items
                part = parts[shard].columns()
                lists, rows = shard_of_lists(placement.name, part, start, len(catalogue))
                done = merchandiser.apply_to(lists, rows)
                columns = entry_columns(block.entries for block in done)
                columns["best_sellers"] = merchandiser.allowed(lists.best_sellers)
                yield shard, (columns, {"entries": len(columns["rows"])})
                advance(1)

    return Step(
        job.artifacts,
        f"merchandise.{placement.name}",
        f"apply rules {placement.name}",
        LISTS[0],
        needs,
        lambda: keys,
        make,
    )


def hub_step(job: Job, chosen: Step, placement: Placement) -> Step:
    """Cut lists twice as deep, all of them seen at once, so that shards make no difference."""
    inputs = {str(shard): key for shard, key in enumerate(chosen.keys() or ())}
    parameters = {"depth": placement.depth, "hub_share": placement.hub_share}
    keys = tuple(artifact_key(*LISTS, parameters | {"shard": shard}, inputs) for shard in inputs)

    def make(shards: Sequence[int]) -> Iterator[tuple[int, Made]]:
        wide = [part.columns() for part in chosen.parts()]
        bounded = bounded_columns(wide, placement.depth, placement.hub_share)
        for shard, columns in enumerate(bounded):
            if shard in shards:
                yield shard, (columns, {"entries": len(columns["rows"])})

    return Step(
        job.artifacts,
        f"bound.{placement.name}",
        f"bound hubs of {placement.name}",
        LISTS[0],
        (chosen,),
        lambda: keys,
        make,
    )


def build_step(
    job: Job,
    read: Step,
    lists: Sequence[Step],
    merchandised: tuple[Step, Sequence[Step]] | None = None,
) -> Step:
    """The end of the plan; with merchandisers' rules, also which, and the lists before them."""
    names = [placement.name for placement in job.recipe.placements]
    keys = _keys_by_name(names, lists)
    inputs = {f"{name}.{shard}": key for name in names for shard, key in enumerate(keys[name])}
    key = artifact_key(*BUILD, {"recipe": job.recipe.digest}, inputs | {"read": read.key})

    def make() -> Made:
        found = read.artifact().summary
        report, chosen, beside = found["report"], lists, {}
        if merchandised is not None:
            book, chosen = merchandised[0].artifact().summary, merchandised[1]
            told = {"rules": len(book["rules"]), "unknown": book["unknown"]}
            report = report | {"merchandising": told}
            beside = {"merchandising": book, "chosen": _keys_by_name(names, chosen)}
        parts = _parts_by_name(names, lists)
        return {}, {
            "read": read.key,
            "lists": keys,
            "shard_items": job.shard_items,
            "recipe": job.recipe.plain(),
            "report": report,
            "n_items": report["n_items"],
            "measures": counted(parts.values(), report["n_items"], found["n_events"]),
            "health": health(_parts_by_name(names, chosen), parts, job.recipe),
            **beside,
        }

    return step_of_one(job, BUILD, "build", key, tuple(lists), single(make))


def _ranges(job: Job, read: Step) -> list[range]:
    n_items = read.artifact().summary["report"]["n_items"]
    return [range(part.start, part.stop) for part in blocks(n_items, job.shard_items)]


def _ranker(placement: Placement, learned: Step | None) -> FittedRanker:
    ranker = registry.ranker(placement.ranker)
    return ranker.fit(None) if learned is None else ranker.load(learned.artifact().columns())


def _of_trust(job: Job) -> dict[str, Any]:
    """How far users are trusted, as part of a key, where it is not in everything."""
    plain = job.recipe.trust.plain()
    return {"trust": plain} if plain else {}


def _keys_by_name(names: Sequence[str], steps: Sequence[Step]) -> dict[str, list[str]]:
    return {name: list(step.keys() or ()) for name, step in zip(names, steps, strict=True)}


def _parts_by_name(names: Sequence[str], steps: Sequence[Step]) -> dict[str, Sequence[Artifact]]:
    return {name: step.parts() for name, step in zip(names, steps, strict=True)}
