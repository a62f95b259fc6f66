"""ItemIds: the only border between an item id and a row."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from recommender.core import item_id
from recommender.core.arrays import Columns, Rows, frozen, pack_texts, unpack_texts
from recommender.errors import DataError

TIE_SEED = b"ties"


def tie_order(values: Sequence[str]) -> Rows:
    """The places (n,) of ids in the order of their seeded hashes, the same on every machine."""
    hashed = [blake2b(value.encode(), digest_size=8, key=TIE_SEED).digest() for value in values]
    return np.argsort(np.frombuffer(b"".join(hashed), ">u8"), kind="stable").astype(np.int32)


@dataclass(frozen=True, slots=True)
class ItemIds:
    """The row order of one build: n distinct item ids.

    A build has its items in the order of `tie_order`, and all that is equal otherwise is in row
    order: so neither the order of a file nor that of the alphabet breaks a tie.

    Raises: DataError where an id is not one, or stands twice.
    """

    ids: tuple[str, ...]
    _rows: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for row, reason in item_id.faults(self.ids):
            raise DataError(f"item id {self.ids[row]!r:.60}: {reason}")
        rows = dict(zip(self.ids, range(len(self.ids)), strict=True))
        if len(rows) != len(self.ids):
            twice = next(value for row, value in enumerate(self.ids) if rows[value] != row)
            raise DataError(f"item id {twice!r} stands twice")
        object.__setattr__(self, "_rows", rows)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __contains__(self, value: object) -> bool:
        return value in self._rows

    def row(self, value: str) -> int:
        """The row of one id. Raises: KeyError where it is unknown."""
        return self._rows[value]

    def rows(self, values: Iterable[str]) -> Rows:
        """The rows of ids, -1 where an id is unknown."""
        known = self._rows
        return frozen(np.array([known.get(value, -1) for value in values], dtype=np.int32))

    def columns(self) -> Columns:
        """The ids as arrays."""
        return pack_texts("ids", self.ids)

    @classmethod
    def from_columns(cls, columns: Columns) -> "ItemIds":
        """Undo `columns`."""
        return cls(unpack_texts("ids", columns))
