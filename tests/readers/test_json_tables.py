import json

import pytest

from recommender.errors import ConfigError, DataError
from recommender.readers import json_tables
from recommender.readers.sources import (
    CatalogueColumns,
    CatalogueSource,
    InteractionColumns,
    InteractionSource,
)
from tests.readers.shop_folder import Folder, sold


def lines(*rows: object) -> str:
    return "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)


def test_texts_and_numbers_are_ids_as_they_are_written(folder: Folder) -> None:
    folder.put(
        "a.jsonl",
        '{"item_id": "00123", "order_id": 1}\n'
        '{"item_id": 123456789012345678901234567890, "order_id": 1}\n'
        '{"item_id": 1e5, "order_id": 1}\n'
        '{"item_id": 1.50, "order_id": 1}\n'
        '{"item_id": "null", "order_id": 1}\n',
    )
    assert sold(folder.read(interactions="a.jsonl")) == [
        "00123",
        "123456789012345678901234567890",
        "1e5",
        "1.50",
        "null",
    ]


@pytest.mark.parametrize(
    ("row", "reason", "column"),
    [
        ('{"item_id": true, "order_id": 1}', "a truth value in place of an id", "item_id"),
        ('{"item_id": {"id": "b"}, "order_id": 1}', "an object in place of an id", "item_id"),
        ('{"item_id": ["b"], "order_id": 1}', "a list in place of an id", "item_id"),
        ('{"item_id": "b", "order_id": false}', "a truth value in place of an id", "order_id"),
        ('{"item_id": "b", "order_id": 1, "kind": [{}]}', "a list in place of a text", "kind"),
        ('{"item_id": null, "order_id": 1}', "item id: empty", "item_id"),
        ('{"order_id": 1}', "item id: empty", "item_id"),
        ('{"item_id": NaN, "order_id": 1}', "not JSON", ""),
        ('{"item_id": "b", "order_id": 1', "not JSON", ""),
        ('{"item_id": "b\0", "order_id": 1}', "not JSON", ""),
        ("[" * 100_000, "not JSON", ""),
        ('["b", 1]', "not a JSON object", ""),
        ('"b"', "not a JSON object", ""),
        ("{}", "an empty object", ""),
        ('{"item_id": "b\\ud800", "order_id": 1}', "a lone surrogate", ""),
        (
            '{"item_id": "b\\u0000c", "order_id": 1}',
            "item id: a control character in it",
            "item_id",
        ),
    ],
)
def test_a_bad_row_is_refused_alone(folder: Folder, row: str, reason: str, column: str) -> None:
    good = {"item_id": "a", "order_id": 1, "kind": "purchase"}
    folder.put("a.jsonl", lines(good, "", row, good))
    data = folder.read(interactions="a.jsonl")
    assert sold(data) == ["a", "a"]
    (refused,) = folder.refused()
    assert (refused["line"], refused["reason"], refused["column"]) == (3, reason, column)
    assert data.report.files[0].rows == 3


def test_bytes_that_do_not_decode_are_refused(folder: Folder) -> None:
    folder.put("a.ndjson", b'{"item_id": "a", "order_id": 1}\n{"item_id": "\xe9", "order_id": 1}\n')
    assert sold(folder.read(interactions="a.ndjson")) == ["a"]
    assert [(row["line"], row["reason"]) for row in folder.refused()] == [(2, "not UTF-8")]


def test_escaped_pairs_are_characters(folder: Folder) -> None:
    folder.put("a.jsonl", '{"item_id": "\\ud83d\\ude00", "order_id": 1}\n')
    assert sold(folder.read(interactions="a.jsonl")) == ["😀"]


def test_a_byte_order_mark_and_carriage_returns_are_read_over(folder: Folder) -> None:
    folder.put(
        "a.jsonl", b'\xef\xbb\xbf{"item_id": "a", "order_id": 1}\r\n\r\n{"item_id": "b"}\r\n'
    )
    assert sold(folder.read(interactions="a.jsonl")) == ["a", "b"]


def test_names_may_be_missing_in_some_rows(folder: Folder) -> None:
    rows = lines({"item_id": "a"}, {"item_id": "b", "title": "B", "in_stock": False, "price": 2.5})
    folder.put("c.jsonl.gz", rows)
    columns = CatalogueColumns(attributes=("colour",))
    with pytest.raises(ConfigError, match=r"c\.jsonl\.gz has no column 'colour'"):
        folder.read(CatalogueSource("c.jsonl.gz", columns=columns))
    catalogue = folder.read("c.jsonl.gz").catalogue
    assert catalogue.title == ("", "B")
    assert catalogue.in_stock.tolist() == [True, False]
    assert catalogue.price[1] == 2.5


def test_rows_beyond_those_that_name_the_columns_are_read(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_tables, "NAMING_ROWS", 2)
    folder.put("a.jsonl", lines(*({"item_id": str(n), "order_id": 1} for n in range(5))))
    assert sold(folder.read(interactions="a.jsonl")) == list("01234")


@pytest.mark.parametrize("limit", ["NAMING_ROWS", "BLOCK_CHARACTERS"])
def test_the_first_rows_name_the_columns(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    folder.put("c.jsonl", lines(*({"item_id": "a"},) * 2, {"item_id": "b", "title": "B"}))
    assert folder.read("c.jsonl").catalogue.title == ("", "B")
    monkeypatch.setattr(json_tables, limit, 2)
    with pytest.raises(ConfigError, match=r"c\.jsonl has no column 'title'"):
        folder.read("c.jsonl")


def test_no_rows_are_no_interactions(folder: Folder) -> None:
    folder.put("c.jsonl", lines({"item_id": "a", "title": "A"}))
    folder.put("a.jsonl", "")
    assert len(folder.read("c.jsonl", "a.jsonl").interactions) == 0
    with pytest.raises(DataError, match=r"a\.jsonl: no items"):
        folder.read("a.jsonl")


def test_a_file_that_is_no_json_lines_says_so(folder: Folder) -> None:
    folder.put("a.jsonl", "item_id,order_id\na,1\n")
    with pytest.raises(DataError, match=r"a\.jsonl: 2 of 2 rows refused \(100\.0%.*: not JSON"):
        folder.read(interactions="a.jsonl", refused_share_max=0.02)


GA4 = (
    '{"event": "purchase", "at": {"id": 7}, "items": [{"item_id": "a", "name": "Ant"}, '
    '{"item_id": "b", "name": "Bee"}]}\n{"event": "purchase", "at": {"id": 8}, "items": []}\n'
    '{"event": "purchase", "at": {"id": 9}, "items": [{"item_id": "a"}]}\n'
)


@pytest.mark.parametrize("mark", ["[].", "."])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_a_record_has_a_row_for_each_element_of_its_list(
    folder: Folder, mark: str, name: str
) -> None:
    folder.put(name, GA4)
    columns = InteractionColumns(f"items{mark}item_id", basket="at.id", title=f"items{mark}name")
    data = folder.read(interactions=InteractionSource(name, columns=columns))
    assert sold(data) == ["a", "b", "a"]
    assert data.catalogue.title == ("Ant", "Bee")
    assert data.interactions.basket.tolist() == [0, 0, 1]
    (report,) = data.report.files
    assert (report.rows, report.left_out) == (4, {"items is empty": 1})


def test_names_within_two_lists_are_refused(folder: Folder) -> None:
    folder.put("a.jsonl", '{"x": [{"id": "a"}], "y": [{"n": "1"}]}\n')
    columns = InteractionColumns("x[].id", basket="y[].n")
    with pytest.raises(ConfigError, match="x and y are two lists of a record"):
        folder.read(interactions=InteractionSource("a.jsonl", columns=columns))


@pytest.mark.parametrize(
    "text",
    [
        '[{"item_id": "a", "title": "Ant"},\n {"item_id": 7, "title": "Bee"}, 3]',
        '{"products": [\n{"item_id": "a", "title": "Ant"}, {"item_id": 7, "title": "Bee"}, 3]}',
        '{"item_id": "a", "title": "Ant"}\n{"item_id": 7, "title": "Bee"}\n3\n',
    ],
)
def test_a_json_file_is_an_array_an_object_of_one_or_lines(folder: Folder, text: str) -> None:
    folder.put("c.json", text)
    data = folder.read("c.json")
    assert data.catalogue.ids.ids == ("7", "a")
    assert data.report.files[0].refused == {"not a JSON object": 1}


@pytest.mark.parametrize("text", ["[{", '{"a": [],\n "b": []}', "3"])
def test_another_document_is_refused(folder: Folder, text: str) -> None:
    folder.put("c.json", text)
    with pytest.raises(DataError, match=r"c\.json( is not JSON|: neither JSON lines)"):
        folder.read("c.json")


@pytest.mark.parametrize("text", ["{},\n{},\n", "[\n{},\n{}\n]\n", "{}\n\n{}\n"])
def test_json_lines_with_the_marks_of_an_array(folder: Folder, text: str) -> None:
    rows = [f'{{"item_id": "{each}", "order_id": "1"}}' for each in "ab"]
    folder.put("o.jsonl", text.replace("{}", "%s") % tuple(rows))
    data = folder.read(interactions="o.jsonl", refused_share_max=0.0)
    assert sold(data) == ["a", "b"]
