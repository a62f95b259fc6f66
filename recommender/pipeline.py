"""The flow, top to bottom: files in, related lists live.

    read -> embed text, fit interactions -> fuse -> index, search, choose -> gates -> publish

Each stage but the last two writes an artifact whose key covers everything that decides its bytes;
a stage whose artifact exists is skipped. So a run that was killed goes on where it was by running
again, and an unchanged run does nothing.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from recommender import documents as document_text
from recommender import registry
from recommender.arrays import Columns
from recommender.artifacts import Artifact, ArtifactStore, artifact_key
from recommender.catalogue import Catalogue
from recommender.chooser import choose_all, prepare
from recommender.documents import documents
from recommender.errors import DataError
from recommender.evidence import EvidenceScale
from recommender.gates import Gates
from recommender.generation import Generation
from recommender.interactions import Interactions
from recommender.neighbours import RelatedLists
from recommender.progress import Progress, silent
from recommender.readers.shop import Source, input_digests, parameters, read_shop
from recommender.recipe import TEXT, Choice, Placement, Recipe
from recommender.serving.publisher import Publisher
from recommender.stopwatch import Stopwatch
from recommender.vectors import Embeddings, ItemVectors

_READ = ("read", 1)
_TEXT = ("text", 1)
_INTERACTIONS = ("interactions", 1)
_VECTORS = ("vectors", 1)
_LISTS = ("lists", 2)
_BUILD = ("build", 1)


@dataclass(frozen=True, slots=True)
class Job:
    """One shop's input, recipe and places; `settings`, without secrets, are for the record."""

    shop: str
    source: Source
    recipe: Recipe
    artifacts: ArtifactStore
    user_key: bytes
    quarantine: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress = silent
    stopwatch: Stopwatch = field(default_factory=Stopwatch)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reindex did: the generation it published, or the live one where nothing changed."""

    generation: Generation
    published: bool
    build: Artifact
    report: Mapping[str, Any]


def reindex(
    job: Job,
    publisher: Publisher,
    gates: Gates,
    *,
    force: bool = False,
    canary_share: float = 0.0,
) -> Outcome:
    """Bring a shop's lists up to date.

    Where neither inputs nor recipe changed since the live generation, nothing is published unless
    `force`, and no heavy library is imported. With a `canary_share` only so many requests read
    what is published.

    Raises: DataError, ConfigError, ArtifactError, GateHeld or StoreUnavailable; what was live
    stays live.
    """
    publisher.check_canary(canary_share)
    live = publisher.live()
    build, lists = make(job)
    report = build.summary["report"]
    if live is not None and live.lists_key == build.key and not force:
        return Outcome(live, published=False, build=build, report=report)
    if not force:
        gates.check(
            n_items=build.summary["n_items"],
            filled_share=build.summary["filled_share"],
            live=live,
        )
    with job.stopwatch.measure("publish"):
        generation = publisher.publish(
            read_catalogue(job.artifacts, build).ids,
            lists(),
            lists_key=build.key,
            recipe_digest=job.recipe.digest,
            fence_floor=job.artifacts.highest_run(),
            canary_share=canary_share,
            progress=job.progress,
        )
    outcome = Outcome(generation, published=True, build=build, report=report)
    job.artifacts.record_run(f"{job.shop}.{generation.id}", _record(job, outcome))
    return outcome


def make(job: Job) -> tuple[Artifact, Callable[[], list[RelatedLists]]]:
    """Run every stage that has no artifact yet.

    Returns the artifact of the build, whose key stands for everything in it, and a function that
    loads its lists.
    """
    registry.check(job.recipe)
    read = _read(job)
    origins = {TEXT: _embed_text(job, read)}
    for name, choice in job.recipe.interactions.items():
        origins[name] = _fit_interactions(job, read, choice)
    vectors = {
        _digest(placement.fusion.plain()): _fuse(job, read, origins, placement.fusion)
        for placement in job.recipe.placements
    }
    lists = {
        placement.name: _lists(
            job, read, origins, vectors[_digest(placement.fusion.plain())], placement
        )
        for placement in job.recipe.placements
    }
    return _build(job, read, lists), lambda: [
        RelatedLists.from_columns(name, artifact.columns()) for name, artifact in lists.items()
    ]


def read_catalogue(artifacts: ArtifactStore, build: Artifact) -> Catalogue:
    """The catalogue of a build. Raises: ArtifactError where it is no longer there."""
    return _catalogue(artifacts.require(_READ[0], build.summary["read"]))


def read_interactions(artifacts: ArtifactStore, build: Artifact) -> Interactions:
    """The interactions of a build. Raises: ArtifactError where they are no longer there."""
    return _interactions(artifacts.require(_READ[0], build.summary["read"]))


def read_lists(artifacts: ArtifactStore, build: Artifact, placement: str) -> RelatedLists:
    """The lists of a build. Raises: ArtifactError where they are no longer there."""
    artifact = artifacts.require(_LISTS[0], build.summary["lists"][placement])
    return RelatedLists.from_columns(placement, artifact.columns())


def read_shop_columns(job: Job) -> tuple[Artifact, Catalogue, Interactions]:
    """Read a job's files, or what was read of them: the artifact, catalogue and interactions."""
    read = _read(job)
    return read, _catalogue(read), _interactions(read)


def text_embeddings(job: Job, read: Artifact) -> Embeddings:
    """The text embeddings of what was read, encoded where they are not there yet."""
    return Embeddings.from_columns(_embed_text(job, read).columns())


def find_build(artifacts: ArtifactStore, key: str) -> Artifact:
    """The artifact of a published build. Raises: ArtifactError where it is no longer there."""
    return artifacts.require(_BUILD[0], key)


# Stages


def _read(job: Job) -> Artifact:
    key_digest = hashlib.sha256(job.user_key).hexdigest()
    with job.stopwatch.measure("check inputs"):
        digests = input_digests(job.source)
    key = artifact_key(
        *_READ,
        {
            "source": parameters(job.source),
            "user_key": key_digest,
            "documents": document_text.FORMAT,
        },
        digests,
    )

    def make() -> tuple[Columns, Mapping[str, Any]]:
        shop = read_shop(
            job.source,
            user_key=job.user_key,
            quarantine=job.quarantine,
            progress=job.progress,
        )
        if {file.key: file.sha256 for file in shop.report.files} != digests:
            raise DataError("an input file was replaced while it was read; run again")
        columns = _prefixed("catalogue.", shop.catalogue.columns())
        columns |= _prefixed("interactions.", shop.interactions.columns())
        return columns, {
            "report": shop.report.plain(),
            "documents": _digest(documents(shop.catalogue)),
            "newest": shop.interactions.newest,
        }

    return _stage(job, "read", _READ, key, make)


def _embed_text(job: Job, read: Artifact) -> Artifact:
    encoder = registry.text_encoder(job.recipe.text)
    key = artifact_key(
        *_TEXT, {"encoder": encoder.fingerprint()}, {"documents": read.summary["documents"]}
    )

    def make() -> tuple[Columns, Mapping[str, Any]]:
        texts = documents(_catalogue(read))
        matrix = encoder.encode(texts, job.progress)
        words = np.array([len(text.split()) for text in texts], dtype=np.float32)
        embeddings = Embeddings.of_rows(matrix, words)
        return embeddings.columns(), {"dimensions": matrix.shape[1]}

    return _stage(job, "embed text", _TEXT, key, make)


def _fit_interactions(job: Job, read: Artifact, choice: Choice) -> Artifact:
    model = registry.interaction_model(choice)
    key = artifact_key(*_INTERACTIONS, {"model": _resolved(choice, model)}, {"read": read.key})

    def make() -> tuple[Columns, Mapping[str, Any]]:
        embeddings = model.fit(_interactions(read), job.progress)
        return embeddings.columns(), {"dimensions": embeddings.matrix.shape[1]}

    return _stage(job, f"fit {choice.use}", _INTERACTIONS, key, make)


def _fuse(job: Job, read: Artifact, origins: Mapping[str, Artifact], choice: Choice) -> Artifact:
    fusion = registry.fusion(choice)
    key = artifact_key(
        *_VECTORS,
        {"fusion": _resolved(choice, fusion)},
        {"read": read.key} | {name: origin.key for name, origin in origins.items()},
    )

    def make() -> tuple[Columns, Mapping[str, Any]]:
        embeddings = _embeddings(origins)
        catalogue = _catalogue(read)
        fitted = fusion.fuse(embeddings, catalogue, _interactions(read))
        vectors = fitted.apply(embeddings, catalogue)
        columns = vectors.columns() | _prefixed("fitted.", fitted.columns())
        return columns, {"dimensions": vectors.queries.shape[1]}

    return _stage(job, f"fuse {choice.use}", _VECTORS, key, make)


def _lists(
    job: Job,
    read: Artifact,
    origins: Mapping[str, Artifact],
    vectors: Artifact,
    placement: Placement,
) -> Artifact:
    key = artifact_key(
        *_LISTS,
        {"placement": placement.plain(), "index": job.recipe.index.plain()},
        {"read": read.key, "vectors": vectors.key},
    )

    def make() -> tuple[Columns, Mapping[str, Any]]:
        item_vectors = ItemVectors.from_columns(vectors.columns("queries", "targets", "bound"))
        scale = EvidenceScale.measured(_embeddings(origins))
        chooser = prepare(
            job.recipe.index, placement, item_vectors, _catalogue(read), _interactions(read)
        )
        chosen = choose_all(chooser, scale, job.progress)
        lists = RelatedLists.of_blocks(placement.name, chosen, chooser.best_sellers.shop)
        filled = float((lists.sizes > 0).mean()) if len(lists) else 0.0
        return lists.columns(), {"entries": len(lists.rows), "filled_share": filled}

    return _stage(job, f"search and choose {placement.name}", _LISTS, key, make)


def _build(job: Job, read: Artifact, lists: Mapping[str, Artifact]) -> Artifact:
    keys = {name: artifact.key for name, artifact in lists.items()}
    key = artifact_key(*_BUILD, {"recipe": job.recipe.digest}, keys)
    existing = job.artifacts.find(_BUILD[0], key)
    if existing is not None:
        return existing
    report = read.summary["report"]
    summary = {
        "read": read.key,
        "lists": keys,
        "recipe": job.recipe.plain(),
        "report": report,
        "n_items": report["n_items"],
        "filled_share": min(a.summary["filled_share"] for a in lists.values()),
        "n_entries": sum(a.summary["entries"] for a in lists.values()),
    }
    return job.artifacts.write(_BUILD[0], key, {}, summary)


def _record(job: Job, outcome: Outcome) -> dict[str, Any]:
    return {
        "generation": dataclasses.asdict(outcome.generation),
        "build": outcome.build.key,
        "settings": job.settings,
        "report": outcome.report,
        "stages": [dataclasses.asdict(cost) for cost in job.stopwatch.costs],
    }


# Artifacts of a stage


def _stage(
    job: Job,
    name: str,
    step: tuple[str, int],
    key: str,
    make: Callable[[], tuple[Columns, Mapping[str, Any]]],
) -> Artifact:
    existing = job.artifacts.find(step[0], key)
    if existing is not None:
        job.stopwatch.reused(name)
        return existing
    with job.stopwatch.measure(name):
        columns, summary = make()
        return job.artifacts.write(step[0], key, columns, summary)


def _catalogue(read: Artifact) -> Catalogue:
    return Catalogue.from_columns(_unprefixed(read, "catalogue."))


def _interactions(read: Artifact) -> Interactions:
    return Interactions.from_columns(_unprefixed(read, "interactions."))


def _embeddings(origins: Mapping[str, Artifact]) -> dict[str, Embeddings]:
    return {name: Embeddings.from_columns(origin.columns()) for name, origin in origins.items()}


def _prefixed(prefix: str, columns: Columns) -> Columns:
    return {prefix + name: array for name, array in columns.items()}


def _unprefixed(artifact: Artifact, prefix: str) -> Columns:
    names = [name for name in artifact.column_names if name.startswith(prefix)]
    return {name.removeprefix(prefix): a for name, a in artifact.columns(*names).items()}


def _resolved(choice: Choice, implementation: object) -> dict[str, Any]:
    """The choice with the defaults of its parameters, which decide the bytes as well."""
    return {"use": choice.use, **dataclasses.asdict(cast("Any", implementation))}


def _digest(plain: object) -> str:
    return artifact_key("digest", 0, {"of": plain}, {})
