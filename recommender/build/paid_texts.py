"""Paid texts: answers of a text API, kept in the artifact store until their shard is made.

Each answer is an artifact of its own with an entry in a ledger of its shard. Whoever continues with
the shard, on any machine, therefore pays for none of it again. A run's spending is in a ledger of
its plan of texts: one entry before each call, so that all workers of the run share one budget.
"""

import fcntl
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from recommender.artifacts.store import Artifact, artifact_key
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


class PaidPlan:
    """What all workers on a plan of texts paid for, of one budget; the ledger of its encoder.

    Answers are kept for one `shard` at a time. Those for shards that earlier runs began and never
    made, in the first `end` entries of the ledger of shards, are found as well.
    """

    def __init__(self, shards: Ledger, end: int, plan: str, budget: Budget) -> None:
        self.artifacts, self.fingerprint = shards.artifacts, shards.encoder
        self.spending, self.budget = spending_ledger(plan), budget
        self.entries = self.calls = self.tokens = self.owed = 0
        self.shards, self.end, self.shard = shards, end, ""

    def reserve(self, tokens: int) -> None:
        """Count one call of so many tokens, before it is made. Raises: ProviderFailed."""
        written = False
        while not written:
            for entry in self._entries(self.spending, self.entries):
                self.entries += 1
                self.calls += int(entry["calls"])
                self.tokens += int(entry["tokens"])
            taken = tokens + self.owed
            self.budget.check(self.calls + 1, self.tokens + taken)
            entry = {"calls": 1, "tokens": taken}
            written = self.artifacts.append(self.spending, self.entries, entry)
        self.owed = 0

    def found(self, texts: Sequence[str]) -> dict[str, FloatVector]:
        """Those of the texts that have a vector (d,)."""
        try:
            held = self._held()
        except ArtifactError:  # another run removed the answers, so by now their shard is made
            held = self._held()
        known = {text: held.get(_key(text)) for text in texts}
        return {text: vector for text, vector in known.items() if vector is not None}

    def keep(self, texts: Sequence[str], vectors: FloatMatrix, more: int) -> None:
        """Store vectors (n, d) durably: the artifact first, then its entry in the ledger.

        Tokens above or below those reserved are written with the next call.
        """
        hashes = np.array([hash_of(text) for text in texts], dtype="S32")
        digest = hashlib.sha256(hashes.tobytes()).hexdigest()
        key = artifact_key(*PART, {"encoder": self.fingerprint}, {"documents": digest})
        columns = {"hashes": hashes, "matrix": vectors}
        self.artifacts.write(PART[0], key, columns, {"texts": len(texts)})
        ledger = parts_ledger(self.shard)
        at = self.artifacts.end(ledger)
        while not self.artifacts.append(ledger, at, {"part": key}):
            at += 1
        self.owed += more

    def clear(self) -> None:
        """Remove the answers, whose vectors are now in the shard."""
        parts = self._parts(self.shard)
        with suppress(FileNotFoundError, ArtifactError):  # another run removes them as well
            for part in parts:
                self.artifacts.discard(PART[0], part.key)
            if parts:
                self.artifacts.forget_ledger(parts_ledger(self.shard))

    @cached_property
    def _unmade(self) -> tuple[str, ...]:
        find = self.artifacts.find
        return tuple(key for key in self.shards.keys(self.end) if find(SHARD[0], key) is None)

    def _held(self) -> dict[bytes, FloatVector]:
        """All vectors of this shard and those never made, by the hash of their text."""
        held: dict[bytes, FloatVector] = {}
        for shard in dict.fromkeys((*self._unmade, self.shard)):
            made = self.artifacts.find(SHARD[0], shard)
            for part in self._parts(shard) if made is None else [made]:
                columns = part.columns("hashes", "matrix")
                hashes = [bytes(one) for one in columns["hashes"]]
                held.update(zip(hashes, np.asarray(columns["matrix"]), strict=True))
        return held

    def _parts(self, shard: str) -> list[Artifact]:
        """The answers for a shard that are there."""
        entries = self._entries(parts_ledger(shard))
        keys = dict.fromkeys(str(entry["part"]) for entry in entries)
        found = (self.artifacts.find(PART[0], key) for key in keys)
        return [part for part in found if part is not None]

    def _entries(self, ledger: str, number: int = 0) -> Iterator[Mapping[str, Any]]:
        """The entries of a ledger from a number on."""
        while (entry := self.artifacts.entry(ledger, number)) is not None:
            yield entry
            number += 1


@contextmanager
def paying(encoder: TextEncoder, paid: PaidPlan, shard: str, lock: Path) -> Iterator[TextEncoder]:
    """The encoder of one shard; what a paid one is answered is kept until the block ends well.

    On one machine, one process at a time encodes a paid shard. It holds the lock of the shard, a
    byte of the file `lock`, which the system frees when the process ends.
    """
    if not isinstance(encoder, PaidEncoder):
        yield encoder
        return
    lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with lock.open("a") as file:
        fcntl.lockf(file, fcntl.LOCK_EX, 1, crc32(shard.encode()))
        paid.shard = shard
        yield encoder.paying(paid)
        paid.clear()


def _key(text: str) -> bytes:
    """The hash as it comes back from a column, which drops zero bytes at the end."""
    return hash_of(text).rstrip(b"\0")
