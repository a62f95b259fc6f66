"""The related lists of one generation as keys and values, a batch at a time."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recommender.arrays import blocks
from recommender.errors import DataError
from recommender.ids import ItemIds
from recommender.neighbours import RelatedLists
from recommender.serving import codec
from recommender.serving.keys import Keys, check_placement


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
    def n_lists(self) -> int:
        """How many keys the generation has."""
        return sum(len(lists) for lists in self.lists)

    @property
    def n_entries(self) -> int:
        """How many entries all lists have."""
        return sum(len(lists.rows) for lists in self.lists)

    def batches(self, size: int) -> Iterator[dict[str, bytes]]:
        """All keys and values, at most `size` at a time."""
        for lists in self.lists:
            for rows in blocks(len(lists), size):
                yield self._values(lists, rows)

    def names(self, size: int) -> Iterator[list[str]]:
        """The keys of `batches`, without encoding the values."""
        for lists in self.lists:
            for rows in blocks(len(lists), size):
                yield [self._key(lists, item) for item in self.ids.ids[rows]]

    def sample(self, size: int, seed: int) -> dict[str, bytes]:
        """At most `size` keys and values, drawn evenly."""
        drawn = random.Random(seed).sample(range(self.n_lists), min(size, self.n_lists))
        values: dict[str, bytes] = {}
        for number in drawn:
            lists, row = self.lists[number // len(self.ids)], number % len(self.ids)
            values |= self._values(lists, slice(row, row + 1))
        return values

    def _values(self, lists: RelatedLists, rows: slice) -> dict[str, bytes]:
        offsets = lists.offsets[rows.start : rows.stop + 1].tolist()
        entries = slice(offsets[0], offsets[-1])
        names = self.ids.ids
        others = [names[row] for row in lists.rows[entries].tolist()]
        scores = lists.scores[entries].tolist()
        evidence = lists.evidence[entries].tolist()
        values = {}
        for item, start, end in zip(names[rows], offsets, offsets[1:], strict=False):
            own = slice(start - offsets[0], end - offsets[0])
            values[self._key(lists, item)] = codec.encode_list(
                item, others[own], scores[own], evidence[own]
            )
        return values

    def _key(self, lists: RelatedLists, item: str) -> str:
        return self.keys.related_list(self.generation, lists.placement, item)
