"""Row selection: a row is counted once, for its first reason."""

from pathlib import Path

import numpy as np
import pytest

from recommender.readers.files import InputFile
from recommender.readers.row_accounting import Quarantine, RowAccounting
from recommender.readers.row_selection import RowSelection
from recommender.readers.values import Categorical
from tests.readers.shop_folder import Folder


@pytest.fixture
def accounting(tmp_path: Path) -> RowAccounting:
    file = InputFile("interactions", 0, "orders.csv", tmp_path / "orders.csv", "csv")
    return RowAccounting(file, Quarantine(tmp_path / "quarantine.jsonl"))


def cells(*texts: str) -> Categorical:
    return Categorical.of(np.array(texts, dtype=object))


def test_a_row_is_dropped_for_its_first_reason_alone(accounting: RowAccounting) -> None:
    selection = RowSelection(np.arange(2, 6), accounting)
    selection.leave_out(cells("a", "b", "b", "c"), ["", "b is left out", ""])
    selection.refuse("price", cells("1", "x", "1", "x"), ["", "price is no number"])
    assert selection.drop(np.array([True, True, False, True]), "too old").tolist() == [0]
    assert selection.keep().tolist() == []
    assert accounting.rows == 4
    assert accounting.kept == 0


def test_only_rows_that_remain_are_noted(accounting: RowAccounting) -> None:
    selection = RowSelection(np.arange(2, 5), accounting)
    selection.drop(np.array([True, False, False]), "too old")
    selection.note("item", cells("x", "x", "y"), ["repaired", ""], show=False)
    assert selection.keep().tolist() == [1, 2]
    assert accounting.rows == 3
    assert accounting.kept == 2


def test_a_header_that_joined_files_repeat_is_left_out(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title,price\na,A,1\nitem_id,title,price\nb,B,2\n")
    folder.put("o.csv", "item_id,order_id\na,1\nitem_id,order_id\nb,1\n")
    data = folder.read("c.csv", "o.csv")
    assert data.catalogue.ids.ids == ("a", "b")
    assert [file.left_out for file in data.report.files] == [{"the header again": 1}] * 2
    folder.put("c.csv", "item_id,title\nitem_id,A title of its own\n")
    assert folder.read("c.csv").catalogue.ids.ids == ("item_id",)
