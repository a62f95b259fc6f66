"""Forgotten users: those whose events no build reads any more.

A ledger of the artifact store holds their keyed hashes, never their ids; every machine that works
for the shop reads it. A run reads the entries that were there when it began.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from recommender.artifacts.store import ArtifactStore
from recommender.errors import ConfigError
from recommender.readers.interactions import user_hash

LEDGER = "forgotten-users"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The forgotten users of one shop; `user_key` is the key of its user ids."""

    artifacts: ArtifactStore
    user_key: bytes = field(repr=False)

    def end(self) -> int:
        """How many entries the ledger has."""
        return self.artifacts.end(LEDGER)

    def hashes(self, end: int) -> frozenset[int]:
        """The keyed hashes in the first `end` entries.

        Raises: ConfigError where they were written under another key, as no user would be found.
        """
        found: set[int] = set()
        for number in range(end):
            entry = self.artifacts.entry(LEDGER, number)
            if entry is None or entry["key"] != self._key:
                raise ConfigError(
                    f"shop {self.artifacts.shop}: state.user_key is not the one under which users "
                    "were forgotten; set that one, or forget them again under the new key and "
                    f"remove {self.artifacts.shop}/ledgers/{LEDGER} from the artifacts"
                )
            found |= {int(value, 16) for value in entry["users"]}
        return frozenset(found)

    def add(self, raw: Sequence[str]) -> int:
        """Forget users by the ids that the shop's files give them; returns how many are new."""
        while True:
            at = self.end()
            new = sorted({user_hash(value, self.user_key) for value in raw} - self.hashes(at))
            entry = {"key": self._key, "users": [f"{value:016x}" for value in new]}
            if not new or self.artifacts.append(LEDGER, at, entry):
                return len(new)

    @property
    def _key(self) -> str:
        return hashlib.sha256(self.user_key).hexdigest()
