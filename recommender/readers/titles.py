"""Titles: what the interactions call each item, for a shop without a catalogue file."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from recommender.arrays import Rows
from recommender.readers.numbering import Numbering
from recommender.readers.texts import cleaned
from recommender.readers.values import Distinct

_TITLES = 2**31
"""More than there are titles: item * _TITLES + title is one number per pair."""


class Titles:
    """Counts of cleaned titles by item number."""

    def __init__(self) -> None:
        self._numbers = Numbering()
        self._counts: Counter[int] = Counter()
        self._cut: set[int] = set()

    def add(self, items: Rows, titles: Distinct) -> None:
        """Count the titles of b rows by their items (b,)."""
        texts, cut = cleaned(titles.texts)
        numbers = self._numbers.numbers(texts)
        self._cut.update(numbers[cut].tolist())
        named = numbers[titles.codes] >= 0
        pairs = items[named].astype(np.int64) * _TITLES + numbers[titles.codes][named]
        distinct, counts = np.unique(pairs, return_counts=True)
        self._counts.update(dict(zip(distinct.tolist(), counts.tolist(), strict=True)))

    def chosen(self, n_items: int) -> tuple[list[str], NDArray[np.bool_]]:
        """The most frequent title of each item, of equals the smallest; and which were cut (n,)."""
        texts = self._numbers.texts()
        none = (0, "", -1)
        best = [none] * n_items
        for pair, count in self._counts.items():
            item, title = divmod(pair, _TITLES)
            rank = (-count, texts[title], title)
            best[item] = min(best[item], rank)
        cut = [title in self._cut for _, _, title in best]
        return [text for _, text, _ in best], np.array(cut, dtype=bool)
