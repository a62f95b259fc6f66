"""Token packs: which texts go through a model together, so that nothing is padded.

A product of matrices has to see few different shapes: a new one costs oneDNN tens of milliseconds
of code generation. So texts are laid out one behind the other, whatever their length, until a pack
is full, and only the end of a pack is filled up.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PACK = 1536
SMALL_PACK = 256
QUERY_PACK = 32

Lengths = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Group:
    """Texts of one length: their places (b,) in what was asked for, and their tokens each."""

    places: NDArray[np.intp]
    length: int


@dataclass(frozen=True, slots=True)
class Pack:
    """Groups that lie one behind the other in `size` tokens."""

    groups: tuple[Group, ...]
    size: int

    @property
    def n_texts(self) -> int:
        """How many texts there are in it."""
        return sum(len(group.places) for group in self.groups)


def packed(lengths: Lengths, whole: int = PACK) -> Iterator[Pack]:
    """Packs of all texts with these numbers of tokens (n,), the longest first, each once.

    What lies together depends on the lengths alone. Packs hold `whole` tokens, the last ones
    `SMALL_PACK`, or `QUERY_PACK` where no more is left, as of a query; a longer text has one to
    itself, of a multiple of `whole`.
    """
    order = np.argsort(-lengths, kind="stable")
    ends = np.cumsum(lengths[order])
    start = 0
    while start < len(order):
        before = int(ends[start - 1]) if start else 0
        left = int(ends[-1]) - before
        size = _size(left, int(lengths[order[start]]), whole)
        stop = max(start + 1, int(np.searchsorted(ends, before + size, side="right")))
        full = -(-(int(ends[stop - 1]) - before) // size) * size
        yield Pack(tuple(_groups(order[start:stop], lengths)), full)
        start = stop


def _size(left: int, longest: int, whole: int) -> int:
    if left <= QUERY_PACK:
        return QUERY_PACK
    return SMALL_PACK if left < PACK and longest <= SMALL_PACK else whole


def _groups(places: NDArray[np.intp], lengths: Lengths) -> Iterator[Group]:
    own = lengths[places]
    bounds = np.flatnonzero(np.diff(own)) + 1
    for part in np.split(places, bounds):
        yield Group(part, int(lengths[part[0]]))
