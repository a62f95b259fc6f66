"""Paid texts: answers of a text API, kept in the artifact store until their shard is made.

Each answer is an artifact of its own with an entry in a ledger of its shard. Whoever continues with
the shard, on any machine, therefore pays for none of it again. A run's spending is in a ledger of
its plan of texts: one entry before each call, so that all workers of the run share one budget.
"""

import fcntl
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from recommender.artifacts.store import Artifact, ArtifactStore, artifact_key
from recommender.build.text_shards import SHARD, Ledger, hash_of
from recommender.core.api_budget import Budget
from recommender.core.arrays import FloatMatrix, FloatVector
from recommender.core.protocols import PaidEncoder, TextEncoder
from recommender.errors import ArtifactError

PART = ("text-part", 1)


def spending_ledger(plan: str) -> str:
    """The name of the ledger that holds the spending for a plan of texts."""
    return artifact_key("spending", 1, {}, {"plan": plan})


def parts_ledger(shard: str) -> str:
    """The name of the ledger that lists the answers for a shard."""
    return artifact_key("text-parts", 1, {}, {"shard": shard})


class Spending:
    """What all workers on a plan of texts have spent together of one budget."""

    def __init__(self, artifacts: ArtifactStore, plan: str, budget: Budget) -> None:
        self.artifacts, self.ledger, self.budget = artifacts, spending_ledger(plan), budget
        self.entries = self.calls = self.tokens = self.owed = 0

    def reserve(self, tokens: int) -> None:
        """Count one call of so many tokens, before it is made. Raises: ProviderFailed."""
        written = False
        while not written:
            self._read()
            taken = tokens + self.owed
            self.budget.check(self.calls + 1, self.tokens + taken)
            entry = {"calls": 1, "tokens": taken}
            written = self.artifacts.append(self.ledger, self.entries, entry)
        self.owed = 0

    def settle(self, tokens: int) -> None:
        """Count what calls cost above or below their reservation; written with the next call."""
        self.owed += tokens

    def _read(self) -> None:
        while (entry := self.artifacts.entry(self.ledger, self.entries)) is not None:
            self.entries += 1
            self.calls += int(entry["calls"])
            self.tokens += int(entry["tokens"])


@dataclass(frozen=True, slots=True)
class PaidShard:
    """The ledger of one shard of texts; once the shard is made, its vectors are found there.

    Answers for `others`, shards that were begun and never made, are found as well.
    """

    artifacts: ArtifactStore
    encoder: str
    shard: str
    spending: Spending
    others: tuple[str, ...] = ()

    def reserve(self, tokens: int) -> None:
        """Count one call of so many tokens, before it is made. Raises: ProviderFailed."""
        self.spending.reserve(tokens)

    def settle(self, tokens: int) -> None:
        """Count what calls cost above or below their reservation."""
        self.spending.settle(tokens)

    def found(self, texts: Sequence[str]) -> dict[str, FloatVector]:
        """Those of the texts that have a vector (d,)."""
        try:
            held = self._held()
        except ArtifactError:  # another run removed the answers, so by now their shard is made
            held = self._held()
        known = {text: held.get(_key(text)) for text in texts}
        return {text: vector for text, vector in known.items() if vector is not None}

    def keep(self, texts: Sequence[str], vectors: FloatMatrix) -> None:
        """Store vectors (n, d) durably: the artifact first, then its entry in the ledger."""
        hashes = np.array([hash_of(text) for text in texts], dtype="S32")
        digest = hashlib.sha256(hashes.tobytes()).hexdigest()
        key = artifact_key(*PART, {"encoder": self.encoder}, {"documents": digest})
        columns = {"hashes": hashes, "matrix": vectors}
        self.artifacts.write(PART[0], key, columns, {"texts": len(texts)})
        ledger = parts_ledger(self.shard)
        at = self.artifacts.end(ledger)
        while not self.artifacts.append(ledger, at, {"part": key}):
            at += 1

    def clear(self) -> None:
        """Remove the answers, whose vectors are now in the shard."""
        parts = self._parts(self.shard)
        for key, _ in parts:
            with suppress(FileNotFoundError, ArtifactError):  # another run removes them as well
                self.artifacts.discard(PART[0], key)
        if parts:
            with suppress(FileNotFoundError, ArtifactError):
                self.artifacts.forget_ledger(parts_ledger(self.shard))

    def _held(self) -> dict[bytes, FloatVector]:
        """All vectors of this shard and the others, by the hash of their text."""
        held: dict[bytes, FloatVector] = {}
        for shard in (*self.others, self.shard):
            made = self.artifacts.find(SHARD[0], shard)
            parts = [part for _, part in self._parts(shard)] if made is None else [made]
            for part in parts:
                columns = part.columns("hashes", "matrix")
                hashes = [bytes(one) for one in columns["hashes"]]
                held.update(zip(hashes, np.asarray(columns["matrix"]), strict=True))
        return held

    def _parts(self, shard: str) -> list[tuple[str, Artifact]]:
        """The answers that are there, by key."""
        keys: dict[str, None] = {}
        number = 0
        while (entry := self.artifacts.entry(parts_ledger(shard), number)) is not None:
            keys[str(entry["part"])] = None
            number += 1
        found = ((key, self.artifacts.find(PART[0], key)) for key in keys)
        return [(key, part) for key, part in found if part is not None]


@dataclass(frozen=True, slots=True)
class ShardEncoder:
    """The encoder of a plan's shards, which pays from one budget where it costs money.

    On one machine, one process at a time encodes a paid shard; `lock` is the file of their locks.
    Answers for `others`, shards that earlier runs began and never made, count as paid.
    """

    encoder: TextEncoder
    spending: Spending
    ledger: Ledger
    lock: Path
    others: tuple[str, ...]

    @classmethod
    def of(
        cls, encoder: TextEncoder, spending: Spending, ledger: Ledger, end: int, lock: Path
    ) -> "ShardEncoder":
        """An encoder that knows the first `end` entries of the ledger of its shards."""
        others: tuple[str, ...] = ()
        if isinstance(encoder, PaidEncoder):
            find = ledger.artifacts.find
            others = tuple(key for key in ledger.keys(end) if find(SHARD[0], key) is None)
        return cls(encoder, spending, ledger, lock, others)

    @contextmanager
    def of_shard(self, shard: str) -> Iterator[TextEncoder]:
        """The encoder for one shard; its answers are kept until the block ends well."""
        if not isinstance(self.encoder, PaidEncoder):
            yield self.encoder
            return
        others = tuple(key for key in self.others if key != shard)
        artifacts, encoder = self.ledger.artifacts, self.ledger.encoder
        paid = PaidShard(artifacts, encoder, shard, self.spending, others)
        with _locked(self.lock, shard):
            yield self.encoder.paying(paid)
            paid.clear()


@contextmanager
def _locked(path: Path, shard: str) -> Iterator[None]:
    """Hold the lock of a shard, a byte of the file; the system frees it when the process ends."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("a") as file:
        fcntl.lockf(file, fcntl.LOCK_EX, 1, crc32(shard.encode()))
        yield


def _key(text: str) -> bytes:
    """The hash as it comes back from a column, which drops zero bytes at the end."""
    return hash_of(text).rstrip(b"\0")
