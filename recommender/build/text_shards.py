"""Text shards: every text is encoded once in its life, and so is every image.

A shard holds the vectors of some documents, each under the SHA-256 of its text, and is an artifact
of its own. A ledger per encoder says which shards were ever planned: append-only, one entry per
plan, read by number. A plan looks up what the ledger's shards hold and lays what is missing out in
new shards, so that workers can encode them side by side. A shard that was planned and never made,
was tidied away or is damaged is passed over.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray

from recommender.artifacts.store import Artifact, ArtifactStore, artifact_key
from recommender.core.arrays import Columns, FloatVector, Rows, blocks, pack_texts, text_codes
from recommender.errors import ArtifactError

PLAN = ("text-plan", 2)
SHARD = ("text-shard", 1)
PASSING = frozenset({PLAN[0], SHARD[0]})
"""Folders of artifacts that nothing reads once the texts of a build are embedded."""
SHARD_TEXTS = 4096
_HASH = "S32"

Hashes = NDArray[np.bytes_]
NONE: Hashes = np.zeros(0, dtype=_HASH)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The shards that were planned for one encoder, by its fingerprint."""

    artifacts: ArtifactStore
    encoder: str

    @property
    def name(self) -> str:
        """What the ledger is called in the artifact store."""
        return artifact_key("ledger", 1, {"encoder": self.encoder}, {})

    def end(self) -> int:
        """How many entries there are."""
        return self.artifacts.end(self.name)

    def keys(self, end: int) -> list[str]:
        """The keys of all shards in the first `end` entries, oldest first."""
        keys: dict[str, None] = {}
        for number in range(end):
            entry = self.artifacts.entry(self.name, number)
            if entry is None:
                raise ArtifactError(f"ledger {self.name}: entry {number} of {end} is gone")
            keys |= dict.fromkeys(map(str, entry["shards"]))
        return list(keys)

    def add(self, keys: Sequence[str], at: int) -> None:
        """Write shards down behind entry `at`, or further behind where others write as well."""
        known = set(self.keys(at))
        new = [key for key in keys if key not in known]
        while new and not self.artifacts.append(self.name, at, {"shards": new}):
            at += 1

    def shards(self, end: int, *, digests: bool = False) -> Iterator[Artifact]:
        """Those shards of the first `end` entries that exist and show no damage."""
        for key in self.keys(end):
            if self.artifacts.fault(SHARD[0], key, digests=digests) == "":
                yield self.artifacts.require(SHARD[0], key)

    def shard_key(self, hashes: Hashes, attempt: int | None = None) -> str:
        """The key of the shard of these documents, another one for each `attempt`."""
        documents = hashlib.sha256(np.ascontiguousarray(hashes).tobytes()).hexdigest()
        of = {"encoder": self.encoder} | ({} if attempt is None else {"attempt": attempt})
        return artifact_key(*SHARD, of, {"documents": documents})


class WantedDocuments:
    """Documents by their hashes (m,), of which `left` (m,) were in no shard yet."""

    def __init__(self, hashes: Hashes) -> None:
        self.left = np.ones(len(hashes), dtype=bool)
        self._order = np.argsort(hashes)
        self._ordered = hashes[self._order]

    def taken(self, held: Hashes) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Which documents that are still left a shard holds, and in which of its rows."""
        places = np.minimum(np.searchsorted(self._ordered, held), len(self._ordered) - 1)
        rows = np.flatnonzero(self._ordered[places] == held)
        documents = self._order[places[rows]]
        fresh = self.left[documents]
        self.left[documents] = False
        return documents[fresh], rows[fresh]


def planned(
    ledger: Ledger, texts: Sequence[str], end: int, size: int, *, may_fail: bool = False
) -> tuple[Columns, dict[str, list[str]]]:
    """Which documents n items have, and shards of at most `size` for those without a vector.

    Only the first `end` entries of the ledger are looked at, and the plan is written behind them.
    Finished shards of a plan leave the others as they are: a run that was killed goes on with the
    same shards. Where documents `may_fail`, so that a shard has no vector of them, the next plan
    has other shards.
    """
    codes, distinct = text_codes(texts)
    hashes = np.array([hash_of(text) for text in distinct], dtype=_HASH)
    wanted = WantedDocuments(hashes)
    for shard in ledger.shards(end, digests=True):
        wanted.taken(shard.columns("hashes")["hashes"])
    missing = np.flatnonzero(wanted.left).astype(np.int32)
    attempt = end if may_fail else None
    shards = [
        ledger.shard_key(hashes[missing[block]], attempt) for block in blocks(len(missing), size)
    ]
    ledger.add(shards, end)
    columns: Columns = {
        "codes": codes,
        "hashes": hashes,
        "words": np.array([len(text.split()) for text in distinct], dtype=np.float32),
        "missing": missing,
        **pack_texts("texts", [distinct[code] for code in missing]),
    }
    return columns, {"shards": shards}


def texts_of(plan: Artifact, shard: int, size: int) -> tuple[Hashes, list[str]]:
    """Hashes and texts of one shard of a plan."""
    columns = plan.columns("hashes", "missing", "texts.bytes", "texts.offsets")
    start = shard * size
    missing = columns["missing"][start : start + size]
    bounds = columns["texts.offsets"][start : start + len(missing) + 1].tolist()
    joined = columns["texts.bytes"]
    texts = [joined[first:last].tobytes().decode() for first, last in pairwise(bounds)]
    return columns["hashes"][missing], texts


def gathered(
    ledger: Ledger, plan: Artifact, end: int, without: Hashes = NONE
) -> tuple[Columns, dict[str, object]]:
    """The vectors (n, d) and support (n,) of all items, from the shards that hold them.

    Documents `without` a vector have zero rows.
    The matrix lies in a file that has no name, so that memory does not grow with n.
    Raises: ArtifactError where a document is in no shard, or shards differ in dimensions.
    """
    columns = plan.columns("codes", "hashes", "words")
    codes, wanted = columns["codes"], WantedDocuments(columns["hashes"])
    matrix: np.memmap[tuple[int, int], np.dtype[np.float32]] | None = None
    used: list[str] = []
    with TemporaryFile() as file:
        for shard in _candidates(ledger, plan, end):
            own = shard.columns("hashes", "matrix")
            documents, rows = wanted.taken(own["hashes"])
            if not len(documents):
                continue
            used.append(shard.key)
            if matrix is None:
                shape = (len(codes), own["matrix"].shape[1])
                matrix = np.memmap(file, np.float32, "w+", shape=shape)
            _fill(matrix, own["matrix"], codes, documents, rows)
        left = wanted.left & ~np.isin(columns["hashes"], without)
        if left.any() or matrix is None:
            ledger.artifacts.discard(PLAN[0], plan.key)
            raise ArtifactError(f"{int(left.sum())} texts have no vector; run again")
        support = _support(matrix, columns["words"][codes])
        return {"matrix": matrix, "support": support}, {
            "dimensions": matrix.shape[1],
            "shards": sorted(used),
        }


def _candidates(ledger: Ledger, plan: Artifact, end: int) -> Iterator[Artifact]:
    """The shards of the plan, then those of the ledger."""
    for key in plan.summary["shards"]:
        yield ledger.artifacts.require(SHARD[0], key)
    new = set(plan.summary["shards"])
    yield from (shard for shard in ledger.shards(end) if shard.key not in new)


def _fill(
    matrix: NDArray[np.float32],
    vectors: NDArray[np.float32],
    codes: Rows,
    documents: NDArray[np.intp],
    rows: NDArray[np.intp],
) -> None:
    """Put the vectors of a shard into the rows of all items that have its documents."""
    if vectors.shape[1] != matrix.shape[1]:
        raise ArtifactError(
            f"text vectors of {vectors.shape[1]} and {matrix.shape[1]} dimensions under one "
            "fingerprint: the model changed under its name; give it another name or folder"
        )
    row_of = np.full(int(codes.max()) + 1, -1, dtype=np.int64)
    row_of[documents] = rows
    sources = row_of[codes]
    items = np.flatnonzero(sources >= 0)
    matrix[items] = vectors[sources[items]]


def _support(matrix: NDArray[np.float32], words: FloatVector) -> FloatVector:
    """Words (n,) where a row is not zero, and 0 where it is; rows without words become zero."""
    support = np.zeros(len(matrix), dtype=np.float32)
    for block in blocks(len(matrix), 65_536):
        known = matrix[block].any(axis=1) & (words[block] > 0)
        support[block] = np.where(known, words[block], 0)
        matrix[block][~known] = 0
    return support


def hash_of(text: str) -> bytes:
    """The SHA-256 of a text, under which its vector lies."""
    return hashlib.sha256(text.encode()).digest()
