"""Users: the keyed hash that replaces a shop's user ids on reading."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows
from recommender.errors import ConfigError

MIN_KEY_BYTES = 16
MAX_KEY_BYTES = 64


def user_hash(raw: str, key: bytes) -> int:
    """The keyed hash of a raw user id: 64 bits that say nothing without the key."""
    digest = hashlib.blake2b(raw.encode("utf-8", "surrogatepass"), key=key, digest_size=8)
    return int.from_bytes(digest.digest(), "little")


class Users:
    """Numbers of users by first appearance, and the hash behind each.

    `forgotten` are the hashes of users whose events are left out.
    Raises: ConfigError where the key is too short to keep a secret, or longer than the hash takes.
    """

    def __init__(self, key: bytes, forgotten: frozenset[int] = frozenset()) -> None:
        if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
            raise ConfigError(
                f"the user key has {len(key)} bytes; "
                f"give {MIN_KEY_BYTES} to {MAX_KEY_BYTES} random ones"
            )
        self._key = key
        self._forgotten = forgotten
        self._numbers: dict[str, int] = {"": -1}
        self._hashes: list[int] = []

    def forgotten(self, raw: Sequence[str]) -> list[bool]:
        """Which of the raw user ids are those of forgotten users."""
        if not self._forgotten:
            return [False] * len(raw)
        return [user_hash(text, self._key) in self._forgotten for text in raw]

    def numbers(self, raw: Iterable[str]) -> Rows:
        """The numbers of raw user ids, -1 for an empty one."""
        return np.array([self._number(text) for text in raw], dtype=np.int32)

    def _number(self, raw: str) -> int:
        known = self._numbers.get(raw)
        if known is not None:
            return known
        self._numbers[raw] = len(self._hashes)
        self._hashes.append(user_hash(raw, self._key))
        return self._numbers[raw]

    def hashes(self) -> NDArray[np.uint64]:
        """The hash behind each number (u,)."""
        return np.array(self._hashes, dtype=np.uint64)
