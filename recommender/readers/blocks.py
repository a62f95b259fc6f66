"""Blocks: what every format is read into, text cells with the rows' line numbers."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recommender.readers.header import Header
from recommender.readers.lines import Lines

BLOCK_ROWS = 50_000
BLOCK_CHARACTERS = 32 * 2**20

Record = tuple[int, list[str]]
"""The line that a row starts at, and its texts."""


@dataclass(frozen=True, slots=True)
class Block:
    """b well-formed rows: the line each starts at (b,), and a column of texts (b,) per name.

    `position` is the number of the file's bytes that were read up to here.
    """

    lines: NDArray[np.int64]
    cells: Mapping[str, NDArray[np.object_]]
    position: int


class Table(Protocol):
    """An open file, read once from its start to its end."""

    header: Header

    def blocks(self, names: Sequence[str], ids: Collection[str]) -> Iterator[Block]:
        """The named columns in blocks; a missing value is an empty text.

        Malformed rows go to the ledger instead. Columns in `ids` hold ids, which are text or
        whole numbers. Raises: DataError where the file cannot be read on.
        """
        ...


def gathered(
    records: Iterator[Record], lines: Lines, width: int, places: Mapping[str, int]
) -> Iterator[Block]:
    """Gather records of `width` texts, read from `lines`, into blocks of the texts at `places`.

    A block ends at `BLOCK_ROWS` rows or `BLOCK_CHARACTERS` characters, so that it fits into
    memory. The texts lie in one flat list: a list per row would keep the garbage collector busy.
    """
    starts: list[int] = []
    flat: list[str] = []
    begun = lines.characters

    def block() -> Block:
        cells = {name: cell_array(flat[place::width]) for name, place in places.items()}
        return Block(np.array(starts, dtype=np.int64), cells, lines.position())

    for start, texts in records:
        starts.append(start)
        flat += texts
        if len(starts) == BLOCK_ROWS or lines.characters - begun > BLOCK_CHARACTERS:
            yield block()
            starts, flat, begun = [], [], lines.characters
    if starts:
        yield block()


def cell_array(texts: Sequence[str]) -> NDArray[np.object_]:
    """Texts as an array of Python strings (b,)."""
    cells = np.empty(len(texts), dtype=object)
    cells[:] = texts
    return cells
