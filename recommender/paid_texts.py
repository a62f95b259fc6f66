"""Paid texts: what a text API answered, in the artifact store until its shard is made.

Every answer is an artifact of its own, written down in a ledger of its shard, so that whoever goes
on with the shard, on any machine, pays for nothing again. What a run spends stands in a ledger of
its plan of texts: one entry before each call, so that all who work on the run share one budget.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from recommender.arrays import FloatMatrix, FloatVector
from recommender.artifacts import Artifact, ArtifactStore, artifact_key
from recommender.errors import ArtifactError
from recommender.text_api import Budget
from recommender.text_shards import SHARD, hash_of

PART = ("text-part", 1)


def spending_ledger(plan: str) -> str:
    """What the ledger is called in which the spending for a plan of texts stands."""
    return artifact_key("spending", 1, {}, {"plan": plan})


def parts_ledger(shard: str) -> str:
    """What the ledger is called in which the answers for a shard stand."""
    return artifact_key("text-parts", 1, {}, {"shard": shard})


class SharedPurse:
    """What everybody who works on a plan may still spend together."""

    def __init__(self, artifacts: ArtifactStore, plan: str, budget: Budget) -> None:
        self.artifacts, self.ledger, self.budget = artifacts, spending_ledger(plan), budget
        self.entries = self.calls = self.tokens = self.owed = 0

    def take(self, tokens: int) -> None:
        """Take one call of so many tokens, before it is made. Raises: ProviderFailed."""
        written = False
        while not written:
            self._read()
            taken = tokens + self.owed
            self.budget.check(self.calls + 1, self.tokens + taken)
            entry = {"calls": 1, "tokens": taken}
            written = self.artifacts.append(self.ledger, self.entries, entry)
        self.owed = 0

    def correct(self, tokens: int) -> None:
        """Count what calls cost beyond what was taken, or below; written with the next call."""
        self.owed += tokens

    def _read(self) -> None:
        while (entry := self.artifacts.entry(self.ledger, self.entries)) is not None:
            self.entries += 1
            self.calls += int(entry["calls"])
            self.tokens += int(entry["tokens"])


@dataclass(frozen=True, slots=True)
class ShardDrawer:
    """The answers that belong to one shard; once the shard is there, its vectors are found too."""

    artifacts: ArtifactStore
    encoder: str
    shard: str

    @property
    def ledger(self) -> str:
        """What the ledger of the shard's answers is called."""
        return parts_ledger(self.shard)

    def found(self, texts: Sequence[str]) -> dict[str, FloatVector]:
        """Those of the texts that have a vector (d,)."""
        try:
            held = _held(self._made() or [part for _, part in self._parts()])
        except ArtifactError:
            made = self._made()
            if not made:
                raise
            held = _held(made)
        known = {text: held.get(_key(text)) for text in texts}
        return {text: vector for text, vector in known.items() if vector is not None}

    def keep(self, texts: Sequence[str], vectors: FloatMatrix) -> None:
        """Put vectors (n, d) away for good: artifact first, then its line in the ledger."""
        hashes = np.array([hash_of(text) for text in texts], dtype="S32")
        told = hashlib.sha256(hashes.tobytes()).hexdigest()
        key = artifact_key(*PART, {"encoder": self.encoder}, {"documents": told})
        columns = {"hashes": hashes, "matrix": vectors}
        self.artifacts.write(PART[0], key, columns, {"texts": len(texts)})
        at = self.artifacts.end(self.ledger)
        while not self.artifacts.append(self.ledger, at, {"part": key}):
            at += 1

    def clear(self) -> None:
        """Remove the answers, whose vectors now lie in the shard."""
        parts = self._parts()
        for key, _ in parts:
            with suppress(FileNotFoundError, ArtifactError):  # another run clears them as well
                self.artifacts.discard(PART[0], key)
        if parts:
            with suppress(FileNotFoundError, ArtifactError):
                self.artifacts.forget_ledger(self.ledger)

    def _made(self) -> list[Artifact]:
        """The shard itself, if it is there."""
        shard = self.artifacts.find(SHARD[0], self.shard)
        return [] if shard is None else [shard]

    def _parts(self) -> list[tuple[str, Artifact]]:
        """The answers that are there, by key."""
        keys: dict[str, None] = {}
        number = 0
        while (entry := self.artifacts.entry(self.ledger, number)) is not None:
            keys[str(entry["part"])] = None
            number += 1
        found = ((key, self.artifacts.find(PART[0], key)) for key in keys)
        return [(key, part) for key, part in found if part is not None]


def _held(artifacts: Sequence[Artifact]) -> dict[bytes, FloatVector]:
    """The vectors that artifacts hold, by the hash of their text."""
    held: dict[bytes, FloatVector] = {}
    for artifact in artifacts:
        columns = artifact.columns("hashes", "matrix")
        hashes = [bytes(one) for one in columns["hashes"]]
        held.update(zip(hashes, np.asarray(columns["matrix"]), strict=True))
    return held


def _key(text: str) -> bytes:
    """The hash as it comes back from a column, which drops zero bytes at the end."""
    return hash_of(text).rstrip(b"\0")
