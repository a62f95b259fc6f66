"""Lists of a few items, laid over a full generation: what a refresh publishes between reindexes."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise

from recommender.core import item_id
from recommender.core.arrays import Rows
from recommender.core.ids import ItemIds
from recommender.core.lists import RelatedLists
from recommender.core.related import EVIDENCE, RelatedItem
from recommender.errors import DataError
from recommender.publishing.staging import encoded, encoded_best_sellers
from recommender.serving import codec
from recommender.serving.keys import Keys, check_placement, list_name


@dataclass(frozen=True, slots=True)
class ItemLists:
    """The lists of some items in one placement, by id, best first.

    They refer to any item of the catalogue by its id. An empty list says that the item has no
    related items any more.

    Raises: DataError where an id is none, a list holds its own item or one item twice, a score is
    not in (0, 1] or falls short of the next, or evidence is unknown; ConfigError for the
    placement.
    """

    placement: str
    lists: Mapping[str, Sequence[RelatedItem]]

    def __post_init__(self) -> None:
        check_placement(self.placement)
        for item, entries in self.lists.items():
            if reason := _fault(item, entries):
                raise DataError(f"related list {self.placement} of {item!r:.60}: {reason}")

    def encoded(self) -> dict[str, bytes]:
        """The value of each list by its name."""
        return {
            list_name(self.placement, item): codec.encode_list(
                item,
                [entry.id for entry in entries],
                [entry.score for entry in entries],
                [EVIDENCE.index(entry.evidence) for entry in entries],
            )
            for item, entries in self.lists.items()
        }


@dataclass(frozen=True, slots=True)
class SomeLists:
    """The lists of some `rows` of a placement, as columns; they name any item of `ids`.

    With `best_sellers` also those of the shop, which are shown where there is no list.
    """

    ids: ItemIds
    lists: RelatedLists
    rows: Rows
    best_sellers: bool = False

    def __len__(self) -> int:
        return len(self.rows) + self.best_sellers

    def encoded(self) -> dict[str, bytes]:
        """The value of each list by its name."""
        values = dict(encoded(self.ids, self.lists, self.rows))
        if self.best_sellers:
            name = list_name(self.lists.placement, codec.BEST_SELLERS)
            values[name] = encoded_best_sellers(self.ids, self.lists)
        return values


@dataclass(frozen=True)
class Overlay:
    """What is to be written under `generation`: the values of some lists by their names."""

    keys: Keys
    generation: int
    values: Mapping[str, bytes]

    @cached_property
    def placements(self) -> tuple[str, ...]:
        """The placements that it has lists of."""
        return tuple(dict.fromkeys(name.partition(":")[0] for name in self.values))

    @property
    def n_items(self) -> int:
        """How many items have a list."""
        return len({name.partition(":")[2] for name in self.values})

    @property
    def n_lists(self) -> int:
        """How many lists there are, over all placements."""
        return len(self.values)

    @property
    def n_keys(self) -> int:
        """How many keys the generation has."""
        return len(self.values)

    @property
    def n_entries(self) -> int:
        """How many entries all lists have."""
        return sum(len(value.split(b"\n")[2]) for value in self.values.values())

    def list_names(self, size: int) -> Iterator[list[str]]:
        """The names of the lists, at most `size` at a time."""
        names = iter(self.values)
        while batch := list(islice(names, size)):
            yield batch

    def batches(self, size: int) -> Iterator[dict[str, bytes]]:
        """All keys and values, at most `size` at a time."""
        for names in self.list_names(size):
            yield self._named(names)

    def names(self, size: int) -> Iterator[list[str]]:
        """The keys of `batches`."""
        for names in self.list_names(size):
            yield [self.keys.prefix(self.generation) + name for name in names]

    def sample(self, size: int, seed: int) -> dict[str, bytes]:
        """At most `size` keys and values, drawn evenly."""
        names = random.Random(seed).sample([*self.values], min(size, len(self.values)))
        return self._named(names)

    def _named(self, names: list[str]) -> dict[str, bytes]:
        prefix = self.keys.prefix(self.generation)
        return {prefix + name: self.values[name] for name in names}


def _fault(item: str, entries: Sequence[RelatedItem]) -> str | None:
    ids = [entry.id for entry in entries]
    for name in (item, *ids):
        if reason := item_id.fault(name):
            return f"item id {name!r:.60}: {reason}"
    if item in ids or len(set(ids)) != len(ids):
        return "it holds its own item, or an item twice"
    bounds = [1.0, *(entry.score for entry in entries)]
    if not all(higher >= lower > 0 for higher, lower in pairwise(bounds)):
        return "scores fall and are in (0, 1]"
    if not all(entry.evidence in EVIDENCE for entry in entries):
        return f"evidence is one of {', '.join(EVIDENCE)}"
    return None
