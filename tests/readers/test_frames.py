"""Data frames as tables, from pandas and from any library that speaks Arrow."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recommender.errors import DataError
from recommender.readers.frames import Frame, table_of, write_table


def test_an_index_counts_where_it_has_a_name() -> None:
    frame = pd.DataFrame({"item_id": ["a", "b"], "title": ["A", "B"]})
    assert table_of(frame[frame.title == "B"], "catalogue").column_names == ["item_id", "title"]
    named = table_of(frame.set_index("item_id"), "catalogue")
    assert set(named.column_names) == {"item_id", "title"}


def test_ids_with_gaps_are_whole_numbers_again(tmp_path: Path) -> None:
    frame = pd.DataFrame({"user_id": [7.0, None], "price": [2.0, None], "odd": [1.5, 2.0]})
    write_table(table_of(frame, "interactions"), tmp_path / "x", {"user_id", "odd"})
    read = pq.read_table(tmp_path / "x")
    assert read.column("user_id").to_pylist() == [7, None]
    kinds = {name: read.schema.field(name).type for name in read.column_names}
    assert kinds == {"user_id": pa.int64(), "price": pa.float64(), "odd": pa.float64()}


def test_equal_rows_are_equal_bytes_whatever_library_made_them(tmp_path: Path) -> None:
    frame = pd.DataFrame({"item_id": ["a", "b"]})
    frames: list[Frame] = [
        frame,
        pa.table({"item_id": pa.array(["a", "b"])}),
        frame[frame.index < 9],
    ]
    for number, each in enumerate(frames):
        table = table_of(each, "catalogue")
        write_table(table.cast(pa.schema([("item_id", pa.string())])), tmp_path / str(number), ())
    assert len({(tmp_path / str(number)).read_bytes() for number in range(3)}) == 1


@pytest.mark.parametrize("frame", [pd.DataFrame({"item_id": ["a", 1]}), 7], ids=["mixed", "int"])
def test_what_is_no_frame_of_plain_columns_is_refused(frame: Frame) -> None:
    with pytest.raises(DataError, match=r"^catalogue: not a data frame of plain columns"):
        table_of(frame, "catalogue")
