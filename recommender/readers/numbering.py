"""Numbering: distinct texts by first appearance."""

from collections.abc import Iterable

import numpy as np

from recommender.core.arrays import Rows


class Numbering:
    """Numbers of texts from `first` on; an empty text has none, which is -1."""

    def __init__(self, first: int = 0) -> None:
        self._first = first
        self._numbers: dict[str, int] = {}

    @property
    def next(self) -> int:
        """The number that the next new text gets."""
        return self._first + len(self._numbers)

    def numbers(self, texts: Iterable[str]) -> Rows:
        """The numbers of texts, new ones numbered as they come."""
        return np.array([self._number(text) for text in texts], dtype=np.int32)

    def texts(self) -> tuple[str, ...]:
        """The numbered texts, in order."""
        return tuple(self._numbers)

    def _number(self, text: str) -> int:
        return self._numbers.setdefault(text, self.next) if text else -1
