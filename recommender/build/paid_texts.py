"""Paid texts: what a text API answered, in the artifact store until its shard is made.

Every answer is an artifact of its own, written down in a ledger of its shard, so that whoever goes
on with the shard, on any machine, pays for nothing again. What a run spends stands in a ledger of
its plan of texts: one entry before each call, so that all who work on the run share one budget.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recommender.artifacts.store import Artifact, ArtifactStore, artifact_key
from recommender.build.text_shards import SHARD, Ledger, hash_of
from recommender.core.api_budget import Budget, Purse, Till
from recommender.core.arrays import FloatMatrix, FloatVector
from recommender.core.protocols import PaidEncoder, TextEncoder
from recommender.core.telemetry import silent
from recommender.errors import ArtifactError

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
    """The answers that belong to one shard; once the shard is there, its vectors are found too.

    Those of `others`, shards that were begun and never made, are found as well.
    """

    artifacts: ArtifactStore
    encoder: str
    shard: str
    others: tuple[str, ...] = ()

    def found(self, texts: Sequence[str]) -> dict[str, FloatVector]:
        """Those of the texts that have a vector (d,)."""
        try:
            held = self._held()
        except ArtifactError:  # another run cleared the answers: by now their shard is there
            held = self._held()
        known = {text: held.get(_key(text)) for text in texts}
        return {text: vector for text, vector in known.items() if vector is not None}

    def keep(self, texts: Sequence[str], vectors: FloatMatrix) -> None:
        """Put vectors (n, d) away for good: artifact first, then its line in the ledger."""
        hashes = np.array([hash_of(text) for text in texts], dtype="S32")
        told = hashlib.sha256(hashes.tobytes()).hexdigest()
        key = artifact_key(*PART, {"encoder": self.encoder}, {"documents": told})
        columns = {"hashes": hashes, "matrix": vectors}
        self.artifacts.write(PART[0], key, columns, {"texts": len(texts)})
        ledger = parts_ledger(self.shard)
        at = self.artifacts.end(ledger)
        while not self.artifacts.append(ledger, at, {"part": key}):
            at += 1

    def clear(self) -> None:
        """Remove the answers, whose vectors now lie in the shard."""
        parts = self._parts(self.shard)
        for key, _ in parts:
            with suppress(FileNotFoundError, ArtifactError):  # another run clears them as well
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
class Account:
    """Who encodes the shards of a plan, and pays for it where that costs anything.

    `others` are shards that earlier runs began and never made: what was paid for them counts too.
    """

    encoder: TextEncoder
    purse: Purse
    ledger: Ledger
    answers: Path
    others: tuple[str, ...] = ()

    @classmethod
    def opened(
        cls, encoder: TextEncoder, purse: Purse, ledger: Ledger, end: int, answers: Path
    ) -> "Account":
        """An account behind the first `end` entries of the encoder's ledger."""
        account = cls(encoder, purse, ledger, answers)
        if not isinstance(encoder, PaidEncoder):
            return account
        store = ledger.artifacts
        others = tuple(key for key in ledger.keys(end) if store.find(SHARD[0], key) is None)
        for shard in others:
            if (answers / shard).exists():
                encoder.paying(account._till(shard)).encode([], silent)
        return replace(account, others=others)

    @contextmanager
    def paying(self, shard: str) -> Iterator[TextEncoder]:
        """The encoder for one shard; answers are kept until the block ends well."""
        if not isinstance(self.encoder, PaidEncoder):
            yield self.encoder
            return
        yield self.encoder.paying(self._till(shard))
        self._drawer(shard).clear()

    def _till(self, shard: str) -> Till:
        return Till(self.purse, self._drawer(shard), self.answers / shard)

    def _drawer(self, shard: str) -> ShardDrawer:
        others = tuple(key for key in self.others if key != shard)
        return ShardDrawer(self.ledger.artifacts, self.ledger.encoder, shard, others)


def _key(text: str) -> bytes:
    """The hash as it comes back from a column, which drops zero bytes at the end."""
    return hash_of(text).rstrip(b"\0")
