import json
from pathlib import Path

import pytest

from recommender.errors import ConfigError
from recommender.insights.looks import Look, looks, same_layout


def found(folder: Path, name: str, content: str | bytes) -> Look:
    data = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(data)
    (one,) = looks([name], folder)
    return one


@pytest.mark.parametrize(
    ("name", "content", "layout"),
    [
        ("a.csv", "sku,name\n1,A\n", {}),
        ("a.csv", "sku;name\n1;A\n", {"delimiter": ";"}),
        ("a.csv", "sku\tname\n1\tA\n", {"delimiter": "\t"}),
        ("a.txt", "sku|name\n1|A\n", {}),
        ("a.csv", "sku,name\n1,Käse\n".encode("cp1252"), {"encoding": "cp1252"}),
        (
            "a.csv",
            "sku;näme\n1;Käse\n".encode("cp1252"),
            {"delimiter": ";", "encoding": "cp1252"},
        ),
        ("a.jsonl", '{"sku": "1", "name": "A"}\n', {}),
    ],
)
def test_the_layout_of_a_file(
    tmp_path: Path, name: str, content: str | bytes, layout: dict[str, str]
) -> None:
    one = found(tmp_path, name, content)
    assert (one.layout, one.fault) == (layout, "")
    assert len(one.columns) == 2
    assert one.cells["sku"] == ["1"]


def test_of_nested_records_what_can_be_read_together(tmp_path: Path) -> None:
    record = {
        "id": 1,
        "event_params": [{"key": "a", "value": 1}],
        "device": {"os": "x"},
        "tags": ["a", "b"],
        "items": [{"item_id": "k", "sizes": ["S"]}, {"item_id": "w", "sizes": ["S"]}],
    }
    one = found(tmp_path, "a.jsonl", json.dumps(record) + "\n")
    assert one.columns == {"id", "device.os", "tags", "items[].item_id", "items[].sizes"}
    assert one.cells["items[].item_id"] == ["k", "w"]


def test_a_file_that_cannot_be_read_has_the_reason(tmp_path: Path) -> None:
    assert "is empty" in found(tmp_path, "a.csv", "").fault
    assert "no row" in found(tmp_path, "b.csv", "sku,name\n").fault


def test_the_files_of_a_folder(tmp_path: Path) -> None:
    for name in ("b.csv", "a.tsv", ".hidden.csv", "recommender.toml", "read.me", "package.json"):
        (tmp_path / name).write_text("sku,name\n1,A\n".replace(",", "\t" if "tsv" in name else ","))
    one, other = looks([], tmp_path)
    assert [one.file.shown, other.file.shown] == ["a.tsv", "b.csv"]
    assert same_layout(one, other)
    with pytest.raises(ConfigError, match="no file of a known format"):
        looks([], _empty(tmp_path))
    with pytest.raises(ConfigError, match="no such file"):
        looks(["none.csv"], tmp_path)


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"
