import json
from pathlib import Path

import pytest

from recommender.errors import DataError
from recommender.readers.row_accounting import (
    FileReport,
    Quarantine,
    ReadReport,
    RefusedRow,
    open_quarantine,
)
from recommender.readers.sources import InteractionSource
from tests.readers.shop_folder import Folder

ROW = RefusedRow(3, "price is empty", "price", "")


def test_a_report_is_plain_json() -> None:
    file = FileReport("catalogue.0", "c.csv", "ab", 3, 1, {"cancelled": 1}, {ROW.reason: 1}, (ROW,))
    report = ReadReport((file,), 1, 2, 3, 4, 5, 6, 7, 8)
    assert json.loads(json.dumps(report.plain())) == {
        "files": [
            {
                "key": "catalogue.0",
                "name": "c.csv",
                "sha256": "ab",
                "rows": 3,
                "kept": 1,
                "left_out": {"cancelled": 1},
                "refused": {"price is empty": 1},
                "examples": [
                    {"line": 3, "reason": "price is empty", "column": "price", "value": ""}
                ],
                "noted": {},
                "noted_examples": [],
            }
        ],
        "n_items": 1,
        "n_interactions": 2,
        "cold_items": 3,
        "absent_from_catalogue": 4,
        "duplicate_ids": 5,
        "shortened": 6,
        "out_of_scope": 7,
        "too_old": 8,
        "not_for_sale": 0,
        "of_cancelled_orders": 0,
        "returned": 0,
        "after_as_of": 0,
        "of_variants": 0,
        "n_catalogue_events": 0,
        "in_several_categories": 0,
        "boilerplate": {},
        "joins": [],
        "warnings": [],
    }


def test_values_are_cut(folder: Folder) -> None:
    folder.put("a.csv", f"item_id,order_id,price\na,1,{'x' * 1_000}\n")
    folder.put("c.csv", "item_id,title\na,Ant\n")
    folder.read("c.csv", InteractionSource("a.csv", price_above=0))
    assert [row["value"] for row in folder.refused()] == ["x" * 100]


def test_without_refused_rows_there_is_no_quarantine_and_an_old_one_goes(
    folder: Folder,
) -> None:
    folder.put("a.csv", "item_id,order_id\na,1\n,1\n")
    folder.read(interactions="a.csv")
    assert folder.quarantine.exists()
    folder.put("a.csv", "item_id,order_id\na,1\n")
    folder.read(interactions="a.csv")
    assert list(folder.quarantine.parent.iterdir()) == []


def test_a_quarantine_is_replaced_whole(folder: Folder) -> None:
    for rows in (3, 1):
        folder.put("a.csv", "item_id,order_id\na,1\n" + ",1\n" * rows)
        folder.read(interactions="a.csv")
        assert len(folder.refused()) == rows
    assert list(folder.quarantine.parent.iterdir()) == [folder.quarantine]


def refuse_and_raise(path: Path, fault: BaseException) -> None:
    with open_quarantine(path) as quarantine:
        quarantine.add("catalogue.0", "c.csv", ROW)
        raise fault


def test_a_run_that_stops_at_faulty_data_leaves_what_it_refused(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text("old\n")
    with pytest.raises(DataError, match="too many"):
        refuse_and_raise(path, DataError("too many"))
    assert json.loads(path.read_text()) == {
        "input": "catalogue.0",
        "file": "c.csv",
        "line": 3,
        "reason": "price is empty",
        "column": "price",
        "value": "",
    }


@pytest.mark.parametrize("fault", [KeyboardInterrupt, OSError, RuntimeError])
def test_a_run_that_is_killed_leaves_the_old_one(
    tmp_path: Path, fault: type[BaseException]
) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text("old\n")
    with pytest.raises(fault):
        refuse_and_raise(path, fault())
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_no_half_quarantine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "q.jsonl"

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recommender.readers.row_accounting.os.fsync", full)
    with pytest.raises(OSError, match="No space"), open_quarantine(path) as quarantine:
        quarantine.add("catalogue.0", "c.csv", ROW)
    assert list(tmp_path.iterdir()) == []


def test_a_quarantine_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "q.jsonl"
    quarantine = Quarantine(path)
    quarantine.add("catalogue.0", "c.csv", ROW)
    quarantine.end(keep=True)
    assert path.stat().st_mode & 0o777 == 0o600


def test_too_many_refused_rows_stop_the_run_with_all_that_helps(folder: Folder) -> None:
    rows = "a,1,x\n" * 3 + "a,1,2\n" * 97
    folder.put("a.csv", f"item_id,order_id,quantity\n{rows}")
    source = InteractionSource("a.csv", quantity_above=0)
    with pytest.raises(DataError) as caught:
        folder.read(interactions=source, refused_share_max=0.02)
    assert str(caught.value) == (
        "a.csv: 3 of 100 rows refused (3.0%, refused_share_max is 2.0%): quantity is not a number "
        "(3; first: line 2, value 'x'): correct columns.quantity, or unset quantity_above. The "
        f"rows are listed in {folder.quarantine}; correct them or the settings, or raise "
        "refused_share_max"
    )
    assert [row["line"] for row in folder.refused()] == [2, 3, 4]
    assert len(folder.read(interactions=source, refused_share_max=0.03).interactions) == 97


def test_the_share_is_judged_file_by_file(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id\n" + "a,1\n" * 1_000)
    folder.put("b.csv", "item_id,order_id\n" + "a,1\n" * 9 + "a\n")
    with pytest.raises(DataError, match=r"^b\.csv: 1 of 10 rows refused"):
        folder.read(interactions=InteractionSource(("a.csv", "b.csv")), refused_share_max=0.02)


def test_many_strange_kinds_stay_a_short_report(folder: Folder) -> None:
    rows = "".join(f"a,1,{'k' * 60}{number}\n" for number in range(200))
    folder.put("a.csv", f"item_id,order_id,kind\n{rows}b,1,purchase\nb,1,\x1b[31m\n")
    (file,) = folder.read(interactions="a.csv").report.files
    assert file.left_out == {
        f"kind {'k' * 40} has no weight": 200,
        "kind '\\x1b[31m' has no weight": 1,
    }
    rows = "".join(f"a,1,{number}\n" for number in range(200))
    folder.put("a.csv", f"item_id,order_id,kind\n{rows}b,1,purchase\n")
    (file,) = folder.read(interactions="a.csv").report.files
    assert len(file.left_out) == 51
    assert file.left_out["other reasons"] == 150


def test_all_reasons_of_a_file_are_shown_the_most_frequent_first(folder: Folder) -> None:
    rows = "a,1,soon\n" * 2 + "a,1\n" * 3 + ",1,2025-01-01\n"
    folder.put("a.csv", f"item_id,order_id,time\n{rows}")
    with pytest.raises(DataError) as caught:
        folder.read(interactions="a.csv", refused_share_max=0.5)
    first, second, third = (
        str(caught.value).index(reason)
        for reason in (
            "2 fields, 3 expected (3; first: line 4): set delimiter",
            "time is not an ISO 8601 time (2; first: line 2, value 'soon'): set time_format",
            "item id: empty (1; first: line 7, value ''): export the ids",
        )
    )
    assert first < second < third
