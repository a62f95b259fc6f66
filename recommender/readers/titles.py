"""Titles: what the interactions call each item, for a shop without a catalogue file."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows
from recommender.readers.numbering import Numbering
from recommender.readers.texts import cleaned
from recommender.readers.values import Distinct

_TITLES = 2**31
"""More than there are titles: item * _TITLES + title is one number per pair."""


class Titles:
    """Counts of cleaned titles by item number; with `before` (epoch seconds) of earlier rows alone.

    An item that has no earlier row has the title of its first one.
    """

    def __init__(self, before: int = 0) -> None:
        self._before = before
        self._numbers = Numbering()
        self._counts: Counter[int] = Counter()
        self._first: dict[int, tuple[int, int]] = {}
        self._cut: set[int] = set()

    def add(self, items: Rows, titles: Distinct, times: NDArray[np.int64]) -> None:
        """Count the titles of b rows by their items (b,) at their times (b,)."""
        texts, cut = cleaned(titles.texts)
        numbers = self._numbers.numbers(texts)
        self._cut.update(numbers[cut].tolist())
        named = numbers[titles.codes] >= 0
        late = (times >= self._before) if self._before else np.zeros(len(items), dtype=bool)
        counted = named & ~late
        pairs = items[counted].astype(np.int64) * _TITLES + numbers[titles.codes][counted]
        distinct, counts = np.unique(pairs, return_counts=True)
        self._counts.update(dict(zip(distinct.tolist(), counts.tolist(), strict=True)))
        self._note_first(items, numbers[titles.codes], times, named & late)

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

    def chosen(self, n_items: int) -> tuple[list[str], NDArray[np.bool_]]:
        """The most frequent title of each item, of equals the smallest; and which were cut (n,)."""
        texts = self._numbers.texts()
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
