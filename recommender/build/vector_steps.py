"""The steps from files to item vectors and what an index learned of them."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from recommender import registry
from recommender.artifacts.store import artifact_key
from recommender.build.contents import READ, catalogue_of, interactions_of, read_columns
from recommender.build.job import (
    Job,
    Kinds,
    encoder_of,
    forgotten_of,
    ledger_of,
    pins_of,
    shard_encoder_of,
)
from recommender.build.steps import Made, Step, single
from recommender.build.text_shards import PLAN, SHARD, gathered, planned, texts_of
from recommender.core import documents as document_text
from recommender.core.documents import documents
from recommender.core.interactions import Interactions
from recommender.core.neighbours import Neighbours
from recommender.core.recipe import TEXT, Choice, Placement
from recommender.core.telemetry import part_of
from recommender.core.vectors import Embeddings, ItemVectors
from recommender.errors import DataError
from recommender.ranking.training_set import KIN, near_by_text
from recommender.readers.interactions import HashedUsers
from recommender.readers.shop import parameters, read_shop

_TEXT = ("text", 2)
_INTERACTIONS = ("interactions", 1)
_VECTORS = ("vectors", 2)
_INDEX = ("index", 4)
_NEAR = ("near", 1)


def read_step(job: Job) -> Step:
    """The shop's files, read and checked: catalogue, interactions and the report of rows."""
    inputs = dict(pins_of(job).inputs)
    forgotten = forgotten_of(job).hashes(pins_of(job).forgotten_end)
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
            HashedUsers(job.user_key, forgotten),
            quarantine=job.quarantine,
            progress=job.progress,
        )
        if {file.key: file.sha256 for file in shop.report.files} != inputs:
            raise DataError("an input file was replaced while it was read; run again")
        return read_columns(shop.catalogue, shop.interactions), {
            "report": shop.report.plain(),
            "documents": digest_of(documents(shop.catalogue)),
            "newest": shop.interactions.newest,
            "n_events": len(shop.interactions),
        }

    return step_of_one(job, READ, "read", key, (), single(make))


def encode_steps(job: Job, read: Step) -> tuple[Step, Step]:
    """Which texts have no vector yet, and the shards in which they get one."""
    ledger, end, size = ledger_of(job), pins_of(job).ledger_end, job.shard_texts
    key = artifact_key(
        *PLAN,
        {"encoder": ledger.encoder, "ledger_end": end, "shard_texts": size},
        {"documents": read.artifact().summary["documents"]},
    )

    def lay_out() -> Made:
        return planned(ledger, documents(catalogue_of(read.artifact())), end, size)

    planning = step_of_one(job, PLAN, "plan texts", key, (read,), single(lay_out))

    def keys() -> tuple[str, ...] | None:
        found = job.artifacts.find(PLAN[0], key)
        return None if found is None else tuple(found.summary["shards"])

    def encode(shards: Sequence[int]) -> Iterator[tuple[int, Made]]:
        encoder, found = shard_encoder_of(job, encoder_of(job), key), planning.artifact()
        todo = [(shard, *texts_of(found, shard, size)) for shard in shards]
        with job.progress("encode texts", sum(len(texts) for _, _, texts in todo)) as advance:
            for shard, hashes, texts in todo:
                with encoder.of_shard((keys() or ())[shard]) as own:
                    matrix = own.encode(texts, part_of(advance))
                    yield shard, ({"hashes": hashes, "matrix": matrix}, {"texts": len(texts)})

    encoding = Step(
        job.artifacts, "encode", "encode texts", SHARD[0], (planning,), keys, encode, work="encode"
    )
    return planning, encoding


def text_step(job: Job, encoded: tuple[Step, Step]) -> Step:
    """The text embeddings of all items, of planning and encoding."""
    planning, encoding = encoded
    ledger = ledger_of(job)
    (read,) = planning.needs
    inputs = {"documents": read.artifact().summary["documents"]}
    key = artifact_key(*_TEXT, {"encoder": ledger.encoder}, inputs)

    def make() -> Made:
        return gathered(ledger, planning.artifact(), pins_of(job).ledger_end)

    return step_of_one(job, _TEXT, "embed text", key, (planning, encoding), single(make))


def origin_steps(job: Job, read: Step, text: Step, kinds: Kinds) -> dict[str, Step]:
    """The embeddings of all origins, of text and of some kinds of interaction."""
    models = job.recipe.interactions
    fitted = {name: _fit_step(job, read, name, choice, kinds) for name, choice in models.items()}
    return {TEXT: text, **fitted}


def _fit_step(job: Job, read: Step, name: str, choice: Choice, kinds: Kinds) -> Step:
    model = registry.interaction_model(choice)
    parameters = {"model": resolved(choice, model)} | of_events(job, kinds)
    key = artifact_key(*_INTERACTIONS, parameters, {"read": read.key})

    def make() -> Made:
        events = learned_from(job, read, kinds)
        embeddings = model.fit(events, job.progress)
        return embeddings.columns(), {"dimensions": embeddings.matrix.shape[1]}

    label = " to ".join([f"fit {choice.use}", *(["+".join(kinds)] if kinds else [])])
    step = step_of_one(job, _INTERACTIONS, label, key, (read,), single(make))
    return dataclasses.replace(step, name=".".join(["fit", name, *kinds]))


def fuse_step(job: Job, read: Step, origins: Mapping[str, Step], placement: Placement) -> Step:
    """The item vectors of a placement, of the embeddings of all origins."""
    choice = placement.fusion
    fusion = registry.fusion(choice)
    key = artifact_key(
        *_VECTORS,
        {"fusion": resolved(choice, fusion)} | of_events(job, placement.kinds),
        {"read": read.key} | {name: origin.key for name, origin in origins.items()},
    )

    def make() -> Made:
        embeddings = embeddings_of(origins)
        catalogue = catalogue_of(read.artifact())
        events = learned_from(job, read, placement.kinds)
        fitted = fusion.fuse(embeddings, catalogue, events)
        vectors = fitted.apply(embeddings, catalogue)
        columns = vectors.columns()
        columns |= {f"fitted.{name}": array for name, array in fitted.columns().items()}
        return columns, {"dimensions": vectors.queries.shape[1]}

    needs = (read, *origins.values())
    step = step_of_one(job, _VECTORS, f"fuse {choice.use}", key, needs, single(make))
    return dataclasses.replace(step, name=f"fuse.{placement.name}")


def index_step(job: Job, vectors: Step, placement: Placement) -> Step:
    """What the index learned, as arrays: training an inverted file takes minutes, filling seconds.

    FAISS's own files are neither written nor read.
    """
    builder = registry.index_builder(job.recipe.index)
    index = resolved(job.recipe.index, builder)
    key = artifact_key(*_INDEX, {"index": index}, {"vectors": vectors.key})

    def make() -> Made:
        columns = builder.build(vectors_of(vectors).targets).columns()
        return columns, {"recall": float(columns["recall"]) if "recall" in columns else 1.0}

    step = step_of_one(job, _INDEX, "build index", key, (vectors,), single(make))
    return dataclasses.replace(step, name=f"index.{placement.name}")


def near_step(job: Job, text: Step) -> Step:
    """The items of like text, for candidates and for what is learned of them."""
    builder = registry.index_builder(job.recipe.index)
    index = resolved(job.recipe.index, builder)
    key = artifact_key(*_NEAR, {"index": index, "kin": KIN}, {"text": text.key})

    def make() -> Made:
        near = near_by_text(job.recipe.index, Embeddings.from_columns(text.artifact().columns()))
        return {"rows": near.rows, "scores": near.scores}, {}

    return step_of_one(job, _NEAR, "find near texts", key, (text,), single(make))


def step_of_one(
    job: Job,
    kind: tuple[str, int],
    label: str,
    key: str,
    needs: tuple[Step, ...],
    make: Callable[[Sequence[int]], Iterator[tuple[int, Made]]],
) -> Step:
    """A step with a single artifact, of that kind and under that key."""
    return Step(job.artifacts, kind[0], label, kind[0], needs, lambda: (key,), make)


def neighbours_of(step: Step) -> Neighbours:
    """What a step of neighbours made."""
    columns = step.artifact().columns()
    return Neighbours(columns["rows"], columns["scores"])


def vectors_of(step: Step) -> ItemVectors:
    """What a step of item vectors made."""
    return ItemVectors.from_columns(step.artifact().columns("queries", "targets", "bound"))


def embeddings_of(origins: Mapping[str, Step]) -> dict[str, Embeddings]:
    """What the steps of the origins made."""
    return {
        name: Embeddings.from_columns(origin.artifact().columns())
        for name, origin in origins.items()
    }


def learned_from(job: Job, read: Step, kinds: Kinds) -> Interactions:
    """The events of some kinds, as far as the recipe trusts each user."""
    trust = job.recipe.trust
    return interactions_of(read.artifact()).of_kinds(kinds).capped(trust.user_baskets)


def of_events(job: Job, kinds: Kinds) -> dict[str, Any]:
    """Which events are learned from, as part of a key, where it is not all of them."""
    baskets = job.recipe.trust.user_baskets
    capped = {"user_baskets": baskets} if baskets else {}
    return capped | ({"kinds": list(kinds)} if kinds else {})


def resolved(choice: Choice, implementation: object) -> dict[str, Any]:
    """The choice with the defaults of its parameters, which decide the bytes as well."""
    return {"use": choice.use, **dataclasses.asdict(cast("Any", implementation))}


def digest_of(plain: object) -> str:
    """A key for a part of a recipe."""
    return artifact_key("digest", 0, {"of": plain}, {})
