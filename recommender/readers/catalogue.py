"""Catalogue: items as they are read, and titles of items that only interactions name."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows
from recommender.core.catalogue import TEXTS, Catalogue
from recommender.core.ids import ItemIds
from recommender.readers.columns import ATTRIBUTE
from recommender.readers.values import Categorical, TextCodes, clean_texts

_TITLES = 2**31
"""More than there are titles: item * _TITLES + title is one number per pair."""


@dataclass(frozen=True, slots=True)
class Items:
    """n items in any order, with repeated ids.

    `texts` are those of `Catalogue`, with attributes as `attributes.NAME`; an unknown text is
    empty. `numbers` are price, in_stock, available_from, and `cut`, which marks items with a text
    that was cut.
    """

    ids: tuple[str, ...]
    texts: Mapping[str, Sequence[str]]
    numbers: Mapping[str, NDArray[Any]]

    @classmethod
    def from_titles(
        cls, ids: Sequence[str], titles: Sequence[str], cut: NDArray[np.bool_]
    ) -> "Items":
        """Items with known titles and nothing else."""
        return cls(tuple(ids), {"title": titles}, unknown_numbers(len(ids)) | {"cut": cut})

    def take(self, places: Sequence[int]) -> "Items":
        """The items at `places`, in that order."""
        return Items(
            ids=tuple(self.ids[place] for place in places),
            texts={
                name: [column[place] for place in places] for name, column in self.texts.items()
            },
            numbers={
                name: column[np.asarray(places, dtype=np.intp)]
                for name, column in self.numbers.items()
            },
        )

    def catalogue(self) -> Catalogue:
        """The items as a catalogue, in their order. Raises: DataError where an id is repeated."""
        blank = ("",) * len(self.ids)
        return Catalogue(
            ids=ItemIds(self.ids),
            **{name: tuple(self.texts.get(name, blank)) for name in TEXTS},
            price=self.numbers["price"].astype(np.float32),
            in_stock=self.numbers["in_stock"],
            available_from=self.numbers["available_from"],
            attributes={
                name.removeprefix(ATTRIBUTE): tuple(column)
                for name, column in self.texts.items()
                if name.startswith(ATTRIBUTE)
            },
        )


def concatenate(parts: Sequence[Items]) -> Items:
    """The items of several parts, one after another."""
    names = dict.fromkeys(name for part in parts for name in part.texts)
    return Items(
        ids=tuple(chain.from_iterable(part.ids for part in parts)),
        texts={
            name: list(
                chain.from_iterable(part.texts.get(name, ("",) * len(part.ids)) for part in parts)
            )
            for name in names
        },
        numbers={
            name: np.concatenate([part.numbers[name] for part in parts])
            for name in unknown_numbers(0)
        },
    )


def unknown_numbers(n_items: int) -> dict[str, NDArray[Any]]:
    """The numbers of n items whose numbers are unknown."""
    return {
        "price": np.full(n_items, np.nan),
        "in_stock": np.ones(n_items, dtype=bool),
        "available_from": np.zeros(n_items, dtype=np.int64),
        "cut": np.zeros(n_items, dtype=bool),
    }


class TitleCounts:
    """Counts the cleaned titles of each item number, to derive a catalogue from interactions.

    With `before` (epoch seconds), only earlier rows count; an item without any has the title of
    its first row.
    """

    def __init__(self, before: int = 0) -> None:
        self._before = before
        self._codes = TextCodes()
        self._counts: Counter[int] = Counter()
        self._first: dict[int, tuple[int, int]] = {}
        self._cut: set[int] = set()

    def add(self, items: Rows, titles: Categorical, times: NDArray[np.int64]) -> None:
        """Count the titles of b rows by their items (b,) at their times (b,)."""
        texts, cut = clean_texts(titles.texts)
        codes = self._codes.codes(texts)
        self._cut.update(codes[cut].tolist())
        title = codes[titles.codes]
        named = title >= 0
        late = (times >= self._before) if self._before else np.zeros(len(items), dtype=bool)
        counted = named & ~late
        pairs = items[counted].astype(np.int64) * _TITLES + title[counted]
        distinct, counts = np.unique(pairs, return_counts=True)
        self._counts.update(dict(zip(distinct.tolist(), counts.tolist(), strict=True)))
        self._note_first(items, title, times, named & late)

    def _note_first(
        self, items: Rows, titles: Rows, times: NDArray[np.int64], late: NDArray[np.bool_]
    ) -> None:
        rows = np.flatnonzero(late)
        order = rows[np.lexsort((rows, times[rows], items[rows]))]
        found, first = np.unique(items[order], return_index=True)
        for item, row in zip(found.tolist(), order[first].tolist(), strict=True):
            noted = (int(times[row]), int(titles[row]))
            if noted[0] < self._first.get(item, (noted[0] + 1, 0))[0]:
                self._first[item] = noted

    def most_frequent(self, n_items: int) -> tuple[list[str], NDArray[np.bool_]]:
        """The most frequent title of each item, the smallest among equals, and cut marks (n,)."""
        texts = self._codes.texts()
        none = (0, "", -1)
        best = [none] * n_items
        for item, (_, title) in self._first.items():
            best[item] = (0, texts[title], title)
        for pair, count in self._counts.items():
            item, title = divmod(pair, _TITLES)
            rank = (-count, texts[title], title)
            best[item] = min(best[item], rank)
        cut = [title in self._cut for _, _, title in best]
        return [text for _, text, _ in best], np.array(cut, dtype=bool)
