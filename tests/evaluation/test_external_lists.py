"""External lists: read, and aligned with a catalogue, with notes on what was left out."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recommender.core.ids import ItemIds
from recommender.errors import ConfigError, DataError
from recommender.evaluation.external_lists import ExternalLists, read_entries

IDS = ItemIds(("a", "b", "c", "007"))


def scores(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def test_a_rank_is_read_as_its_reciprocal(tmp_path: Path) -> None:
    path = tmp_path / "lists.csv"
    path.write_text("item_id,rank,related_item\na,2,b\na,1,007\n")
    item, related, score = read_entries(path)
    assert (item, related, score.tolist()) == (["a", "a"], ["b", "007"], [0.5, 1.0])


def test_parquet_reads_as_csv_does(tmp_path: Path) -> None:
    path = tmp_path / "lists.parquet"
    table = pa.table({"item": ["a", "b"], "related": ["007", "a"], "score": [0.25, 3.0]})
    pq.write_table(table, path)
    item, related, score = read_entries(path)
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
        ('item,related,score\n"a"x,b,1\n', "not a CSV file"),
    ],
)
def test_a_malformed_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "lists.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_entries(path)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_entries(tmp_path / "none.csv")
    (tmp_path / "none.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="not a Parquet file"):
        read_entries(tmp_path / "none.parquet")


def test_external_lists_are_aligned_best_first_with_notes_on_what_is_left_out() -> None:
    given = ExternalLists(
        "theirs",
        ["a", "a", "a", "a", "b", "x", "b"],
        ["b", "c", "a", "c", "007", "a", "y"],
        scores(0.5, 0.2, 9, 0.7, 1, 1, 1),
    )
    lists, notes = given.aligned(IDS, 3)
    assert lists.rows.tolist() == [[2, 1, -1], [3, -1, -1], [-1] * 3, [-1] * 3]
    assert lists.scores[0, :2].tolist() == pytest.approx([0.7, 0.5])
    assert notes == (
        "theirs: 2 entries with an unknown item; 1 entries of an item in its own list; "
        "1 entries twice in a list; 2 of 4 items without a list",
    )
    whole = ExternalLists("ours", list(IDS), ["b", "c", "007", "a"], scores(1, 1, 1, 1))
    assert whole.aligned(IDS, 3)[1] == ()


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_scores_must_say_an_order(bad: float) -> None:
    with pytest.raises(DataError, match="not a number above 0"):
        ExternalLists("theirs", ["a"], ["b"], scores(bad))
