"""The related lists of one generation as keys and values, a batch at a time."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import FloatVector, Rows, blocks
from recommender.core.ids import ItemIds
from recommender.core.lists import RelatedLists
from recommender.core.related import EVIDENCE
from recommender.errors import DataError
from recommender.publishing.records import Records
from recommender.serving import codec
from recommender.serving.keys import Keys, check_placement, list_name

_POPULAR = EVIDENCE.index("popular")


@dataclass(frozen=True, slots=True)
class SomeLists:
    """The lists of some `rows` of a placement; they name any item of `ids`.

    With `best_sellers` also those of the shop, which are shown where there is no list. With
    `records` also the product records of the rows, and the storefront beside the best sellers.
    """

    ids: ItemIds
    lists: RelatedLists
    rows: Rows
    best_sellers: bool = False
    records: Records | None = None

    def __len__(self) -> int:
        lists = len(self.rows) * (1 if self.records is None else 2)
        return lists + self.best_sellers + len(self._storefront)

    @property
    def n_entries(self) -> int:
        """How many entries these lists have."""
        best = len(self.lists.best_sellers) if self.best_sellers else 0
        return int(self.lists.sizes[self.rows].sum()) + best

    def parts(self, size: int) -> Iterator["SomeLists"]:
        """The same lists, at most `size` at a time; the best sellers come first and alone."""
        if self.best_sellers:
            yield replace(self, rows=self.rows[:0])
        for block in blocks(len(self.rows), size if self.records is None else max(1, size // 2)):
            yield replace(self, rows=self.rows[block], best_sellers=False)

    def names(self) -> list[str]:
        """The name of each list, and of each record."""
        placement, ids = self.lists.placement, self.ids.ids
        best = [list_name(placement, codec.BEST_SELLERS)] if self.best_sellers else []
        records = self.records.names(self.rows) if self.records is not None else []
        lists = [list_name(placement, ids[row]) for row in self.rows.tolist()]
        return [*best, *self._storefront, *lists, *records]

    def encoded(self) -> dict[str, bytes]:
        """The value of each list, and of each record, by its name."""
        values = self._storefront
        if self.best_sellers:
            name = list_name(self.lists.placement, codec.BEST_SELLERS)
            values[name] = _encoded_best_sellers(self.ids, self.lists)
        records = self.records.encoded(self.rows) if self.records is not None else ()
        return values | dict(_encoded(self.ids, self.lists, self.rows)) | dict(records)

    @property
    def _storefront(self) -> dict[str, bytes]:
        written = self.best_sellers and self.records is not None
        return self.records.encoded_storefront() if written and self.records else {}


@dataclass(frozen=True, slots=True)
class Staging:
    """What is to be written under `generation`: all lists or, over the generation `base`, some."""

    keys: Keys
    generation: int
    parts: Sequence[SomeLists]
    base: int = 0

    @classmethod
    def full(
        cls,
        keys: Keys,
        generation: int,
        ids: ItemIds,
        lists: Sequence[RelatedLists],
        records: Records | None = None,
    ) -> "Staging":
        """One list per item and placement, and the records of all items.

        Records go with the lists of the first placement. Raises: ConfigError for a malformed
        placement; DataError where there is no list, a placement is given twice or has not one list
        per item.
        """
        placements = [made.placement for made in lists]
        if not sum(map(len, lists)):
            raise DataError(f"shop {keys.shop}: no related list to publish")
        if len(set(placements)) != len(placements):
            raise DataError(f"placements {', '.join(placements)}: one stands twice")
        for made in lists:
            check_placement(made.placement)
            if len(made) != len(ids):
                raise DataError(
                    f"placement {made.placement}: {len(made)} lists for {len(ids)} items"
                )
        rows = np.arange(len(ids), dtype=np.int32)
        parts = [SomeLists(ids, made, rows, best_sellers=True) for made in lists]
        parts[0] = replace(parts[0], records=records)
        return cls(keys, generation, parts)

    @property
    def placements(self) -> tuple[str, ...]:
        """The names of the placements."""
        return tuple(part.lists.placement for part in self.parts)

    @property
    def n_items(self) -> int:
        """How many items there are or, for an overlay, have a list."""
        if not self.base:
            return len(self.parts[0].ids)
        listed = np.unique(np.concatenate([part.rows for part in self.parts]))
        return len(listed) + any(part.best_sellers for part in self.parts)

    @property
    def n_lists(self) -> int:
        """How many lists there are, over all placements."""
        best = sum(part.best_sellers for part in self.parts) if self.base else 0
        return best + sum(len(part.rows) for part in self.parts)

    @property
    def n_keys(self) -> int:
        """How many keys the generation has: lists, best sellers of placements, records."""
        return sum(map(len, self.parts))

    @property
    def n_entries(self) -> int:
        """How many entries all lists have."""
        if self.base:
            return sum(part.n_entries for part in self.parts)
        return sum(len(part.lists.entries) for part in self.parts)

    def list_names(self, size: int) -> Iterator[list[str]]:
        """The names of an overlay's lists, at most `size` at a time; none for a full generation.

        All keys under the number of a full generation are its lists, so that a scan finds them.
        """
        for part in self._split(size) if self.base else ():
            yield part.names()

    def batches(self, size: int) -> Iterator[dict[str, bytes]]:
        """All keys and values, at most `size` at a time."""
        for part in self._split(size):
            yield self._keyed(part)

    def names(self, size: int) -> Iterator[list[str]]:
        """The keys of `batches`, without encoding the values."""
        prefix = self.keys.prefix(self.generation)
        for part in self._split(size):
            yield [prefix + name for name in part.names()]

    def sample(self, size: int, seed: int) -> dict[str, bytes]:
        """At most `size` keys and values, drawn evenly, and the best sellers."""
        total = sum(len(part.rows) for part in self.parts)
        drawn = np.array(sorted(random.Random(seed).sample(range(total), min(size, total))))
        values: dict[str, bytes] = {}
        first = 0
        for part in self.parts:
            places = drawn[(drawn >= first) & (drawn < first + len(part.rows))] - first
            values |= self._keyed(replace(part, rows=part.rows[places.astype(np.int64)]))
            first += len(part.rows)
        return values

    def _split(self, size: int) -> Iterator[SomeLists]:
        for part in self.parts:
            yield from part.parts(size)

    def _keyed(self, part: SomeLists) -> dict[str, bytes]:
        prefix = self.keys.prefix(self.generation)
        return {prefix + name: value for name, value in part.encoded().items()}


def _encoded_best_sellers(ids: ItemIds, lists: RelatedLists) -> bytes:
    """The value of a placement's best sellers."""
    named = [ids.ids[row] for row in lists.best_sellers.tolist()]
    scores = np.linspace(1, 1 / codec.LEVELS, len(named)).tolist()
    return codec.encode_list(codec.BEST_SELLERS, named, scores, [_POPULAR] * len(named))


def _encoded(ids: ItemIds, lists: RelatedLists, rows: Rows) -> Iterator[tuple[str, bytes]]:
    """Name and value of some lists, as `codec.encode_list` writes each, made from whole columns."""
    entries = lists.entries[lists.places(rows)]
    names = ids.ids
    others = [names[row] for row in entries.rows.tolist()]
    letters = _LETTERS[entries.evidence].tobytes().decode()
    codes = _PAIRS[_levels(entries.scores)].tobytes().decode()
    ends = np.cumsum(lists.sizes[rows]).tolist()
    for row, (start, end) in zip(rows.tolist(), pairwise([0, *ends]), strict=True):
        value = "\n".join(
            (
                names[row],
                "\t".join(others[start:end]),
                letters[start:end],
                codes[2 * start : 2 * end],
            )
        )
        yield list_name(lists.placement, names[row]), value.encode()


_LETTERS = np.frombuffer(codec.LETTERS.encode(), dtype=np.uint8)
_PAIRS = np.frombuffer("".join(codec.PAIRS).encode(), dtype="S2")


def _levels(scores: FloatVector) -> NDArray[np.int64]:
    """The place of each score (e,) among the levels."""
    nearest = np.rint(scores.astype(np.float64) * codec.LEVELS).astype(np.int64) - 1
    return np.clip(nearest, 0, codec.LEVELS - 1)
