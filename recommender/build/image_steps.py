"""The steps of a content origin of images: planned, read and encoded in shards, then gathered.

They are those of texts, with references to pictures in place of texts. A vector is kept under the
SHA-256 of the picture as well, so that a picture under another name is read and not encoded again.
Pictures that cannot be had have no vector, and are tried again in the next plan.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Sized
from typing import Any

import numpy as np

from recommender.artifacts.store import Artifact, artifact_key
from recommender.build.contents import catalogue_of
from recommender.build.job import Job, pins_of
from recommender.build.steps import Made, Step
from recommender.build.text_shards import (
    PLAN,
    SHARD,
    Hashes,
    Ledger,
    WantedDocuments,
    gathered,
    hash_of,
    planned,
    texts_of,
)
from recommender.core.arrays import (
    ROWS_AT_ONCE,
    Columns,
    FloatMatrix,
    Rows,
    blocks,
    centred,
    pack_texts,
    unpack_texts,
)
from recommender.core.catalogue import Catalogue
from recommender.core.redaction import redacted_url
from recommender.core.telemetry import part_of
from recommender.errors import ConfigError, DataError
from recommender.vectors.content.images import STATE, EncodedImages, ImageEncoder

IMAGE_VECTORS = ("images", 1)
SHARD_IMAGES = 256
"""A shard has fewer images than texts: reading them takes longer, and a killed run reads again."""
CENTRED_LEAST = 16
"""Of fewer pictures, no centre is taken."""
_HASH = "S32"


class KnownImages:
    """The vectors of the pictures in the first `end` entries of a ledger, by their content."""

    def __init__(self, ledger: Ledger, end: int) -> None:
        self._shards = [one for one in ledger.shards(end) if "contents" in one.column_names]
        held = [one.columns("contents")["contents"] for one in self._shards]
        self._contents = np.unique(np.concatenate([np.zeros(0, dtype=_HASH), *held]))

    def __contains__(self, content: object) -> bool:
        place = np.searchsorted(self._contents, np.array(content, dtype=_HASH))
        return bool((self._contents[place : place + 1] == np.array(content, dtype=_HASH)).any())

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has, 0 where none is known."""
        widths = (one.columns("matrix")["matrix"].shape[1] for one in self._shards)
        return next(filter(None, widths), 0)

    def vectors(self, contents: Hashes) -> FloatMatrix:
        """The vectors (n, d) of n contents that are known."""
        matrix = np.zeros((len(contents), self.dimensions), dtype=np.float32)
        distinct, places = np.unique(contents, return_inverse=True)
        wanted = WantedDocuments(distinct)
        for shard in self._shards if len(contents) else ():
            taken, rows = wanted.taken(shard.columns("contents")["contents"])
            if len(taken):
                row_of = np.full(len(distinct), -1, dtype=np.int64)
                row_of[taken] = rows
                here = np.flatnonzero(row_of[places] >= 0)
                matrix[here] = shard.columns("matrix")["matrix"][row_of[places[here]]]
        return matrix


def image_step(job: Job, read: Step, name: str, origin: ImageEncoder) -> Step:
    """The embeddings of all items from their pictures."""
    pinned, end = pins_of(job).content[name], pins_of(job).ledger_ends[name]
    ledger, size = Ledger(job.artifacts, pinned), min(job.shard_texts, SHARD_IMAGES)
    settings = dataclasses.asdict(dataclasses.replace(origin, beside="", connections=1))
    of = {"encoder": pinned, "origin": settings}
    plan_key = artifact_key(
        *PLAN, of | {"ledger_end": end, "shard_images": size}, {"read": read.key}
    )

    def plan() -> Made:
        documents = origin.documents(catalogue_of(read.artifact()))
        if not any(documents):
            raise ConfigError(
                f"recipe.content.{name}: no item has a picture; set catalogue.columns.image to the "
                "column with URLs or paths, or leave the origin out"
            )
        return planned(ledger, documents, end, size, may_fail=True)

    place = (job.artifacts, PLAN[0], plan_key)
    planning = Step.single(place, (f"text-plan.{name}", f"plan {name}"), (read,), plan)

    def shards() -> tuple[str, ...] | None:
        return None if planning.missing() else tuple(planning.artifact().summary["shards"])

    def encode(wanted: Sequence[int]) -> Iterator[tuple[int, Made]]:
        if origin.fingerprint() != pinned:
            raise ConfigError(
                f"recipe.content.{name}: the model here is {origin.fingerprint():.60}, the run's "
                f"is {pinned:.60}; install the same on every machine"
            )
        found, known = planning.artifact(), KnownImages(ledger, end)
        todo = [(shard, *texts_of(found, shard, size)) for shard in wanted]
        with job.progress("encode images", sum(len(one) for _, _, one in todo)) as advance:
            for shard, hashes, documents in todo:
                made = origin.encode(documents, known, part_of(advance))
                yield shard, _shard(hashes, made, known)

    encoding = Step(
        job.artifacts,
        f"encode.{name}",
        "encode images",
        SHARD[0],
        (planning,),
        shards,
        encode,
        work="encode",
    )

    def gather() -> Made:
        faults = _faults(encoding.parts())
        catalogue = catalogue_of(read.artifact())
        report = _report(name, catalogue, origin.documents(catalogue), faults)
        without = np.array(list(faults), dtype=_HASH)
        columns, summary = gathered(ledger, planning.artifact(), end, without)
        columns |= _centred(columns["matrix"], planning.artifact().columns("codes")["codes"])
        lacking = int((columns["support"] == 0).sum())
        return columns, {**summary, "without_vector": lacking, "images": report}

    key = artifact_key(*IMAGE_VECTORS, of, {"read": read.key})
    place = (job.artifacts, IMAGE_VECTORS[0], key)
    return Step.single(place, (f"embed.{name}", f"embed {name}"), (planning, encoding), gather)


def _shard(hashes: Hashes, made: EncodedImages, known: KnownImages) -> Made:
    """The vectors of a shard's documents, with what is wrong with those that have none."""
    had = np.array([not fault for fault in made.faults], dtype=bool)
    contents = np.array(made.contents, dtype=_HASH)
    matrix, earlier = made.matrix, had & ~made.fresh
    if earlier.any():
        vectors = known.vectors(contents[earlier])
        if not matrix.shape[1]:
            matrix = np.zeros((len(hashes), vectors.shape[1]), dtype=np.float32)
        matrix[earlier] = vectors
    columns = {
        "hashes": hashes[had],
        "contents": contents[had],
        "matrix": matrix[had],
        "faulty": hashes[~had],
        **pack_texts("reasons", [fault for fault in made.faults if fault]),
    }
    return columns, {"images": len(hashes), "encoded": int(made.fresh.sum())}


def _centred(matrix: FloatMatrix, codes: Rows) -> Columns:
    """The vectors (n, d) relative to the mean of all pictures, which is the column `centre`.

    Vectors of a CLIP model lie in a narrow cone, so that any two pictures are nearer than two texts
    that have much in common, and joined vectors would hardly depend on them. The matrix is changed.
    Sources: Mu and Viswanath 2018, "All-but-the-Top"; Liang et al. 2022, "Mind the Gap".
    """
    _, firsts = np.unique(codes, return_index=True)
    known = np.concatenate([matrix[firsts[one]].any(axis=1) for one in _blocks(firsts)])
    firsts = firsts[known]
    centre = np.zeros(matrix.shape[1])
    if len(firsts) >= CENTRED_LEAST:
        centre += sum(matrix[firsts[one]].sum(axis=0, dtype=np.float64) for one in _blocks(firsts))
        centre /= len(firsts)
    support = np.zeros(len(matrix), dtype=np.float32)
    for block in _blocks(matrix):
        matrix[block] = centred(matrix[block], centre.astype(np.float32))
        support[block] = matrix[block].any(axis=1)
    return {"matrix": matrix, "support": support, "centre": centre.astype(np.float32)}


def _blocks(of: Sized) -> Iterator[slice]:
    return blocks(len(of), ROWS_AT_ONCE)


def _faults(shards: Sequence[Artifact]) -> dict[bytes, str]:
    """What is wrong with the documents of a plan, by their hashes."""
    found: dict[bytes, str] = {}
    for shard in shards:
        columns = shard.columns("faulty", "reasons.bytes", "reasons.offsets")
        reasons = unpack_texts("reasons", columns)
        found |= dict(zip(columns["faulty"].tolist(), reasons, strict=True))
    return found


def _report(
    name: str, catalogue: Catalogue, documents: Sequence[str], faults: Mapping[bytes, str]
) -> dict[str, Any]:
    """How many items name no picture, and what is wrong with pictures, most frequent first.

    Raises: DataError where none can be had.
    """
    counts, examples = Counter[str](), dict[str, str]()
    for item, document in zip(catalogue.ids.ids, documents, strict=True):
        reason = faults.get(np.array(hash_of(document), dtype=_HASH).item()) if document else ""
        if reason:
            counts[reason] += 1
            reference = redacted_url(document.partition(STATE)[0])
            examples.setdefault(reason, f"{reference:.200} of item {item}")
    without = sum(not document for document in documents)
    if counts.total() == len(documents) - without:
        worst, _ = counts.most_common(1)[0]
        raise DataError(
            f"recipe.content.{name}: none of the pictures of {counts.total():,} items can be had; "
            f"most frequent: {worst}, such as {examples[worst]}. Correct catalogue.columns.image, "
            "or leave the origin out"
        )
    return {
        "without": without,
        "faults": [
            {"reason": reason, "items": count, "example": examples[reason]}
            for reason, count in counts.most_common()
        ],
    }
