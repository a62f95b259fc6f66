from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recommender.errors import DataError
from recommender.readers import blocks, parquet
from recommender.readers.sources import CatalogueColumns, CatalogueSource, InteractionSource
from tests.readers.shop_folder import Folder, sold


def put(
    folder: Folder, columns: dict[str, pa.Array | list[object]], name: str = "a.parquet"
) -> str:
    pq.write_table(pa.table(columns), folder.path / name)
    return name


IDS = ["00123", "NA", "null", "1e5", "123456789012345678", "A", "a", "caf\u00e9"]


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
)
def test_text_ids_survive(folder: Folder, kind: pa.DataType) -> None:
    put(folder, {"item_id": pa.array(IDS).cast(kind), "order_id": ["1"] * len(IDS)})
    assert sold(folder.read(interactions="a.parquet")) == IDS


@pytest.mark.parametrize("encoded", [True, False])
@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64()])
def test_whole_numbers_are_ids_in_decimal(folder: Folder, kind: pa.DataType, encoded: bool) -> None:
    ids = pa.array([7, 2**63 - 1], kind)
    put(folder, {"item_id": ids.dictionary_encode() if encoded else ids, "order_id": [1, 1]})
    assert sold(folder.read(interactions="a.parquet")) == ["7", "9223372036854775807"]


@pytest.mark.parametrize("column", ["item_id", "order_id", "session_id", "user_id"])
@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.bool_(), pa.date32()])
def test_ids_of_other_types_are_refused(folder: Folder, column: str, kind: pa.DataType) -> None:
    columns = {"item_id": pa.array(["1"]), "order_id": pa.array(["1"])}
    put(folder, columns | {column: pa.array([None], type=kind)})
    with pytest.raises(DataError, match=rf"a\.parquet: column '{column}' holds ids as .*as text"):
        folder.read(interactions="a.parquet")


@pytest.mark.parametrize("values", [[[["x"]]], [{"a": 1}], [b"x"]])
def test_columns_that_are_no_text_are_refused(folder: Folder, values: list[object]) -> None:
    put(folder, {"item_id": ["1"], "title": values}, "c.parquet")
    with pytest.raises(DataError, match=r"c\.parquet: column 'title' is of type .*; store it as"):
        folder.read("c.parquet")


def test_missing_values_are_empty_texts(folder: Folder) -> None:
    put(folder, {"item_id": ["a", None], "order_id": [None, 1], "user_id": pa.nulls(2)})
    data = folder.read(interactions="a.parquet")
    assert sold(data) == ["a"]
    assert data.interactions.basket.tolist() == [-1]
    assert data.interactions.user.tolist() == [-1]
    assert [(row["line"], row["reason"]) for row in folder.refused()] == [(2, "item id: empty")]


def test_values_of_any_plain_type(folder: Folder) -> None:
    put(
        folder,
        {
            "item_id": ["a", "b"],
            "title": pa.array([1, 2]),
            "price": pa.array([Decimal("2.50"), None]),
            "in_stock": [True, False],
            "available_from": pa.array([date(2010, 12, 1), None]),
        },
        "c.parquet",
    )
    catalogue = folder.read("c.parquet").catalogue
    assert catalogue.title == ("1", "2")
    assert catalogue.price[0] == 2.5
    assert catalogue.in_stock.tolist() == [True, False]
    assert catalogue.available_from.tolist() == [1_291_161_600, 0]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York", "+02:00"])
def test_times_of_every_unit_and_zone(folder: Folder, unit: str, zone: str | None) -> None:
    times = pa.array([datetime(2011, 7, 1, 12, 0, 0)], pa.timestamp("us"))
    column = times.cast(pa.timestamp(unit)).cast(pa.timestamp(unit, zone))
    put(folder, {"item_id": ["a"], "order_id": [1], "time": column})
    source = InteractionSource("a.parquet", time_zone="Europe/London")
    noon = int(datetime(2011, 7, 1, 12, tzinfo=UTC).timestamp())
    expected = noon if zone else noon - 3600
    assert folder.read(interactions=source).interactions.time.tolist() == [expected]


def test_times_with_an_offset_are_honoured(folder: Folder) -> None:
    time = datetime(2011, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    put(folder, {"item_id": ["a"], "order_id": [1], "time": [time.isoformat()]})
    assert folder.read(interactions="a.parquet").interactions.time.tolist() == [
        int(datetime(2011, 7, 1, 10, tzinfo=UTC).timestamp())
    ]


def test_rows_are_numbered_over_blocks(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "BLOCK_ROWS", 3)
    ids = [str(number) for number in range(10)]
    ids[7] = ""
    put(folder, {"item_id": ids, "order_id": ids})
    data = folder.read(interactions="a.parquet")
    assert sold(data) == [value for value in ids if value]
    assert [row["line"] for row in folder.refused()] == [8]
    assert blocks.BLOCK_ROWS > 3


def test_no_rows_are_no_interactions(folder: Folder) -> None:
    put(folder, {"item_id": ["a"], "title": ["A"]}, "c.parquet")
    put(folder, {"item_id": pa.array([], pa.string()), "order_id": pa.array([], pa.string())})
    assert len(folder.read("c.parquet", "a.parquet").interactions) == 0


def test_what_is_no_parquet_file_is_named(folder: Folder) -> None:
    folder.put("a.parquet", "item_id,order_id\na,1\n")
    with pytest.raises(DataError, match=r"a\.parquet is not a Parquet file, or a broken one: "):
        folder.read(interactions="a.parquet")


@pytest.mark.parametrize("name", ["empty.parquet", "cut.parquet", "torn.parquet"])
def test_a_broken_file_is_named(folder: Folder, name: str) -> None:
    put(folder, {"item_id": [str(n) for n in range(9_999)], "order_id": [1] * 9_999})
    whole = Path(folder.path / "a.parquet").read_bytes()
    middle = len(whole) // 3
    torn = whole[:4] + b"\xff" * middle + whole[4 + middle :]
    folder.put(name, {"empty": b"", "cut": whole[:-100], "torn": torn}[name.partition(".")[0]])
    with pytest.raises(
        DataError, match=rf"{name} is not a Parquet file, or a broken one: "
    ) as caught:
        folder.read(interactions=name)
    assert "\n" not in str(caught.value)


def test_text_that_is_not_utf_8_is_named(folder: Folder) -> None:
    raw = pa.array([b"caf\xe9"])
    text = pa.Array.from_buffers(pa.string(), 1, raw.buffers())
    put(folder, {"item_id": text, "order_id": [1]})
    with pytest.raises(DataError, match=r"column 'item_id' does not read as UTF-8 text"):
        folder.read(interactions="a.parquet")


def test_only_mapped_columns_are_looked_at(folder: Folder) -> None:
    put(folder, {"item_id": ["a"], "title": ["A"], "vector": [[1.0]], "group": [1.5]}, "c.parquet")
    columns = CatalogueColumns(group="")
    assert folder.read(CatalogueSource("c.parquet", columns=columns)).catalogue.title == ("A",)


def test_a_column_that_stands_twice_is_named(folder: Folder) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["item_id", "item_id"])
    pq.write_table(table, folder.path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet: the header names column 'item_id' twice"):
        folder.read(interactions="a.parquet")


def test_rows_are_called_rows(folder: Folder) -> None:
    put(folder, {"item_id": ["", "a"], "order_id": [1, 1]})
    with pytest.raises(DataError, match=r"item id: empty \(1; first: row 1, value ''\)"):
        folder.read(interactions="a.parquet", refused_share_max=0.0)


@pytest.mark.fault(43)
def test_a_column_name_that_is_not_utf_8_is_refused(folder: Folder) -> None:
    name = put(folder, {"item_id": ["1"], "order_id": ["2"], "brand": ["3"]}, "o.parquet")
    content = (folder.path / name).read_bytes()
    folder.put(name, content.replace(b"brand", b"br\xffnd"))
    with pytest.raises(DataError, match=r"o\.parquet is not a Parquet file, or a broken one"):
        folder.read(interactions="o.parquet")
