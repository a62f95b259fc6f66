"""The flow, top to bottom: files in, related lists live.

    read -> embed text, fit interactions -> fuse -> index -> learn to rank -> choose
         -> merchandisers' rules, where there are some -> gates -> publish

Each stage but the last two is a step that writes artifacts, whose keys cover everything that
decides their bytes; what exists is not made again. So a run that was killed goes on where it was by
running again, an unchanged run does nothing, and a fleet does what one process does: `plan` is the
whole run as a graph, `reindex` walks it here, workers take its steps shard by shard.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

from recommender import documents as document_text
from recommender import registry
from recommender.admission import gated
from recommender.arrays import blocks, let_go
from recommender.artifacts import Artifact, ArtifactStore, artifact_key
from recommender.basis import Basis
from recommender.builds import (
    BUILD,
    LISTS,
    READ,
    RULE_BOOK,
    bounded_columns,
    catalogue_of,
    counted,
    find_build,
    health,
    interactions_of,
    list_columns,
    merchandised_columns,
    read_columns,
    read_ids,
    related_lists,
    shard_of_lists,
)
from recommender.catalogue import Catalogue
from recommender.chooser import Chooser, choose_with_reasons, prepare
from recommender.documents import documents
from recommender.errors import ArtifactError, ConfigError, DataError, GateHeld, RecommenderError
from recommender.evidence import EvidenceScale
from recommender.forgotten import Forgotten
from recommender.gates import Gates, golden_pairs
from recommender.generation import Generation
from recommender.interactions import Interactions
from recommender.learning import KIN, Past, fit_ranker, near_by_text, reads_near_by_text
from recommender.merchandising.matching import Shelves
from recommender.merchandising.rule_file import required_rules
from recommender.merchandising.whole_lists import worked
from recommender.neighbours import Neighbours, RelatedLists
from recommender.paid_texts import Account, SharedPurse
from recommender.progress import Progress, part_of, silent
from recommender.protocols import FittedRanker, TextEncoder
from recommender.readers.shop import Source, input_digests, parameters, read_shop
from recommender.readers.users import Users
from recommender.recipe import TEXT, Choice, Placement, Recipe
from recommender.rewriting import Rewriting, book_of, snapshot, today_of
from recommender.runs import Run
from recommender.serving.publisher import Publisher
from recommender.steps import Made, Step, complete, single, steps_of
from recommender.stopwatch import Stopwatch
from recommender.text_api import TextApi
from recommender.text_shards import PLAN, SHARD, SHARD_TEXTS, Ledger, gathered, planned, texts_of
from recommender.vectors import Embeddings, ItemVectors

_TEXT = ("text", 2)
_INTERACTIONS = ("interactions", 1)
_VECTORS = ("vectors", 2)
_INDEX = ("index", 3)
_NEAR = ("near", 1)
_RANKER = ("ranker", 1)
MERCHANDISED = ("merchandised", 1)
_WIDE = ("wide", 1)

SHARD_ITEMS = 65_536

Kinds = tuple[str, ...]
"""Kinds of interaction in sorted order; none stands for all."""


@dataclass(frozen=True, slots=True)
class Pins:
    """What is fixed when a run begins, so that all who work on it mean the same artifacts.

    The checksums of its files, the fingerprint of its text encoder, how many entries of that
    encoder's ledger count as known, and how many of the ledger of forgotten users. The digest of
    the merchandisers' rules that are valid on the day `rules_on`, "" where none is.
    """

    inputs: Mapping[str, str]
    encoder: str
    ledger_end: int
    forgotten_end: int = 0
    rules: str = ""
    rules_on: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One shop's input, recipe and places; `settings`, without secrets, are for the record.

    A text API's answers lie in the folder `answers` until they are taken in. A shard holds at most
    `shard_texts` texts or the lists of `shard_items` items. `rule_file` is the merchandisers', read
    as of `today`, which is the day on which the run begins if not given.
    """

    shop: str
    source: Source
    recipe: Recipe
    artifacts: ArtifactStore
    user_key: bytes
    quarantine: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    text_api: TextApi = field(default_factory=TextApi)
    answers: Path = Path(".recommender/answers")
    progress: Progress = silent
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    shard_texts: int = SHARD_TEXTS
    shard_items: int = SHARD_ITEMS
    rule_file: Path | None = None
    today: date | None = None
    pins: Pins | None = None


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


def pinned(job: Job) -> Job:
    """The job with its pins, as they are now unless it has some. Raises: ConfigError."""
    if job.pins is not None:
        return job
    registry.check(job.recipe)
    _check_kinds(job)
    with job.stopwatch.measure("check inputs"):
        inputs = input_digests(job.source)
    encoder = registry.text_encoder(job.recipe.text, job.text_api).fingerprint()
    ledger_end = Ledger(job.artifacts, encoder).end()
    pins = Pins(inputs, encoder, ledger_end, _forgotten(job).end(), *_valid_rules(job))
    return dataclasses.replace(job, pins=pins)


def begin(job: Job, publisher: Publisher) -> Run:
    """Draw the number of a new run, which is the fence it will publish under, and record it."""
    number = publisher.reserve(job.artifacts.highest_run())
    run = Run(
        shop=job.shop,
        number=number,
        state="running",
        settings=job.settings,
        pins=dataclasses.asdict(_pins(job)),
        recipe_digest=job.recipe.digest,
    )
    run.begin(job.artifacts)
    return run


def resumed(job: Job, run: Run) -> Job:
    """The job of a run that was begun, whoever goes on with it."""
    return dataclasses.replace(job, pins=Pins(**run.pins))


def laid_out(job: Job, run: Run) -> Run:
    """Read the files, and write down what the build will be made of, before any of it is made."""
    complete(_read(job), job.stopwatch)
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
    complete(_read(job), job.stopwatch)
    goal = plan(job)
    complete(goal, job.stopwatch)
    build = goal.artifact()
    return build, lambda: related_lists(job.artifacts, build)


# The plan


def plan(job: Job) -> Step:
    """The run of a pinned job as a graph that ends in its build.

    Until its files are read, that is the step of reading alone: what follows depends on it.
    """
    read = _read(job)
    if read.missing():
        return read
    chosen = []
    for placement, chosen_from, ranker in _placements(job, read):
        found = _choose(job, chosen_from, ranker, placement)
        chosen.append(_bound_hubs(job, found, placement) if placement.hub_share else found)
    if not _pins(job).rules:
        return _build(job, read, chosen)
    book = _rule_book(job, read)
    placed = zip(job.recipe.placements, chosen, strict=True)
    lists = [_merchandise(job, (read, book, step), placement) for placement, step in placed]
    return _build(job, read, lists, (book, chosen))


def _placements(job: Job, read: Step) -> Iterator[tuple[Placement, "ChosenFrom", Step | None]]:
    """What the lists of each placement are chosen from, and its ranker where that learns."""
    text = _gather(job, _encode(job, read))
    near = _near(job, text)
    origins = cache(lambda kinds: _origins(job, read, text, kinds))
    past = cache(lambda kinds: _past(job, read, text, near, kinds))
    indexes: dict[str, tuple[Step, Step]] = {}
    for placement in job.recipe.placements:
        known = origins(placement.kinds)
        fused = _digest([placement.fusion.plain(), placement.kinds])
        if fused not in indexes:
            vectors = _fuse(job, read, known, placement)
            indexes[fused] = vectors, _index(job, vectors, placement)
        chosen_from = ChosenFrom(job, read, placement.kinds, known, *indexes[fused], near)
        ranker = _learn(job, chosen_from, placement, partial(past, placement.kinds))
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


# Steps


def _read(job: Job) -> Step:
    inputs = dict(_pins(job).inputs)
    forgotten = _forgotten(job).hashes(_pins(job).forgotten_end)
    key = artifact_key(
        *READ,
        {
            "source": parameters(job.source),
            "user_key": hashlib.sha256(job.user_key).hexdigest(),
            "forgotten": sorted(forgotten),
            "documents": document_text.FORMAT,
        },
        inputs,
    )

    def make() -> Made:
        shop = read_shop(
            job.source,
            Users(job.user_key, forgotten),
            quarantine=job.quarantine,
            progress=job.progress,
        )
        if {file.key: file.sha256 for file in shop.report.files} != inputs:
            raise DataError("an input file was replaced while it was read; run again")
        return read_columns(shop.catalogue, shop.interactions), {
            "report": shop.report.plain(),
            "documents": _digest(documents(shop.catalogue)),
            "newest": shop.interactions.newest,
            "n_events": len(shop.interactions),
        }

    return _step(job, READ, "read", key, (), single(make))


def _encode(job: Job, read: Step) -> tuple[Step, Step]:
    """Which texts have no vector yet, and the shards in which they get one."""
    ledger, end, size = _ledger(job), _pins(job).ledger_end, job.shard_texts
    key = artifact_key(
        *PLAN,
        {"encoder": ledger.encoder, "ledger_end": end, "shard_texts": size},
        {"documents": read.artifact().summary["documents"]},
    )

    def lay_out() -> Made:
        return planned(ledger, documents(catalogue_of(read.artifact())), end, size)

    planning = _step(job, PLAN, "plan texts", key, (read,), single(lay_out))

    def keys() -> tuple[str, ...] | None:
        found = job.artifacts.find(PLAN[0], key)
        return None if found is None else tuple(found.summary["shards"])

    def encode(shards: Sequence[int]) -> Iterator[tuple[int, Made]]:
        account, found = _account(job, encoder_of(job), key), planning.artifact()
        todo = [(shard, *texts_of(found, shard, size)) for shard in shards]
        with job.progress("encode texts", sum(len(texts) for _, _, texts in todo)) as advance:
            for shard, hashes, texts in todo:
                with account.paying((keys() or ())[shard]) as paying:
                    matrix = paying.encode(texts, part_of(advance))
                    yield shard, ({"hashes": hashes, "matrix": matrix}, {"texts": len(texts)})

    encoding = Step(
        job.artifacts, "encode", "encode texts", SHARD[0], (planning,), keys, encode, work="encode"
    )
    return planning, encoding


def _gather(job: Job, encoded: tuple[Step, Step]) -> Step:
    planning, encoding = encoded
    ledger = _ledger(job)
    (read,) = planning.needs
    inputs = {"documents": read.artifact().summary["documents"]}
    key = artifact_key(*_TEXT, {"encoder": ledger.encoder}, inputs)

    def make() -> Made:
        return gathered(ledger, planning.artifact(), _pins(job).ledger_end)

    return _step(job, _TEXT, "embed text", key, (planning, encoding), single(make))


def _origins(job: Job, read: Step, text: Step, kinds: Kinds) -> dict[str, Step]:
    """The embeddings of all origins, of text and of some kinds of interaction."""
    models = job.recipe.interactions
    fitted = {name: _fit(job, read, name, choice, kinds) for name, choice in models.items()}
    return {TEXT: text, **fitted}


def _fit(job: Job, read: Step, name: str, choice: Choice, kinds: Kinds) -> Step:
    model = registry.interaction_model(choice)
    parameters = {"model": _resolved(choice, model)} | _of_events(job, kinds)
    key = artifact_key(*_INTERACTIONS, parameters, {"read": read.key})

    def make() -> Made:
        events = _learned_from(job, read, kinds)
        embeddings = model.fit(events, job.progress)
        return embeddings.columns(), {"dimensions": embeddings.matrix.shape[1]}

    label = " to ".join([f"fit {choice.use}", *(["+".join(kinds)] if kinds else [])])
    step = _step(job, _INTERACTIONS, label, key, (read,), single(make))
    return dataclasses.replace(step, name=".".join(["fit", name, *kinds]))


def _fuse(job: Job, read: Step, origins: Mapping[str, Step], placement: Placement) -> Step:
    choice = placement.fusion
    fusion = registry.fusion(choice)
    key = artifact_key(
        *_VECTORS,
        {"fusion": _resolved(choice, fusion)} | _of_events(job, placement.kinds),
        {"read": read.key} | {name: origin.key for name, origin in origins.items()},
    )

    def make() -> Made:
        embeddings = _embeddings(origins)
        catalogue = catalogue_of(read.artifact())
        events = _learned_from(job, read, placement.kinds)
        fitted = fusion.fuse(embeddings, catalogue, events)
        vectors = fitted.apply(embeddings, catalogue)
        columns = vectors.columns()
        columns |= {f"fitted.{name}": array for name, array in fitted.columns().items()}
        return columns, {"dimensions": vectors.queries.shape[1]}

    needs = (read, *origins.values())
    step = _step(job, _VECTORS, f"fuse {choice.use}", key, needs, single(make))
    return dataclasses.replace(step, name=f"fuse.{placement.name}")


def _index(job: Job, vectors: Step, placement: Placement) -> Step:
    """What the index learned, as arrays: training an inverted file takes minutes, filling seconds.

    FAISS's own files are neither written nor read.
    """
    builder = registry.index_builder(job.recipe.index)
    index = _resolved(job.recipe.index, builder)
    key = artifact_key(*_INDEX, {"index": index}, {"vectors": vectors.key})

    def make() -> Made:
        columns = builder.build(_vectors(vectors).targets).columns()
        return columns, {"recall": float(columns["recall"]) if "recall" in columns else 1.0}

    step = _step(job, _INDEX, "build index", key, (vectors,), single(make))
    return dataclasses.replace(step, name=f"index.{placement.name}")


def _near(job: Job, text: Step) -> Step:
    builder = registry.index_builder(job.recipe.index)
    index = _resolved(job.recipe.index, builder)
    key = artifact_key(*_NEAR, {"index": index, "kin": KIN}, {"text": text.key})

    def make() -> Made:
        near = near_by_text(job.recipe.index, Embeddings.from_columns(text.artifact().columns()))
        return {"rows": near.rows, "scores": near.scores}, {}

    return _step(job, _NEAR, "find near texts", key, (text,), single(make))


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

    def basis(self) -> Basis:
        """What they hold."""
        return Basis(
            catalogue=catalogue_of(self.read.artifact()),
            interactions=_learned_from(self.job, self.read, self.kinds),
            embeddings=_embeddings(self.origins),
            vectors=_vectors(self.vectors),
            near_by_text=cache(lambda: _neighbours(self.near)),
            users_min=self.job.recipe.trust.users_min,
        )


def _past(job: Job, read: Step, text: Step, near: Step, kinds: Kinds) -> Past | None:
    return Past.of(
        job.recipe,
        catalogue_of(read.artifact()),
        _learned_from(job, read, kinds),
        Embeddings.from_columns(text.artifact().columns()),
        cache(lambda: _neighbours(near)),
        job.progress,
    )


def _learn(
    job: Job, chosen_from: ChosenFrom, placement: Placement, past: Callable[[], Past | None]
) -> Step | None:
    """What the placement's ranker learns from an earlier time of the shop, if it learns."""
    ranker = registry.ranker(placement.ranker)
    if not ranker.learns:
        return None
    sources = [
        _resolved(choice, registry.candidate_source(choice)) for choice in placement.candidates
    ]
    key = artifact_key(
        *_RANKER,
        {
            "ranker": _resolved(placement.ranker, ranker),
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
    step = _step(job, _RANKER, label, key, chosen_from.needs(placement), single(make))
    return dataclasses.replace(step, name=f"learn.{placement.name}")


def _choose(job: Job, chosen_from: ChosenFrom, ranker: Step | None, placement: Placement) -> Step:
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
        chooser, basis = _chooser(job, chosen_from, ranker, placement)
        scale = EvidenceScale.measured(basis.embeddings)
        total = sum(len(ranges[shard]) for shard in shards)
        with job.progress(f"search and choose {placement.name}", total) as advance:
            for shard in shards:
                let_go(basis.vectors.queries)
                chosen = choose_with_reasons(chooser, scale, ranges[shard], advance)
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


def _chooser(
    job: Job, chosen_from: ChosenFrom, ranker: Step | None, placement: Placement
) -> tuple[Chooser, Basis]:
    basis = chosen_from.basis()
    builder = registry.index_builder(job.recipe.index)
    index = builder.restore(basis.vectors.targets, chosen_from.index.artifact().columns())
    return prepare(placement, basis, index, _ranker(placement, ranker)), basis


def _rule_book(job: Job, read: Step) -> Step:
    """The merchandisers' rules that are valid, and how many of their names are unknown."""
    pins = _pins(job)
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

    return _step(job, RULE_BOOK, "read rules", key, (read,), single(make))


def _merchandise(job: Job, needs: tuple[Step, Step, Step], placement: Placement) -> Step:
    """The lists of a placement after the merchandisers' rules, in the shards of the chosen."""
    read, book, chosen = needs
    inputs = {"read": read.key, "rules": book.key}
    keys = tuple(
        artifact_key(*MERCHANDISED, {"placement": placement.plain()}, inputs | {"chosen": key})
        for key in chosen.keys() or ()
    )

    def make(shards: Sequence[int]) -> Iterator[tuple[int, Made]]:
        catalogue = catalogue_of(read.artifact())
        rewriting = Rewriting.of(
            book_of(book.artifact().summary), catalogue, interactions_of(read.artifact())
        )
        merchandiser, parts = rewriting.merchandiser(placement), chosen.parts()
        with job.progress(f"apply rules {placement.name}", len(shards)) as advance:
            for shard in shards:
                start = shard * job.shard_items
                part = parts[shard].columns()
                lists, rows = shard_of_lists(placement.name, part, start, len(catalogue))
                done = worked(merchandiser, lists, rows)
                columns = merchandised_columns((block.lists, block.evidence) for block in done)
                columns["best_sellers"] = merchandiser.left_of(lists.best_sellers)
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


def _bound_hubs(job: Job, chosen: Step, placement: Placement) -> Step:
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


def _ranges(job: Job, read: Step) -> list[range]:
    n_items = read.artifact().summary["report"]["n_items"]
    return [range(part.start, part.stop) for part in blocks(n_items, job.shard_items)]


def _build(
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

    return _step(job, BUILD, "build", key, tuple(lists), single(make))


def _keys_by_name(names: Sequence[str], steps: Sequence[Step]) -> dict[str, list[str]]:
    return {name: list(step.keys() or ()) for name, step in zip(names, steps, strict=True)}


def _parts_by_name(names: Sequence[str], steps: Sequence[Step]) -> dict[str, Sequence[Artifact]]:
    return {name: step.parts() for name, step in zip(names, steps, strict=True)}


# For those who judge recipes, or ask why


def retraced(job: Job, build: Artifact, name: str) -> tuple[Chooser, Basis]:
    """What made the lists of a placement in a build, of the job of the run that made it.

    Raises: ArtifactError where the job does not lead to that build, or its parts are gone.
    """
    goal = plan(job)
    if goal.name != BUILD[0] or goal.key != build.key:
        raise ArtifactError(
            "the build cannot be retraced: another version made it, or its parts are gone; "
            "run recommender reindex --force"
        )
    (found,) = (parts for parts in _placements(job, _read(job)) if parts[0].name == name)
    placement, chosen_from, ranker = found
    return _chooser(job, chosen_from, ranker, placement)


def read_shop_columns(job: Job) -> tuple[Artifact, Catalogue, Interactions]:
    """Read a job's files, or what was read of them: the artifact, catalogue and interactions."""
    job = pinned(job)
    step = _read(job)
    complete(step, job.stopwatch)
    read = step.artifact()
    return read, catalogue_of(read), interactions_of(read)


def text_embeddings(job: Job, read: Artifact) -> Embeddings:
    """The text embeddings of what was read, encoded where they are not there yet."""
    if job.pins is None:
        encoder = registry.text_encoder(job.recipe.text, job.text_api).fingerprint()
        pins = Pins({}, encoder, Ledger(job.artifacts, encoder).end())
        job = dataclasses.replace(job, pins=pins)
    given = dataclasses.replace(_read(job), keys=lambda: (read.key,))
    step = _gather(job, _encode(job, given))
    complete(step, job.stopwatch)
    return Embeddings.from_columns(step.artifact().columns())


# Records


def _valid_rules(job: Job) -> tuple[str, str]:
    """The digest of the merchandisers' rules, and the day on which they are looked at."""
    if job.rule_file is None:
        return "", ""
    book = required_rules(job.rule_file)
    today = today_of(book, job.today)
    return book.on(today).digest, today.isoformat()


def _unchanged(job: Job, publisher: Publisher) -> Outcome | None:
    """The live generation, where the job's build is what it was published from."""
    goal, live = plan(job), publisher.live()
    if live is None or goal.name != BUILD[0] or goal.key != live.lists_key:
        return None
    report = _read(job).artifact().summary["report"]
    for step in steps_of(goal):
        job.stopwatch.reused(step.label)
    return Outcome(live, published=False, report=report)


def _costs(job: Job) -> list[dict[str, Any]]:
    return [dataclasses.asdict(cost) for cost in job.stopwatch.costs]


# Parts of steps


def _step(
    job: Job,
    kind: tuple[str, int],
    label: str,
    key: str,
    needs: tuple[Step, ...],
    make: Callable[[Sequence[int]], Iterator[tuple[int, Made]]],
) -> Step:
    return Step(job.artifacts, kind[0], label, kind[0], needs, lambda: (key,), make)


def _check_kinds(job: Job) -> None:
    """Refuse kinds that no event can have. Raises: ConfigError."""
    known = sorted({kind for source in job.source.interactions for kind in source.weights})
    for placement in job.recipe.placements:
        for kind in placement.kinds:
            if kind not in known:
                raise ConfigError(
                    f"placement {placement.name}: kinds names {kind!r}; the interactions have "
                    f"weights for {', '.join(known) or 'none'}. Add the kind, or leave the "
                    "placement out"
                )


def _pins(job: Job) -> Pins:
    if job.pins is None:
        raise ArtifactError("a job is planned once it is pinned")
    return job.pins


def _ledger(job: Job) -> Ledger:
    return Ledger(job.artifacts, _pins(job).encoder)


def _forgotten(job: Job) -> Forgotten:
    return Forgotten(job.artifacts, job.user_key)


def encoder_of(job: Job) -> TextEncoder:
    """The text encoder of this machine. Raises: ConfigError where it is not the run's."""
    encoder = registry.text_encoder(job.recipe.text, job.text_api)
    if encoder.fingerprint() != _pins(job).encoder:
        raise ConfigError(
            f"recipe.text: the model here is {encoder.fingerprint():.60}, the run's is "
            f"{_pins(job).encoder:.60}; install the same on every machine"
        )
    return encoder


def _account(job: Job, encoder: TextEncoder, plan: str) -> Account:
    purse = SharedPurse(job.artifacts, plan, job.text_api.budget)
    return Account.opened(encoder, purse, _ledger(job), _pins(job).ledger_end, job.answers)


def _ranker(placement: Placement, learned: Step | None) -> FittedRanker:
    ranker = registry.ranker(placement.ranker)
    return ranker.fit(None) if learned is None else ranker.load(learned.artifact().columns())


def _neighbours(step: Step) -> Neighbours:
    columns = step.artifact().columns()
    return Neighbours(columns["rows"], columns["scores"])


def _vectors(step: Step) -> ItemVectors:
    return ItemVectors.from_columns(step.artifact().columns("queries", "targets", "bound"))


def _embeddings(origins: Mapping[str, Step]) -> dict[str, Embeddings]:
    return {
        name: Embeddings.from_columns(origin.artifact().columns())
        for name, origin in origins.items()
    }


def _learned_from(job: Job, read: Step, kinds: Kinds) -> Interactions:
    """The events of some kinds, as far as the recipe trusts each user."""
    trust = job.recipe.trust
    return interactions_of(read.artifact()).of_kinds(kinds).capped(trust.user_baskets)


def _of_events(job: Job, kinds: Kinds) -> dict[str, Any]:
    """Which events are learned from, as part of a key, where it is not all of them."""
    baskets = job.recipe.trust.user_baskets
    capped = {"user_baskets": baskets} if baskets else {}
    return capped | ({"kinds": list(kinds)} if kinds else {})


def _of_trust(job: Job) -> dict[str, Any]:
    """How far users are trusted, as part of a key, where it is not in everything."""
    plain = job.recipe.trust.plain()
    return {"trust": plain} if plain else {}


def _resolved(choice: Choice, implementation: object) -> dict[str, Any]:
    """The choice with the defaults of its parameters, which decide the bytes as well."""
    return {"use": choice.use, **dataclasses.asdict(cast("Any", implementation))}


def _digest(plain: object) -> str:
    return artifact_key("digest", 0, {"of": plain}, {})
