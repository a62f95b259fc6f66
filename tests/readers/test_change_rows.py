"""Files of changes, in the formats that shops have."""

from pathlib import Path

import pytest

from recommender.errors import ConfigError, DataError
from recommender.readers.change_rows import ChangeRows


def rows(folder: Path, name: str, content: str) -> tuple[list[tuple[int, object]], dict[str, int]]:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    read = ChangeRows(path, {"price", "brand", "stock"})
    return list(read), dict(read.unreadable)


def test_a_table(tmp_path: Path) -> None:
    content = (
        "id,price,brand,margin,new,color,stock.berlin,stock.bonn\n"
        "007,9.99,7,0.25,true,null,1,\n"
        "8\n"
        "b,,,007,,,,\n"
    )
    found, unreadable = rows(tmp_path, "f.csv", content)
    assert found == [
        (
            2,
            {
                **{"id": "007", "price": "9.99", "brand": "7", "margin": 0.25, "new": True},
                **{"color": None, "stock": {"berlin": "1"}},
            },
        ),
        (4, {"id": "b", "margin": "007"}),
    ]
    assert unreadable == {"1 fields, 8 expected": 1}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("f.jsonl", '{"id": "a", "x": 1}\n\nno\n[1]\n', [(1, "a"), (3, "no\n"), (4, [1])]),
        ("f.json", '[{"id": "a"}, 7]', [(1, "a"), (2, 7)]),
        ("f.json", '{"items": [{"id": "a"}]}', [(1, "a")]),
        ("f.json", '{"id": "a"}', [(1, "a")]),
        ("f.json", '{"id": "a"}\n{"id": "b"}\n', [(1, "a"), (2, "b")]),
    ],
)
def test_json(tmp_path: Path, name: str, content: str, expected: list[tuple[int, object]]) -> None:
    found, unreadable = rows(tmp_path, name, content)
    shown = [(line, row["id"] if isinstance(row, dict) else row) for line, row in found]
    assert (shown, unreadable) == (expected, {})


def test_values_of_json_keep_their_types(tmp_path: Path) -> None:
    found, _ = rows(tmp_path, "f.jsonl", '{"id": "a", "x": "7", "y": null, "stock": {"b": 1}}')
    assert found == [(1, {"id": "a", "x": "7", "y": None, "stock": {"b": 1}})]


@pytest.mark.parametrize(
    ("name", "content", "error", "reason"),
    [
        ("f.csv", "item,price\na,1\n", DataError, "no column id; it has item, price"),
        ("f.csv", "id,x,x\na,1,2\n", DataError, "names 'x' twice"),
        ("f.doc", "", ConfigError, "unknown file format"),
    ],
)
def test_a_file_that_cannot_be_used(
    tmp_path: Path, name: str, content: str, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        rows(tmp_path, name, content)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        list(ChangeRows(tmp_path / "f.jsonl", ()))
