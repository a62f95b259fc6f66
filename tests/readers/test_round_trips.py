import csv
import io
import json
import re
from contextlib import suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.core import item_id
from recommender.core.catalogue import Catalogue, clean
from recommender.errors import RecommenderError
from recommender.readers.sources import CatalogueColumns, CatalogueSource
from recommender.readers.usual_words import NULLS
from tests.readers.shop_folder import Folder, sold

LINE_END = re.compile(r"\r\n|\r|\n")
FORMATS = ("csv", "csv.gz", "tsv", "jsonl", "parquet")
odd = st.sampled_from(
    ["00123", "NA", "null", "None", "1e5", "123456789012345678", '"', "a,b", "\ufeff"]
)
ids = (odd | st.text(max_size=40)).filter(
    lambda text: text == text.strip() and item_id.fault(text) is None
)


def put(folder: Folder, ending: str, rows: list[dict[str, str]]) -> str:
    name = f"a.{ending}"
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), folder.path / name)
        return name
    if ending == "jsonl":
        return folder.put(name, "".join(json.dumps(row) + "\n" for row in rows))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter="\t" if ending == "tsv" else ",")
    writer.writeheader()
    writer.writerows(rows)
    return folder.put(name, text.getvalue())


@settings(deadline=None)
@given(st.lists(ids, min_size=1, max_size=30), st.sampled_from(FORMATS))
def test_ids_come_back_exactly(values: list[str], ending: str) -> None:
    with TemporaryDirectory() as path:
        folder = Folder(Path(path))
        rows = [{"item_id": value, "order_id": value} for value in values]
        data = folder.read(interactions=put(folder, ending, rows))
        assert sold(data) == values
        assert data.catalogue.ids.ids == tuple(sorted(set(values)))
        orders = [value for value in dict.fromkeys(values) if value not in NULLS]
        expected = [orders.index(value) if value in orders else -1 for value in values]
        assert data.interactions.basket.tolist() == expected


fields = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(deadline=None)
@given(st.lists(st.lists(fields, max_size=6), max_size=20))
def test_columns_never_shift(tails: list[list[str]]) -> None:
    with TemporaryDirectory() as path:
        folder = Folder(Path(path))
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["note", "item_id", "order_id", "kind"])
        starts = []
        for number, tail in enumerate(tails):
            starts.append(len(LINE_END.findall(text.getvalue())) + 1)
            row = [f"n{number}", f"i{number}", f"o{number}", "purchase", *tail]
            writer.writerow(row[: len(tail) + 2])
        writer.writerow(["n", "last", "o", "purchase"])
        folder.put("a.csv", text.getvalue())
        data = folder.read(interactions="a.csv")
        whole = [len(tail) >= 2 and not any(tail[: len(tail) - 2]) for tail in tails]
        assert sold(data) == [*(f"i{n}" for n, kept in enumerate(whole) if kept), "last"]
        assert [(row["line"], row["reason"]) for row in folder.refused()] == [
            (start, f"{len(tail) + 2} fields, 4 expected")
            for start, tail, kept in zip(starts, tails, whole, strict=True)
            if not kept
        ]


row = st.fixed_dictionaries(
    {
        "item_id": ids,
        "order_id": st.sampled_from(["1", "2", "3", ""]),
        "title": st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from("ABC"),
        "time": st.sampled_from(["2010-12-01", "2011-07-01 12:00Z"]),
    }
)


@settings(deadline=None)
@given(st.lists(row, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_change_a_derived_catalogue(
    rows: list[dict[str, str]], random: Random
) -> None:
    shuffled = random.sample(rows, len(rows))
    with TemporaryDirectory() as path:
        folder = Folder(Path(path))
        one, other = (
            folder.read(interactions=put(folder, "jsonl", order)).catalogue
            for order in (rows, shuffled)
        )
    assert same(one, other)


@settings(deadline=None)
@given(
    st.lists(row, min_size=1, max_size=12, unique_by=lambda each: each["item_id"]),
    st.randoms(use_true_random=False),
)
def test_the_order_of_rows_does_not_change_a_catalogue(
    rows: list[dict[str, str]], random: Random
) -> None:
    shuffled = random.sample(rows, len(rows))
    columns = CatalogueColumns(available_from="time", attributes=("order_id",))
    with TemporaryDirectory() as path:
        folder = Folder(Path(path))
        one, other = (
            folder.read(CatalogueSource(put(folder, "parquet", order), columns=columns)).catalogue
            for order in (rows, shuffled)
        )
    assert same(one, other)
    titles = (each["title"] for each in sorted(rows, key=lambda each: each["item_id"]))
    assert one.title == tuple("" if title.strip() in NULLS else clean(title) for title in titles)


def same(one: Catalogue, other: Catalogue) -> bool:
    """Whether two catalogues have the same bytes."""
    first, second = (
        {name: column.tobytes() for name, column in each.columns().items()} for each in (one, other)
    )
    return first == second


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["csv", "tsv", "jsonl"]))
def test_no_bytes_are_an_accident(noise: bytes, ending: str) -> None:
    head = b'{"item_id": "a", "order_id": "1"}\n' if ending == "jsonl" else b"item_id,order_id\n"
    with TemporaryDirectory() as path:
        folder = Folder(Path(path))
        name = folder.put(f"a.{ending}", head + noise)
        with suppress(RecommenderError):
            data = folder.read(interactions=name)
            assert data.report.files[0].kept == len(data.interactions)
