"""The steps from files to item vectors and what an index learned of them.

A function takes what decides the key of its step, and returns the step. What a step makes is in
the function's `make`, which runs when the step is performed, perhaps on another machine.
"""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from recommender import registry
from recommender.artifacts.store import Artifact, artifact_key
from recommender.build.contents import READ, catalogue_of, read_columns
from recommender.build.folded_changes import changes_steps, laid_over
from recommender.build.image_steps import image_step
from recommender.build.job import (
    Job,
    PinnedEncoder,
    content_origin,
    forgotten_of,
    pins_of,
    text_encoders,
)
from recommender.build.paid_texts import PaidPlan, paying
from recommender.build.steps import Events, Made, Step, embeddings_of, vectors_of
from recommender.build.text_shards import PLAN, SHARD, gathered, planned, texts_of
from recommender.core.catalogue import DOCUMENT_FORMAT, documents
from recommender.core.protocols import ContentOrigin
from recommender.core.recipe import Choice, Placement
from recommender.core.telemetry import part_of
from recommender.core.vectors import Origins, joined_content
from recommender.errors import DataError, RecommenderError
from recommender.ranking.training_set import KIN, near_by_content
from recommender.readers.interactions import HashedUsers
from recommender.readers.shop import read_shop
from recommender.readers.shop_source import fetch_pinned, parameters
from recommender.vectors.content.images import ImageEncoder
from recommender.vectors.content.vocabulary import unknown_words

TEXT_VECTORS = ("text", 3)
GIVEN_VECTORS = ("content", 1)
_BEHAVIOUR = ("interactions", 1)
_VECTORS = ("vectors", 2)
_INDEX = ("index", 4)
_NEAR = ("near", 1)
FITTED = "fitted."


def read_step(job: Job) -> Step:
    """The shop's files, read and checked: catalogue, interactions and the report of rows."""
    inputs = dict(pins_of(job).inputs)
    forgotten = forgotten_of(job).hashes(pins_of(job).forgotten_end)
    changes = changes_steps(job)
    key = artifact_key(
        *READ,
        {
            "source": parameters(job.source),
            "user_key": hashlib.sha256(job.user_key).hexdigest(),
            "forgotten": sorted(forgotten),
            "documents": DOCUMENT_FORMAT,
        },
        inputs | {step.name: step.key for step in changes},
    )

    def make() -> Made:
        fetch_pinned(job.source, inputs)
        shop = read_shop(
            job.source,
            HashedUsers(job.user_key, forgotten),
            quarantine=job.quarantine,
            progress=job.progress,
        ).in_tie_order()
        if {file.key: file.sha256 for file in shop.report.files} != inputs:
            raise DataError("an input file was replaced while it was read; run again")
        catalogue, folded = laid_over(job, shop.catalogue)
        return read_columns(catalogue, shop.interactions) | folded, {
            "report": shop.report.plain(),
            "documents": digest_of(documents(catalogue)),
            "newest": shop.interactions.newest,
            "n_events": shop.report.n_catalogue_events,
        }

    return Step.single((job.artifacts, READ[0], key), ("read", "read"), changes, make)


def already_read(job: Job, read: Artifact) -> Step:
    """The step of reading, where its artifact is at hand and no file need be looked at."""

    def make() -> Made:
        raise DataError(f"artifact {read.key} of reading went away; run again")

    return Step.single((job.artifacts, READ[0], read.key), ("read", "read"), (), make)


def content_steps(job: Job, read: Step, documents_digest: str) -> dict[str, Step]:
    """The embeddings of all items from each content origin, by the origin's name."""
    encoders = text_encoders(job)
    steps = {}
    for name in job.recipe.content:
        if name in encoders:
            steps[name] = _text_step(job, read, documents_digest, encoders[name])
            continue
        origin = content_origin(job, name)
        if isinstance(origin, ImageEncoder):
            steps[name] = image_step(job, read, name, origin)
        else:
            steps[name] = _given_step(job, read, name, origin)
    return steps


def _text_step(job: Job, read: Step, documents_digest: str, encoder: PinnedEncoder) -> Step:
    """Text embeddings of all items: texts without a vector are planned, encoded, then gathered."""
    ledger, end, size = encoder.ledger, encoder.end, job.shard_texts
    inputs = {"documents": documents_digest}
    parameters = {"encoder": ledger.encoder, "ledger_end": end, "shard_texts": size}
    plan_key = artifact_key(*PLAN, parameters, inputs)

    def plan() -> Made:
        texts = documents(catalogue_of(read.artifact()))
        columns, summary = planned(ledger, texts, end, size)
        return columns, {**summary, "unknown_words": _unknown_words(encoder, texts)}

    planning = Step.single(
        (job.artifacts, PLAN[0], plan_key),
        (f"text-plan.{encoder.name}", "plan texts"),
        (read,),
        plan,
    )

    def shards() -> tuple[str, ...] | None:
        if planning.missing():
            return None
        return tuple(planning.artifact().summary["shards"])

    def encode(wanted: Sequence[int]) -> Iterator[tuple[int, Made]]:
        found, keys = planning.artifact(), shards() or ()
        own, paid = encoder.encoder(), PaidPlan(ledger, end, plan_key, encoder.api.budget)
        todo = [(shard, *texts_of(found, shard, size)) for shard in wanted]
        with job.progress("encode texts", sum(len(texts) for _, _, texts in todo)) as advance:
            for shard, hashes, texts in todo:
                with paying(own, paid, keys[shard], job.paid_lock) as of_shard:
                    matrix = of_shard.encode(texts, part_of(advance))
                    yield shard, ({"hashes": hashes, "matrix": matrix}, {"texts": len(texts)})

    encoding = Step(
        job.artifacts,
        f"encode.{encoder.name}",
        "encode texts",
        SHARD[0],
        (planning,),
        shards,
        encode,
        work="encode",
    )

    def gather() -> Made:
        columns, summary = gathered(ledger, planning.artifact(), end)
        return columns, {**summary, "unknown_words": planning.artifact().summary["unknown_words"]}

    return Step.single(
        (
            job.artifacts,
            TEXT_VECTORS[0],
            artifact_key(*TEXT_VECTORS, {"encoder": ledger.encoder}, inputs),
        ),
        (f"embed.{encoder.name}", f"embed {encoder.name}"),
        (planning, encoding),
        gather,
    )


def _unknown_words(encoder: PinnedEncoder, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Which scripts the encoder does not know; nothing where the model is on other machines."""
    try:
        return unknown_words(encoder.encoder(), texts)
    except RecommenderError:
        return []


def reported(content: Mapping[str, Step]) -> dict[str, Any]:
    """What the content origins lack, for the report: items without a vector, words and images."""
    summaries = {name: step.artifact().summary for name, step in content.items()}
    facts = {
        fact: {name: one[fact] for name, one in summaries.items() if fact in one}
        for fact in ("without_vector", "unknown_words", "images")
    }
    return {fact: by_name for fact, by_name in facts.items() if by_name}


def _given_step(job: Job, read: Step, name: str, origin: ContentOrigin) -> Step:
    """The embeddings of all items from a content origin that makes them all at once."""
    pinned = pins_of(job).content[name]
    key = artifact_key(*GIVEN_VECTORS, {"origin": pinned}, {"read": read.key})

    def make() -> Made:
        embeddings = origin.embed(catalogue_of(read.artifact()), job.progress)
        if origin.fingerprint() != pinned:
            raise DataError(f"recipe.content.{name}: replaced since the run began; run again")
        without = int((embeddings.support == 0).sum())
        return embeddings.columns(), {
            "dimensions": embeddings.matrix.shape[1],
            "without_vector": without,
        }

    place = (job.artifacts, GIVEN_VECTORS[0], key)
    return Step.single(place, (f"embed.{name}", f"embed {name}"), (read,), make)


def behaviour_steps(job: Job, events: Events) -> dict[str, Step]:
    """The embeddings that each interaction model of the recipe learns, by its name."""
    return {
        name: _fit_step(job, events, name, choice)
        for name, choice in job.recipe.interactions.items()
    }


def _fit_step(job: Job, events: Events, name: str, choice: Choice) -> Step:
    model = registry.interaction_model(choice)
    parameters = {"model": resolved(choice, model)} | events.plain()
    key = artifact_key(*_BEHAVIOUR, parameters, {"read": events.read.key})

    def make() -> Made:
        embeddings = model.fit(events.load(), job.progress)
        return embeddings.columns(), {"dimensions": embeddings.matrix.shape[1]}

    to_kinds = f" to {'+'.join(events.kinds)}" if events.kinds else ""
    names = (".".join(["fit", name, *events.kinds]), f"fit {choice.use}{to_kinds}")
    return Step.single((job.artifacts, _BEHAVIOUR[0], key), names, (events.read,), make)


def fuse_step(
    job: Job,
    events: Events,
    content: Mapping[str, Step],
    behaviour: Mapping[str, Step],
    placement: Placement,
) -> Step:
    """The item vectors of a placement, and the fusion that made them of all origins."""
    fusion = registry.fusion(placement.fusion)
    by_name = {**content, **behaviour}
    key = artifact_key(
        *_VECTORS,
        {"fusion": resolved(placement.fusion, fusion)} | events.plain(),
        {"read": events.read.key} | {name: step.key for name, step in by_name.items()},
    )

    def make() -> Made:
        origins = Origins(embeddings_of(content), embeddings_of(behaviour))
        catalogue = catalogue_of(events.read.artifact())
        fitted = fusion.fuse(origins, catalogue, events.load())
        vectors = fitted.apply(origins, catalogue)
        learned = {f"{FITTED}{name}": array for name, array in fitted.columns().items()}
        return vectors.columns() | learned, {"dimensions": vectors.queries.shape[1]}

    place = (job.artifacts, _VECTORS[0], key)
    names = (f"fuse.{placement.name}", f"fuse {placement.fusion.use}")
    return Step.single(place, names, (events.read, *by_name.values()), make)


def index_step(job: Job, vectors: Step, placement: Placement) -> Step:
    """What the index learned, as arrays: training an inverted file takes minutes, filling seconds.

    FAISS's own files are neither written nor read.
    """
    builder = registry.index_builder(job.recipe.index)
    parameters = {"index": resolved(job.recipe.index, builder)}
    key = artifact_key(*_INDEX, parameters, {"vectors": vectors.key})

    def make() -> Made:
        columns = builder.build(vectors_of(vectors).targets).columns()
        return columns, {"recall": float(columns["recall"]) if "recall" in columns else 1.0}

    names = (f"index.{placement.name}", "build index")
    return Step.single((job.artifacts, _INDEX[0], key), names, (vectors,), make)


def near_step(job: Job, content: Mapping[str, Step]) -> Step:
    """The items of like content, for candidates and for learned rankers."""
    builder = registry.index_builder(job.recipe.index)
    parameters = {"index": resolved(job.recipe.index, builder), "kin": KIN}
    key = artifact_key(*_NEAR, parameters, {name: step.key for name, step in content.items()})

    def make() -> Made:
        near = near_by_content(job.recipe.index, joined_content(embeddings_of(content)))
        return {"rows": near.rows, "scores": near.scores}, {}

    place = (job.artifacts, _NEAR[0], key)
    return Step.single(place, ("near", "find near content"), tuple(content.values()), make)


def resolved(choice: Choice, implementation: object) -> dict[str, Any]:
    """The choice with the defaults of its parameters, which decide the bytes as well."""
    return {"use": choice.use, **dataclasses.asdict(cast("Any", implementation))}


def digest_of(plain: object) -> str:
    """A key for a part of a recipe."""
    return artifact_key("digest", 0, {"of": plain}, {})
