"""Tables of ready lists: items, related items, and scores or ranks."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recommender.errors import ConfigError, DataError
from recommender.readers.lists import read_lists


def test_a_rank_is_read_as_its_reciprocal(tmp_path: Path) -> None:
    path = tmp_path / "lists.csv"
    path.write_text("item_id,rank,related_item\na,2,b\na,1,007\n")
    item, related, score = read_lists(path)
    assert (item, related, score.tolist()) == (["a", "a"], ["b", "007"], [0.5, 1.0])


def test_parquet_reads_as_csv_does(tmp_path: Path) -> None:
    path = tmp_path / "lists.parquet"
    table = pa.table({"item": ["a", "b"], "related": ["007", "a"], "score": [0.25, 3.0]})
    pq.write_table(table, path)
    item, related, score = read_lists(path)
    assert (item, related, score.tolist()) == (["a", "b"], ["007", "a"], [0.25, 3.0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item,related\na,b\n", "no column score or rank"),
        ("item,score\na,1\n", "no column related"),
        ("item,related,score\na,b\n", "row 2: 2 fields, 3 expected"),
        ("item,related,score\na,b,high\n", "column score"),
        ("item,related,rank\na,b,0\n", "a rank below 1"),
        ("item,related,score\n", "no entries"),
        ('item,related,score\n"a"x,b,1\n', "no CSV file"),
    ],
)
def test_a_malformed_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "lists.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_lists(path)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_lists(tmp_path / "none.csv")
    (tmp_path / "none.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="no Parquet file"):
        read_lists(tmp_path / "none.parquet")
