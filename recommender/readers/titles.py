"""Titles: what interactions say that items are called, where there is no catalogue."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows
from recommender.readers.values import Categorical, TextCodes, clean_texts

_TITLES = 2**31
"""More than there are titles: item * _TITLES + title is one number per pair."""


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
