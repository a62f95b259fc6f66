import json
import subprocess
import sys
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recommender.core.catalogue import DOCUMENT_FORMAT
from recommender.core.telemetry import silent
from recommender.errors import ConfigError, DataError
from recommender.readers import blocks, shop, shop_source
from recommender.readers.interactions import HashedUsers
from recommender.readers.row_accounting import RefusedRow
from recommender.readers.shop import read_shop
from recommender.readers.shop_source import ShopSource, input_digests, parameters
from recommender.readers.sources import (
    Cancelled,
    CatalogueColumns,
    CatalogueSource,
    InteractionColumns,
    InteractionSource,
)
from tests.readers.shop_folder import KEY, Folder, sold


def test_a_shop_of_every_format(folder: Folder) -> None:
    folder.put("c.tsv.gz", "item_id\ttitle\n07\tSeven\n7\tOther\n")
    folder.put("a.csv", "item_id,order_id,user_id\n07,1,u\n")
    folder.put("b.jsonl.gz", '{"item_id": 7, "session_id": "s", "user_id": "u", "kind": "view"}\n')
    pq.write_table(pa.table({"item_id": ["7"], "order_id": [1]}), folder.path / "d.parquet")
    sources = (
        InteractionSource(("a.csv", "d.parquet")),
        InteractionSource("b.jsonl.gz", weights={"view": 0.1}),
    )
    data = folder.read("c.tsv.gz", sources)
    assert sold(data) == ["07", "7", "7"]
    assert data.interactions.basket.tolist() == [0, 0, -1]
    assert data.interactions.session.tolist() == [-1, -1, 0]
    assert data.interactions.user.tolist() == [0, -1, 0]
    assert data.interactions.kinds == ("purchase", "view")
    assert [file.key for file in data.report.files] == [
        "catalogue.0",
        "interactions.0.0",
        "interactions.0.1",
        "interactions.1.0",
    ]


def whole_source(folder: Folder) -> ShopSource:
    return folder.source(
        CatalogueSource("c.csv"),
        (InteractionSource(("a.csv", "b.jsonl")), InteractionSource("d.parquet")),
    )


def test_parameters_are_json_and_know_no_places(folder: Folder) -> None:
    source = whole_source(folder)
    plain = parameters(source)
    assert json.loads(json.dumps(plain)) == plain
    elsewhere = ShopSource(
        CatalogueSource("x/other.csv.gz"),
        (InteractionSource(("y/1.csv", "2.ndjson")), InteractionSource("/z/3.parquet")),
        joined_share_min=0.0,
        base=folder.path / "elsewhere",
    )
    assert parameters(elsewhere) == plain
    assert str(folder.path) not in json.dumps(plain)
    assert "a.csv" not in json.dumps(plain)


@pytest.mark.parametrize(
    "change",
    [
        {"path": ("a.csv", "b.parquet")},
        {"path": ("b.jsonl", "a.csv")},
        {"path": "a.csv"},
        {"columns": InteractionColumns(basket="x")},
        {"kind": "view"},
        {"weights": {"purchase": 0.5}},
        {"quantity_above": 0.0},
        {"price_above": 0.0},
        {"item_pattern": "x"},
        {"cancelled": Cancelled("a", "b")},
        {"time_zone": "Europe/Zagreb"},
        {"time_format": "epoch"},
        {"delimiter": ";"},
        {"encoding": "cp1252"},
    ],
)
def test_parameters_know_every_setting_of_interactions(
    folder: Folder, change: dict[str, object]
) -> None:
    source = whole_source(folder)
    first, second = source.interactions
    changed = replace(source, interactions=(replace(first, **change), second))  # type: ignore[arg-type]
    assert parameters(changed) != parameters(source)


@pytest.mark.parametrize(
    "change",
    [
        {"path": "c.tsv"},
        {"columns": CatalogueColumns(brand="x")},
        {"scope": "with_interactions"},
        {"time_zone": "Europe/Zagreb"},
        {"time_format": "epoch"},
        {"delimiter": ";"},
        {"encoding": "cp1252"},
    ],
)
def test_parameters_know_every_setting_of_the_catalogue(
    folder: Folder, change: dict[str, object]
) -> None:
    source = whole_source(folder)
    changed = replace(source, catalogue=replace(source.catalogue, **change))  # type: ignore[arg-type]
    assert parameters(changed) != parameters(source)
    assert parameters(replace(source, refused_share_max=0.5)) != parameters(source)


def test_parameters_do_not_depend_on_the_order_of_weights(folder: Folder) -> None:
    def source(weights: dict[str, float]) -> ShopSource:
        return folder.source(interactions=InteractionSource("a.csv", weights=weights))

    one, other = {"purchase": 1.0, "view": 0.1}, {"view": 0.1, "purchase": 1.0}
    assert json.dumps(parameters(source(one))) == json.dumps(parameters(source(other)))


def test_parameters_know_how_files_are_read(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = parameters(whole_source(folder))
    monkeypatch.setattr(shop_source, "FORMAT", shop_source.FORMAT + 1)
    assert parameters(whole_source(folder)) != plain
    monkeypatch.undo()
    monkeypatch.setattr("recommender.readers.shop_source.DOCUMENT_FORMAT", DOCUMENT_FORMAT + 1)
    assert parameters(whole_source(folder)) != plain


def test_parameters_refuse_an_unknown_format(folder: Folder) -> None:
    with pytest.raises(ConfigError, match="unknown file format"):
        parameters(folder.source(interactions="a.xls"))


def test_digests_are_by_input(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title\na,Ant\n")
    folder.put("a.csv", "item_id,order_id\na,1\n")
    folder.put("b.csv", "item_id,order_id\nb,1\n")
    source = folder.source(
        "c.csv", (InteractionSource(("a.csv", "b.csv")), InteractionSource("a.csv"))
    )
    digests = input_digests(source)
    assert list(digests) == [
        "catalogue.0",
        "interactions.0.0",
        "interactions.0.1",
        "interactions.1.0",
    ]
    assert digests["interactions.0.0"] == digests["interactions.1.0"] != digests["interactions.0.1"]
    report = folder.read(source.catalogue, source.interactions).report
    assert {file.key: file.sha256 for file in report.files} == digests


def test_the_shop_is_the_same_when_it_is_read_again(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title\nb,Bee\na,Ant\n")
    folder.put("a.csv", "item_id,order_id,user_id\na,1,u\nb,1,u\nz,2,v\n")
    one, two = (folder.read("c.csv", "a.csv") for _ in range(2))
    for first, second in ((one.catalogue, two.catalogue), (one.interactions, two.interactions)):
        assert {name: column.tobytes() for name, column in first.columns().items()} == {
            name: column.tobytes() for name, column in second.columns().items()
        }
    assert one.report == two.report


def test_nothing_heavy_is_imported_before_something_is_read(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id\na,1\n")
    script = (
        "import sys; from pathlib import Path\n"
        "from recommender.readers.shop import read_shop\n"
        "from recommender.readers.shop_source import ShopSource, input_digests, parameters\n"
        "from recommender.readers.sources import CatalogueSource, InteractionSource\n"
        "events = InteractionSource('a.csv')\n"
        "source = ShopSource(CatalogueSource(), (events,), base=Path(sys.argv[1]))\n"
        "parameters(source), input_digests(source)\n"
        "print([name for name in ('pandas', 'pyarrow') if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", script, str(folder.path)]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"[]\n"


def test_items_that_are_sold_but_not_in_the_catalogue_have_no_texts(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title\nb,Bee\nz,Zebra\n")
    folder.put("a.csv", "item_id,order_id,title\na,1,Ant\nb,1,Wrong\n")
    data = folder.read("c.csv", "a.csv")
    assert data.catalogue.ids.ids == ("a", "b", "z")
    assert data.catalogue.title == ("", "Bee", "Zebra")
    assert sold(data) == ["a", "b"]
    assert data.report.absent_from_catalogue == 1
    assert data.report.cold_items == 1


def test_the_scope_may_be_the_items_with_interactions(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title\nb,Bee\nv,Viewed\nz,Zebra\n")
    folder.put("a.csv", "item_id,order_id,kind\na,1,purchase\nb,1,purchase\nv,1,view\n")
    weights = {"purchase": 1.0, "view": 0.0}
    events = InteractionSource("a.csv", weights=weights)
    data = folder.read(CatalogueSource("c.csv", scope="with_interactions"), events)
    assert data.catalogue.ids.ids == ("a", "b")
    assert sold(data) == ["a", "b"]
    assert data.report.n_interactions == 2
    assert data.report.out_of_scope == 2
    assert data.report.cold_items == 0
    whole = folder.read("c.csv", events).report
    assert (whole.n_items, whole.cold_items, whole.out_of_scope) == (4, 2, 0)


def test_a_scope_without_any_interaction_has_no_items(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title\nb,Bee\n")
    with pytest.raises(DataError, match="no items: no row of the interactions was kept"):
        folder.read(CatalogueSource("c.csv", scope="with_interactions"))


@pytest.mark.fault(35)
@pytest.mark.parametrize("content", ["item_id,title\n", "item_id,title\n,x\n"])
def test_a_catalogue_without_items_stops_the_run(folder: Folder, content: str) -> None:
    folder.put("c.csv", content)
    folder.put("a.csv", "item_id,order_id\na,1\n")
    with pytest.raises(DataError, match=r"c\.csv: no items; export the catalogue again"):
        folder.read("c.csv", "a.csv")


def test_interactions_without_rows_are_allowed_beside_a_catalogue(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title\na,Ant\n")
    folder.put("a.csv", "item_id,order_id\n")
    data = folder.read("c.csv", "a.csv")
    assert len(data.interactions) == 0
    assert data.interactions.n_items == 1
    assert data.interactions.kinds == ("purchase",)
    with pytest.raises(DataError, match="no items"):
        folder.read(interactions="a.csv")


def test_a_shop_with_nothing_to_read_is_refused(folder: Folder) -> None:
    with pytest.raises(ConfigError, match=r"set catalogue\.path, interactions\.path or both"):
        folder.source()


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_of_0_to_1_is_refused(folder: Folder, share: float) -> None:
    with pytest.raises(ConfigError, match=r"refused_share_max .*: give 0 to 1"):
        folder.source(interactions="a.csv", refused_share_max=share)


def test_a_derived_catalogue_has_nothing_absent(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id,title\nb,1,Bee\na,1,Ant\n")
    report = folder.read(interactions="a.csv").report
    assert (report.n_items, report.absent_from_catalogue, report.cold_items) == (2, 0, 0)


def test_the_scope_holds_for_a_derived_catalogue(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id,kind\nb,1,view\na,1,purchase\n")
    events = InteractionSource("a.csv", weights={"view": 0.0, "purchase": 1.0})
    data = folder.read(CatalogueSource(scope="with_interactions"), events)
    assert data.catalogue.ids.ids == ("a",)
    assert folder.read(interactions=events).catalogue.ids.ids == ("a", "b")


@pytest.mark.fault(35)
def test_no_kept_row_is_no_item(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id,kind\nb,1,view\n")
    with pytest.raises(DataError, match="no event counts: their kinds are view"):
        folder.read(interactions="a.csv")
    folder.put("b.csv", "item_id,order_id\nb,1\n")
    with pytest.raises(DataError, match="no items: no row of the interactions was kept"):
        folder.read(interactions=InteractionSource("b.csv", item_pattern="z"))


def test_the_report_of_a_run(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title\na,Ant\nb,Bee\n")
    folder.put("a.csv", "item_id,order_id\na,1\n,2\n")
    report = folder.read("c.csv", "a.csv").report
    assert [(file.key, file.name, file.rows, file.kept) for file in report.files] == [
        ("catalogue.0", "c.csv", 2, 2),
        ("interactions.0.0", "a.csv", 2, 1),
    ]
    assert report.files[1].examples == (RefusedRow(3, "item id: empty", "item_id", ""),)


def test_of_many_files_a_sample_has_the_first_the_last_and_some_between(folder: Folder) -> None:
    for number in range(40):
        folder.put(f"o-{number:02}.csv", f"order_id,item_id\n{number},i{number}\n")
    source = folder.source(None, "o-*.csv")
    users = HashedUsers(KEY)
    data = read_shop(source, users, quarantine=folder.quarantine, progress=silent, sample=True)
    names = [file.name for file in data.report.files]
    assert len(names) == shop.SAMPLED_FILES
    assert (names[0], names[-1]) == ("o-00.csv", "o-39.csv")
    assert {file.sha256 for file in data.report.files} == {""}


def test_of_a_file_a_sample_has_the_first_block(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 3)
    folder.put("o.csv", "order_id,item_id\n" + "".join(f"1,i{n}\n" for n in range(10)))
    folder.put("c.csv", "item_id,title\n" + "".join(f"i{n},T\n" for n in range(10)))
    source = folder.source("c.csv", "o.csv")
    data = read_shop(
        source, HashedUsers(KEY), quarantine=folder.quarantine, progress=silent, sample=True
    )
    assert [file.rows for file in data.report.files] == [10, 3], "the catalogue is read whole"
