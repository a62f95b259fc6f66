import csv

import pytest

from recommender.errors import ConfigError, DataError
from recommender.readers import text_tables
from recommender.readers.id_repairs import IdRepairs
from recommender.readers.sources import CatalogueSource, InteractionColumns, InteractionSource
from tests.readers.shop_folder import Folder, sold

HEADER = "item_id,order_id,note\n"


def test_ids_survive_as_they_are_written(folder: Folder) -> None:
    ids = ["00123", "NA", "null", "None", "nan", "1e5", "123456789012345678", "A", "a", "7", "007"]
    folder.put("a.csv", HEADER + "".join(f"{value},1,x\n" for value in ids))
    data = folder.read(interactions="a.csv")
    assert sold(data) == ids
    assert data.catalogue.ids.ids == tuple(sorted(ids))


def test_white_space_around_ids_goes_and_nothing_else(folder: Folder) -> None:
    folder.put("a.csv", HEADER + ' a b ,1,x\n"a b\t",1,x\ncafe\u0301,1,x\ncaf\u00e9,1,x\n')
    assert sold(folder.read(interactions="a.csv")) == ["a b", "a b", "cafe\u0301", "caf\u00e9"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("b,2", "2 fields, 3 expected"),
        ("b,2,x,y", "4 fields, 3 expected"),
        ("b", "1 fields, 3 expected"),
        ('"b" ,2,x', "a quote that is neither doubled nor at the end of its field"),
        ('b,2,"5" screen"', "a quote that is neither doubled nor at the end of its field"),
        (",2,x", "item id: empty"),
        ("   ,2,x", "item id: empty"),
        ("b\0c,2,x", "item id: a control character in it"),
        ("b\x1bc,2,x", "item id: a control character in it"),
        ('"b\nc",2,x', "item id: a control character in it"),
        ("b\u0085c,2,x", "item id: a control character in it"),
        ("b" * 129 + ",2,x", "item id: longer than 128 bytes"),
        ("ж" * 65 + ",2,x", "item id: longer than 128 bytes"),
    ],
)
def test_a_bad_row_is_refused_alone(folder: Folder, row: str, reason: str) -> None:
    folder.put("a.csv", f"{HEADER}a,1,x\n{row}\nc,3,x\n")
    data = folder.read(interactions="a.csv")
    assert sold(data) == ["a", "c"]
    assert folder.refused()[0] | {"value": "", "column": ""} == {
        "input": "interactions.0.0",
        "file": "a.csv",
        "line": 3,
        "reason": reason,
        "column": "",
        "value": "",
    }


def test_quotes_within_an_unquoted_field_are_plain_characters(folder: Folder) -> None:
    folder.put("a.csv", 'item_id,order_id\n5" disk,1\n')
    assert sold(folder.read(interactions="a.csv")) == ['5" disk']


@pytest.mark.fault(43)
def test_line_numbers_count_the_lines_of_quoted_fields(folder: Folder) -> None:
    folder.put("a.csv", HEADER + 'a,1,"one\ntwo\r\nthree"\nb,1\n\nc,1,x\nd\n')
    data = folder.read(interactions="a.csv")
    assert sold(data) == ["a", "c"]
    assert [row["line"] for row in folder.refused()] == [5, 8]


@pytest.mark.fault(43)
def test_a_malformed_record_counts_as_many_rows_as_it_swallowed(folder: Folder) -> None:
    folder.put("a.csv", HEADER + 'a,1,"open\nb,1,x\nc,1,"close"\nd,1,x\n')
    data = folder.read(interactions="a.csv")
    (file,) = data.report.files
    assert sold(data) == ["d"]
    assert file.rows == 4
    assert file.refused == {"a quote that is neither doubled nor at the end of its field": 3}
    assert [row["line"] for row in folder.refused()] == [2]


@pytest.mark.fault(43)
def test_a_quote_that_never_closes_stops_the_run_at_its_line(folder: Folder) -> None:
    folder.put("a.csv", HEADER + 'a,1,x\nb,1,"open\nc,1,x\n')
    with pytest.raises(DataError, match=r"a\.csv line 3: a quote opens .* ends on line 4\); close"):
        folder.read(interactions="a.csv")


def test_line_ends_may_be_mixed(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id\r\na,1\nb,1\r\nc,1\rd,1\n\r\n")
    data = folder.read(interactions="a.csv")
    assert sold(data) == ["a", "b", "c", "d"]
    assert data.report.files[0].rows == 4


def test_a_file_with_carriage_returns_alone_is_read(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id\ra,1\rb,1")
    assert sold(folder.read(interactions="a.csv")) == ["a", "b"]


def test_a_byte_order_mark_is_no_part_of_the_first_column(folder: Folder) -> None:
    folder.put("a.csv", b"\xef\xbb\xbf" + b"item_id,order_id\na,1\n")
    assert sold(folder.read(interactions="a.csv")) == ["a"]


@pytest.mark.fault(43)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl"])
def test_utf_16_that_does_not_say_so_is_named(folder: Folder, name: str, encoding: str) -> None:
    folder.put(name, "item_id,order_id\na,1\n".encode(encoding))
    with pytest.raises(DataError, match=rf"{name} looks binary, or like UTF-16; save it as UTF-8"):
        folder.read(interactions=name)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_utf_16_is_read_where_it_says_so(folder: Folder, encoding: str) -> None:
    folder.put("c.csv", "item_id\ttitle\na\tÄpfel\n".encode("utf-16"))
    source = CatalogueSource("c.csv", delimiter="\t", encoding=encoding)
    assert folder.read(source).catalogue.title == ("Äpfel",)


@pytest.mark.fault(43)
def test_rows_that_do_not_decode_are_refused_where_they_lie(folder: Folder) -> None:
    folder.put("a.csv", HEADER.encode() + b'a,1,x\nb,1,caf\xe9\nc,1,"\ncaf\xe9"\nd,1,ok\n')
    data = folder.read(interactions="a.csv")
    assert sold(data) == ["a", "d"]
    assert [(row["line"], row["reason"]) for row in folder.refused()] == [
        (3, "not UTF-8"),
        (4, "not UTF-8"),
    ]


@pytest.mark.fault(43)
def test_many_such_rows_end_with_a_hint_at_the_encoding(folder: Folder) -> None:
    folder.put("a.csv", HEADER.encode() + b"caf\xe9,1,x\n" * 9)
    with pytest.raises(
        DataError, match=r'not UTF-8 \(9; first: line 2\): set encoding, such as "cp1252"'
    ):
        folder.read(interactions="a.csv", refused_share_max=0.5)


def test_a_named_encoding_decodes_and_is_named_where_it_does_not(folder: Folder) -> None:
    folder.put("a.csv", b"item_id,order_id\ncaf\xe9,1\nbad\x81,1\n")
    data = folder.read(interactions=InteractionSource("a.csv", encoding="cp1252"))
    assert sold(data) == ["café"]
    assert [row["reason"] for row in folder.refused()] == ["not cp1252"]


def test_a_header_that_does_not_decode_stops_the_run(folder: Folder) -> None:
    folder.put("a.csv", b"item_id,caf\xe9\na,1\n")
    with pytest.raises(DataError, match=r"a\.csv: the header is not UTF-8; set encoding, for ex"):
        folder.read(interactions="a.csv")


def test_a_header_with_a_misplaced_quote_stops_the_run(folder: Folder) -> None:
    folder.put("a.csv", b'"item_id"x,order_id\na,1\n')
    with pytest.raises(DataError, match=r"a\.csv: the header has a misplaced quote"):
        folder.read(interactions="a.csv")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv"])
def test_an_empty_file_is_named(folder: Folder, name: str, content: bytes) -> None:
    folder.put("c.csv", "item_id,title\na,A\n")
    folder.put(name, content)
    with pytest.raises(DataError, match=rf"{name} is empty and has no header"):
        folder.read("c.csv", name)


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_delimiter_is_named(folder: Folder, delimiter: str) -> None:
    folder.put("a.csv", f"item_id{delimiter}order_id\na{delimiter}1\n")
    with pytest.raises(ConfigError) as caught:
        folder.read(interactions="a.csv")
    assert f"set delimiter = {delimiter!r}" in str(caught.value)
    data = folder.read(interactions=InteractionSource("a.csv", delimiter=delimiter))
    assert sold(data) == ["a"]


def test_tsv_is_split_at_tabs(folder: Folder) -> None:
    folder.put("a.tsv", "item_id\torder_id\na,b\t1\n")
    folder.put("b.tsv.gz", "item_id\torder_id\nc\t1\n")
    assert sold(folder.read(interactions=InteractionSource(("a.tsv", "b.tsv.gz")))) == ["a,b", "c"]


def test_a_tsv_that_is_a_csv_is_named(folder: Folder) -> None:
    folder.put("a.tsv", "item_id,order_id\na,1\n")
    with pytest.raises(ConfigError, match=r"a\.tsv: the header is one column.*delimiter = ','"):
        folder.read(interactions="a.tsv")


@pytest.mark.fault(80)
def test_a_long_field_is_read_and_a_row_beyond_the_limit_stops_the_run(folder: Folder) -> None:
    long, beyond = "x" * 10_000_000, "y" * 9_000_000 + "\n" + "y" * 9_000_000
    folder.put("a.csv", f"{HEADER}a,1,{long}\nb,1,x\n")
    assert sold(folder.read(interactions="a.csv")) == ["a", "b"]
    folder.put("a.csv", f'{HEADER}a,1,{long}\nb,1,"{beyond}"\nc,1,x\n')
    with pytest.raises(DataError, match=r"line 3: a row longer than 16,777,216 char"):
        folder.read(interactions="a.csv")


@pytest.mark.fault(80)
def test_a_row_of_many_fields_over_many_lines_is_bounded(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No field of it is long, and no line."""
    monkeypatch.setattr(text_tables, "MAX_LINE", 10_000)
    folder.put("a.csv", f"{HEADER}" + '"a\n",' * 100_000)
    with pytest.raises(DataError, match="line 2: a row longer than 10,000 characters"):
        folder.read(interactions="a.csv")


@pytest.mark.fault(80)
def test_a_line_without_end_stops_the_run(folder: Folder) -> None:
    folder.put("a.csv.gz", HEADER + "a,1,x\n" + "x" * 20_000_000)
    with pytest.raises(DataError, match=r"a\.csv\.gz line 3: longer than 16,777,216 characters"):
        folder.read(interactions="a.csv.gz")


def test_the_field_limit_of_the_process_stays(folder: Folder) -> None:
    folder.put("a.csv", HEADER + "a,1,x\n")
    before = csv.field_size_limit(12_345)
    try:
        folder.read(interactions="a.csv")
        assert csv.field_size_limit() == 12_345
    finally:
        csv.field_size_limit(before)


def test_text_of_other_columns_may_hold_what_ids_may_not(folder: Folder) -> None:
    folder.put("c.csv", 'item_id,title\na,"two\nlines\0<b>&amp;</b> \u202eend"\n')
    assert folder.read(CatalogueSource("c.csv")).catalogue.title == ("two lines & end",)


def test_lines_before_the_header(folder: Folder) -> None:
    for before in ("# ----\n# 2025\n# ----\n\n", "sep=;\n", "\n"):
        mark = ";" if "sep" in before else ","
        folder.put("a.csv", before + f"item_id{mark}order_id\na{mark}1\n")
        assert sold(folder.read(interactions="a.csv")) == ["a"]
    folder.put("a.csv", "Report of\nMonday, evening\nitem_id,order_id\na,1\n")
    assert sold(folder.read(interactions=InteractionSource("a.csv", skip_lines=2))) == ["a"]


def test_a_header_that_begins_with_a_hash_is_one(folder: Folder) -> None:
    folder.put("a.csv", "#,item_id,order_id\n1,a,1\n")
    assert sold(folder.read(interactions="a.csv")) == ["a"]


def test_comments_are_skipped_but_not_within_a_field(folder: Folder) -> None:
    folder.put("a.csv", '% x\nitem_id,order_id,n\na,1,"x\n% y"\n% "z\nb,1,\n')
    data = folder.read(interactions=InteractionSource("a.csv", comment="%"))
    assert sold(data) == ["a", "b"]
    assert data.report.files[0].refused == {}


def test_a_file_without_a_header_has_the_columns_that_are_named(folder: Folder) -> None:
    folder.put("a.tsv", "173\t;P1;1;9.99,;P2;1;5\tu\n")
    source = InteractionSource(
        "a.tsv",
        header=("time", "products", "user_id"),
        time_format="epoch",
        columns=InteractionColumns(item="products"),
        ids=IdRepairs(split=",", extract="[^;]*;([^;]*)"),
    )
    assert sold(folder.read(interactions=source)) == ["P1", "P2"]


def test_quotes_may_be_escaped(folder: Folder) -> None:
    folder.put("c.csv", 'item_id,title\n"a","Knife 10\\" wide"\n"b","Bee ""x"""\n')
    with pytest.raises(DataError, match=r"1 of 2 rows refused .* set escape"):
        folder.read("c.csv", refused_share_max=0.1)
    assert folder.read(CatalogueSource("c.csv", escape="\\")).catalogue.title == (
        'Knife 10" wide',
        'Bee "x"',
    )


def test_rows_of_delimiters_alone_are_skipped(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title,\na,Ant,\n,,\n,,,,\n")
    data = folder.read("c.csv")
    assert (data.report.files[0].rows, data.report.files[0].refused) == (1, {})


@pytest.mark.parametrize("delimiter", ["\t", ";", ",", "|"])
def test_the_delimiter_of_a_txt_file_is_that_of_its_header(folder: Folder, delimiter: str) -> None:
    folder.put("c.txt", f"item_id{delimiter}title\na{delimiter}Ant\n")
    assert folder.read("c.txt").catalogue.title == ("Ant",)


def test_the_rows_of_a_file_without_a_header_are_numbered_from_its_first_line(
    folder: Folder,
) -> None:
    folder.put("a.csv", b"caf\xe9,1\nb\nc,3\n")
    source = InteractionSource("a.csv", header=("item_id", "order_id"))
    assert sold(folder.read(interactions=source)) == ["c"]
    assert [(row["line"], row["reason"]) for row in folder.refused()] == [
        (1, "not UTF-8"),
        (2, "1 fields, 2 expected"),
    ]
