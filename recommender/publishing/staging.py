"""The related lists of one generation as keys and values, a batch at a time."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import FloatVector, Rows, blocks
from recommender.core.ids import ItemIds
from recommender.core.lists import RelatedLists
from recommender.core.related import EVIDENCE
from recommender.errors import DataError
from recommender.serving import codec
from recommender.serving.keys import Keys, check_placement, list_name


class Staged(Protocol):
    """The lists of one generation as keys and values: all, or those of an overlay."""

    @property
    def generation(self) -> int:
        """The number under which they are written."""

    @property
    def placements(self) -> tuple[str, ...]:
        """The names of the placements."""

    @property
    def n_items(self) -> int:
        """How many items there are."""

    @property
    def n_lists(self) -> int:
        """How many items have a list, over all placements."""

    @property
    def n_keys(self) -> int:
        """How many keys the generation has."""

    @property
    def n_entries(self) -> int:
        """How many entries all lists have."""

    def list_names(self, size: int) -> Iterator[list[str]]:
        """The names of the lists where they must be written down; nothing where a scan will do."""

    def batches(self, size: int) -> Iterator[dict[str, bytes]]:
        """All keys and values, at most `size` at a time."""

    def names(self, size: int) -> Iterator[list[str]]:
        """The keys of `batches`, without encoding the values."""

    def sample(self, size: int, seed: int) -> dict[str, bytes]:
        """At most `size` keys and values, drawn evenly."""


@dataclass(frozen=True, slots=True)
class Staging:
    """What is to be written under `generation`: one list per item and placement.

    Raises: ConfigError for a malformed placement; DataError where there is no list, a placement
    stands twice or has not one list per item.
    """

    keys: Keys
    generation: int
    ids: ItemIds
    lists: Sequence[RelatedLists]

    def __post_init__(self) -> None:
        placements = [lists.placement for lists in self.lists]
        if not self.n_lists:
            raise DataError(f"shop {self.keys.shop}: no related list to publish")
        if len(set(placements)) != len(placements):
            raise DataError(f"placements {', '.join(placements)}: one stands twice")
        for lists in self.lists:
            check_placement(lists.placement)
            if len(lists) != len(self.ids):
                raise DataError(
                    f"placement {lists.placement}: {len(lists)} lists for {len(self.ids)} items"
                )

    @property
    def placements(self) -> tuple[str, ...]:
        """The names of the placements."""
        return tuple(lists.placement for lists in self.lists)

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return len(self.ids)

    @property
    def n_lists(self) -> int:
        """How many items have a list, over all placements."""
        return sum(len(lists) for lists in self.lists)

    @property
    def n_keys(self) -> int:
        """How many keys the generation has: its lists, and each placement's best sellers."""
        return self.n_lists + len(self.lists)

    @property
    def n_entries(self) -> int:
        """How many entries all lists have."""
        return sum(len(lists.entries) for lists in self.lists)

    def list_names(self, size: int) -> Iterator[list[str]]:
        """Nothing: all keys under the number of the generation are its lists."""
        return iter(())

    def batches(self, size: int) -> Iterator[dict[str, bytes]]:
        """All keys and values, at most `size` at a time."""
        for lists in self.lists:
            yield self.best_sellers(lists)
            for rows in blocks(len(lists), size):
                yield self.values(lists, rows)

    def names(self, size: int) -> Iterator[list[str]]:
        """The keys of `batches`, without encoding the values."""
        prefix = self.keys.prefix(self.generation)
        for lists in self.lists:
            placement = lists.placement
            yield [prefix + list_name(placement, codec.BEST_SELLERS)]
            for rows in blocks(len(lists), size):
                yield [prefix + list_name(placement, item) for item in self.ids.ids[rows]]

    def sample(self, size: int, seed: int) -> dict[str, bytes]:
        """At most `size` keys and values, drawn evenly, and the best sellers."""
        drawn = random.Random(seed).sample(range(self.n_lists), min(size, self.n_lists))
        values: dict[str, bytes] = {}
        for lists in self.lists:
            values |= self.best_sellers(lists)
        for number in drawn:
            lists, row = self.lists[number // len(self.ids)], number % len(self.ids)
            values |= self.values(lists, slice(row, row + 1))
        return values

    def values(self, lists: RelatedLists, rows: slice) -> dict[str, bytes]:
        """The keys and values of a block of rows."""
        prefix = self.keys.prefix(self.generation)
        named = encoded(self.ids, lists, np.arange(rows.start, rows.stop, dtype=np.int32))
        return {prefix + name: value for name, value in named}

    def best_sellers(self, lists: RelatedLists) -> dict[str, bytes]:
        """The list of those for whom there is none."""
        key = self.keys.related_list(self.generation, lists.placement, codec.BEST_SELLERS)
        return {key: encoded_best_sellers(self.ids, lists)}


def encoded_best_sellers(ids: ItemIds, lists: RelatedLists) -> bytes:
    """The value of a placement's best sellers."""
    named = [ids.ids[row] for row in lists.best_sellers.tolist()]
    scores = np.linspace(1, 1 / codec.LEVELS, len(named)).tolist()
    popular = [EVIDENCE.index("popular")] * len(named)
    return codec.encode_list(codec.BEST_SELLERS, named, scores, popular)


def encoded(ids: ItemIds, lists: RelatedLists, rows: Rows) -> Iterator[tuple[str, bytes]]:
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
