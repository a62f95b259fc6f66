"""Blocks of records and plain rows, in the order of their lines."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pytest

from recommender.readers import blocks
from recommender.readers.blocks import Block, PackedCells, Record, gather_blocks
from recommender.readers.plain_rows import PlainRows


class File:
    """Ten characters a line."""

    characters = 0

    def position(self) -> int:
        return self.characters

    def read(self, rows: Iterable[Record | PlainRows]) -> Iterable[Record | PlainRows]:
        for row in rows:
            last = int(row.lines[-1]) if isinstance(row, PlainRows) else row[0]
            self.characters = 10 * last
            yield row


def plain(*lines: int) -> PlainRows:
    numbers = np.array(lines, dtype=np.int64)
    return PlainRows(numbers, 10 * numbers, {"item": pa.array([f"i{line}" for line in lines])})


def record(line: int) -> Record:
    return line, ["unused", f"i{line}"]


def gathered(*rows: Record | PlainRows) -> list[tuple[list[int], list[str]]]:
    file = File()
    found = gather_blocks(iter(file.read(rows)), file, 2, {"item": 1})
    return [(block.lines.tolist(), block.cells["item"].tolist()) for block in found]


def test_plain_rows_and_records_are_in_the_order_of_their_lines() -> None:
    ((lines, items),) = gathered(record(1), plain(2, 3), record(4), record(6), plain(7), record(9))
    assert lines == [1, 2, 3, 4, 6, 7, 9]
    assert items == [f"i{line}" for line in lines]


@pytest.mark.parametrize("limit", [("BLOCK_ROWS", 3), ("BLOCK_CHARACTERS", 29)])
@pytest.mark.parametrize(
    "rows",
    [
        tuple(record(line) for line in range(1, 9)),
        (plain(*range(1, 9)),),
        (plain(1, 2), record(3), plain(4, 5, 6, 7, 8)),
        (record(1), plain(2), record(3), record(4), plain(5, 6), plain(7, 8)),
    ],
)
def test_blocks_end_at_the_same_rows_in_either_way(
    rows: tuple[Record | PlainRows, ...], limit: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, *limit)
    assert [lines for lines, _ in gathered(*rows)] == [[1, 2, 3], [4, 5, 6], [7, 8]]


def test_a_column_has_the_same_distinct_texts_however_it_is_held() -> None:
    texts = np.array([" b", "a", " b", "", "é"], dtype=object)
    lines = np.arange(5, dtype=np.int64)
    of_objects = Block(lines, {"item": texts}, 0).categorical("item")
    packed = Block(lines, PackedCells({"item": pa.array(texts)}), 0)
    of_packed = packed.categorical("item")
    assert of_packed.texts == of_objects.texts == ("b", "a", "", "é")
    assert of_packed.codes.tolist() == of_objects.codes.tolist() == [0, 1, 0, 2, 3]
    assert packed.categorical("item") is of_packed
    assert packed.cells["item"].tolist() == texts.tolist()


def test_a_split_of_packed_cells_repeats_the_others() -> None:
    cells = PackedCells({"item": pa.array(["a|b", "c"]), "order": pa.array(["1", "2"])})
    block, several = Block(np.array([1, 2]), cells, 0).split("item", "|")
    assert several == 1
    assert {name: column.tolist() for name, column in block.cells.items()} == {
        "item": ["a", "b", "c"],
        "order": ["1", "1", "2"],
    }
    assert block.categorical("order").codes.tolist() == [0, 0, 1]
