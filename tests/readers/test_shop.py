import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recommender.core import documents
from recommender.core.telemetry import Advance
from recommender.errors import ConfigError
from recommender.readers import shop
from recommender.readers.shop import Source, input_digests, parameters
from recommender.readers.sources import (
    Cancelled,
    CatalogueColumns,
    CatalogueSource,
    InteractionColumns,
    InteractionSource,
)
from tests.readers.desk import Desk, sold


def test_a_shop_of_every_format(desk: Desk) -> None:
    desk.put("c.tsv.gz", "item_id\ttitle\n07\tSeven\n7\tOther\n")
    desk.put("a.csv", "item_id,order_id,user_id\n07,1,u\n")
    desk.put("b.jsonl.gz", '{"item_id": 7, "session_id": "s", "user_id": "u", "kind": "view"}\n')
    pq.write_table(pa.table({"item_id": ["7"], "order_id": [1]}), desk.folder / "d.parquet")
    sources = (
        InteractionSource(("a.csv", "d.parquet")),
        InteractionSource("b.jsonl.gz", weights={"view": 0.1}),
    )
    data = desk.read("c.tsv.gz", sources)
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


def test_an_order_belongs_to_its_source(desk: Desk) -> None:
    rows = "item_id,order_id,session_id\na,1,1\nb,1,1\n"
    for name in ("a.csv", "b.csv", "c.csv"):
        desk.put(name, rows)
    sources = (InteractionSource(("a.csv", "b.csv")), InteractionSource("c.csv"))
    interactions = desk.read(interactions=sources).interactions
    assert interactions.basket.tolist() == [0, 0, 0, 0, 1, 1]
    assert interactions.session.tolist() == [0, 0, 0, 0, 1, 1]


def test_progress_counts_the_bytes_of_all_files(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommender.readers.lines._PIECE", 10_000)
    desk.put("c.csv", "item_id,title\n" + "".join(f"{n},T{n}\n" for n in range(60_000)))
    desk.put("a.csv.gz", "item_id,order_id\n" + "".join(f"{n},1\n" for n in range(120_000)))
    desk.put("b.jsonl", "")
    desk.put("e.csv", "item_id,order_id\n")
    pq.write_table(pa.table({"item_id": ["7"], "order_id": [1]}), desk.folder / "d.parquet")
    told: list[tuple[str, int]] = []
    steps: list[int] = []

    @contextmanager
    def progress(what: str, total: int) -> Iterator[Advance]:
        told.append((what, total))
        yield steps.append

    names = ("a.csv.gz", "b.jsonl", "d.parquet", "e.csv")
    desk.read("c.csv", InteractionSource(names), progress=progress)
    size = sum((desk.folder / name).stat().st_size for name in ("c.csv", *names))
    assert told == [("read", size)]
    assert sum(steps) == size
    assert min(steps) >= 0
    assert len([step for step in steps if step]) == 7


def whole_source(desk: Desk) -> Source:
    return desk.source(
        CatalogueSource("c.csv"),
        (InteractionSource(("a.csv", "b.jsonl")), InteractionSource("d.parquet")),
    )


def test_parameters_are_json_and_know_no_places(desk: Desk) -> None:
    source = whole_source(desk)
    plain = parameters(source)
    assert json.loads(json.dumps(plain)) == plain
    elsewhere = Source(
        CatalogueSource("x/other.csv.gz"),
        (InteractionSource(("y/1.csv", "2.ndjson")), InteractionSource("/z/3.parquet")),
        base=desk.folder / "elsewhere",
    )
    assert parameters(elsewhere) == plain
    assert str(desk.folder) not in json.dumps(plain)
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
    desk: Desk, change: dict[str, object]
) -> None:
    source = whole_source(desk)
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
    desk: Desk, change: dict[str, object]
) -> None:
    source = whole_source(desk)
    changed = replace(source, catalogue=replace(source.catalogue, **change))  # type: ignore[arg-type]
    assert parameters(changed) != parameters(source)
    assert parameters(replace(source, refused_share_max=0.5)) != parameters(source)


def test_parameters_do_not_depend_on_the_order_of_weights(desk: Desk) -> None:
    def source(weights: dict[str, float]) -> Source:
        return desk.source(interactions=InteractionSource("a.csv", weights=weights))

    one, other = {"purchase": 1.0, "view": 0.1}, {"view": 0.1, "purchase": 1.0}
    assert json.dumps(parameters(source(one))) == json.dumps(parameters(source(other)))


def test_parameters_know_how_files_are_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = parameters(whole_source(desk))
    monkeypatch.setattr(shop, "FORMAT", shop.FORMAT + 1)
    assert parameters(whole_source(desk)) != plain
    monkeypatch.undo()
    monkeypatch.setattr(documents, "FORMAT", documents.FORMAT + 1)
    assert parameters(whole_source(desk)) != plain


def test_parameters_refuse_an_unknown_format(desk: Desk) -> None:
    with pytest.raises(ConfigError, match="no known format"):
        parameters(desk.source(interactions="a.xlsx"))


def test_digests_are_by_input(desk: Desk) -> None:
    desk.put("c.csv", "item_id,title\na,Ant\n")
    desk.put("a.csv", "item_id,order_id\na,1\n")
    desk.put("b.csv", "item_id,order_id\nb,1\n")
    source = desk.source(
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
    report = desk.read(source.catalogue, source.interactions).report
    assert {file.key: file.sha256 for file in report.files} == digests


def test_the_shop_is_the_same_when_it_is_read_again(desk: Desk) -> None:
    desk.put("c.csv", "item_id,title\nb,Bee\na,Ant\n")
    desk.put("a.csv", "item_id,order_id,user_id\na,1,u\nb,1,u\nz,2,v\n")
    one, two = (desk.read("c.csv", "a.csv") for _ in range(2))
    for first, second in ((one.catalogue, two.catalogue), (one.interactions, two.interactions)):
        assert {name: column.tobytes() for name, column in first.columns().items()} == {
            name: column.tobytes() for name, column in second.columns().items()
        }
    assert one.report == two.report


def test_nothing_heavy_is_imported_before_something_is_read(desk: Desk) -> None:
    desk.put("a.csv", "item_id,order_id\na,1\n")
    script = (
        "import sys; from pathlib import Path\n"
        "from recommender.readers.shop import Source, input_digests, parameters\n"
        "from recommender.readers.sources import CatalogueSource, InteractionSource\n"
        "events = InteractionSource('a.csv')\n"
        "source = Source(CatalogueSource(), (events,), base=Path(sys.argv[1]))\n"
        "parameters(source), input_digests(source)\n"
        "print([name for name in ('pandas', 'pyarrow') if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", script, str(desk.folder)]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"[]\n"
