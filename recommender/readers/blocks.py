"""Blocks: rows of a table as columns of texts, gathered to a bounded size."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from recommender.readers.plain_rows import PlainRows
from recommender.readers.values import Categorical

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK_ROWS = 50_000
BLOCK_CHARACTERS = 32 * 2**20

Record = tuple[int, list[str]]
"""The line that a row starts at, and its texts."""
Cells = NDArray[np.object_]


class Source(Protocol):
    """What records are read from: how many characters so far, and at which byte of the file."""

    characters: int

    def position(self) -> int:
        """The number of bytes of the file that were read so far."""
        ...


@dataclass(frozen=True, slots=True)
class Block:
    """b well-formed rows: the line that each starts at (b,), and the texts (b,) of each column.

    `position` is the number of bytes of the file that were read so far.
    """

    lines: NDArray[np.int64]
    cells: Mapping[str, Cells]
    position: int
    _categorical: dict[str, Categorical] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def categorical(self, column: str) -> Categorical:
        """A column by its distinct texts, which are found once."""
        if column not in self._categorical:
            packed = self.cells.packed if isinstance(self.cells, PackedCells) else None
            self._categorical[column] = (
                Categorical.of_many(self.cells[column])
                if packed is None
                else Categorical.of_packed(packed[column])
            )
        return self._categorical[column]

    def split(self, column: str, separator: str) -> tuple["Block", int]:
        """The block with a row for each text in the cells of a column, and how many had several."""
        cells = [_parts(cell, separator) for cell in self.cells[column].tolist()]
        sizes = np.array([len(parts) for parts in cells], dtype=np.intp)
        rows = np.repeat(np.arange(len(cells)), sizes)
        split = {name: values[rows] for name, values in self.cells.items()}
        split[column] = np.array([part for parts in cells for part in parts], dtype=object)
        return Block(self.lines[rows], split, self.position), int((sizes > 1).sum())


class PackedCells(Mapping[str, Cells]):
    """The texts (b,) of each column, which become objects of Python when they are asked for."""

    def __init__(self, packed: Mapping[str, "pa.StringArray"]) -> None:
        self.packed = packed

    def __getitem__(self, column: str) -> Cells:
        cells: Cells = self.packed[column].to_numpy(zero_copy_only=False)
        return cells

    def __iter__(self) -> Iterator[str]:
        return iter(self.packed)

    def __len__(self) -> int:
        return len(self.packed)


def gather_blocks(
    rows: Iterator[Record | PlainRows], lines: Source, width: int, places: Mapping[str, int]
) -> Iterator[Block]:
    """Gather records of `width` texts, read from `lines`, into blocks of the texts at `places`.

    A block ends at `BLOCK_ROWS` rows or `BLOCK_CHARACTERS` characters, to bound its memory. Plain
    rows have the texts at `places` alone.
    """
    gathered = _Gathered(width, places, lines.characters)
    for each in rows:
        if isinstance(each, PlainRows):
            yield from _filled(gathered, each, lines)
            continue
        gathered.starts.append(each[0])
        gathered.flat += each[1]
        gathered.n_rows += 1
        full = gathered.n_rows == BLOCK_ROWS
        if full or lines.characters - gathered.begun > BLOCK_CHARACTERS:
            yield gathered.block(lines.position(), lines.characters)
    if gathered.n_rows:
        yield gathered.block(lines.position(), lines.characters)


def _filled(gathered: "_Gathered", rows: PlainRows, lines: Source) -> Iterator[Block]:
    """The blocks that plain rows fill; the rest of them is gathered."""
    while len(rows):
        last = min(
            BLOCK_ROWS - gathered.n_rows - 1,
            int(np.searchsorted(rows.ends, gathered.begun + BLOCK_CHARACTERS, side="right")),
        )
        fitting = rows.part(0, last + 1)
        gathered.plain.append(fitting)
        gathered.n_rows += len(fitting)
        if last < len(rows):
            yield gathered.block(lines.position(), int(rows.ends[last]))
        rows = rows.part(len(fitting), len(rows))


class _Gathered:
    """The rows of a block that began after some characters of the file.

    Texts of records are in one flat list, because a list per row would keep the garbage collector
    busy.
    """

    def __init__(self, width: int, places: Mapping[str, int], begun: int) -> None:
        self.begun = begun
        self.n_rows = 0
        self.starts: list[int] = []
        self.flat: list[str] = []
        self.plain: list[PlainRows] = []
        self._width = width
        self._places = places

    def block(self, position: int, characters: int) -> Block:
        """The rows; the next block begins after some `characters`."""
        lines = np.array(self.starts, dtype=np.int64)
        cells: Mapping[str, Cells] = {
            name: np.array(self.flat[place :: self._width], object)
            for name, place in self._places.items()
        }
        if self.plain:
            lines, cells = self._merged(lines, cells)
        self.starts, self.flat, self.plain = [], [], []
        self.n_rows, self.begun = 0, characters
        return Block(lines, cells, position)

    def _merged(
        self, starts: NDArray[np.int64], cells: Mapping[str, Cells]
    ) -> tuple[NDArray[np.int64], PackedCells]:
        """Plain rows and records in the order of their lines."""
        import pyarrow as pa

        lines = np.concatenate([*(rows.lines for rows in self.plain), starts])
        packed = {}
        for name, texts in cells.items():
            parts = [rows.cells[name] for rows in self.plain]
            if len(texts):
                parts.append(pa.array(texts, pa.string()))
            packed[name] = pa.concat_arrays(parts)
        if len(starts):
            order = np.argsort(lines, kind="stable")
            lines = lines[order]
            packed = {name: texts.take(pa.array(order)) for name, texts in packed.items()}
        return lines, PackedCells(packed)


def _parts(cell: str, separator: str) -> list[str]:
    parts = [part for part in map(str.strip, cell.split(separator)) if part]
    return [part for part in parts if any(map(str.isalnum, part))] or parts[:1] or [""]
