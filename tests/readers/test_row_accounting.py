import json
from pathlib import Path

import pytest

from recommender.errors import DataError
from recommender.readers.quarantine import Quarantine, RefusedRow, quarantine_at
from recommender.readers.report import FileReport, ReadReport
from recommender.readers.sources import InteractionSource
from tests.readers.shop_folder import Desk

ROW = RefusedRow(3, "price is empty", "price", "")


def test_a_report_survives_json() -> None:
    file = FileReport("catalogue.0", "c.csv", "ab", 3, 1, {"cancelled": 1}, {ROW.reason: 1}, (ROW,))
    report = ReadReport((file,), 1, 2, 3, 4, 5, 6, 7, 8)
    assert ReadReport.from_plain(json.loads(json.dumps(report.plain()))) == report


def test_the_report_of_a_run(desk: Desk) -> None:
    desk.put("c.csv", "item_id,title\na,Ant\nb,Bee\n")
    desk.put("a.csv", "item_id,order_id\na,1\n,2\n")
    report = desk.read("c.csv", "a.csv").report
    assert [(file.key, file.name, file.rows, file.kept) for file in report.files] == [
        ("catalogue.0", "c.csv", 2, 2),
        ("interactions.0.0", "a.csv", 2, 1),
    ]
    assert report.files[1].examples == (RefusedRow(3, "item id: empty", "item_id", ""),)
    assert ReadReport.from_plain(json.loads(json.dumps(report.plain()))) == report


def test_values_are_cut(desk: Desk) -> None:
    desk.put("a.csv", f"item_id,order_id,price\na,1,{'x' * 1_000}\n")
    desk.put("c.csv", "item_id,title\na,Ant\n")
    desk.read("c.csv", InteractionSource("a.csv", price_above=0))
    assert [row["value"] for row in desk.refused()] == ["x" * 100]


def test_without_refused_rows_there_is_no_quarantine_and_an_old_one_goes(desk: Desk) -> None:
    desk.put("a.csv", "item_id,order_id\na,1\n,1\n")
    desk.read(interactions="a.csv")
    assert desk.quarantine.exists()
    desk.put("a.csv", "item_id,order_id\na,1\n")
    desk.read(interactions="a.csv")
    assert list(desk.quarantine.parent.iterdir()) == []


def test_a_quarantine_is_replaced_whole(desk: Desk) -> None:
    for rows in (3, 1):
        desk.put("a.csv", "item_id,order_id\na,1\n" + ",1\n" * rows)
        desk.read(interactions="a.csv")
        assert len(desk.refused()) == rows
    assert list(desk.quarantine.parent.iterdir()) == [desk.quarantine]


def refuse_and_raise(path: Path, fault: BaseException) -> None:
    with quarantine_at(path) as quarantine:
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

    monkeypatch.setattr("recommender.readers.quarantine.os.fsync", full)
    with pytest.raises(OSError, match="No space"), quarantine_at(path) as quarantine:
        quarantine.add("catalogue.0", "c.csv", ROW)
    assert list(tmp_path.iterdir()) == []


def test_a_quarantine_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "q.jsonl"
    quarantine = Quarantine(path)
    quarantine.add("catalogue.0", "c.csv", ROW)
    quarantine.commit()
    assert path.stat().st_mode & 0o777 == 0o600
