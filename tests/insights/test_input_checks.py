"""What is said of input files; doctor on broken set-ups is in tests/cli."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from recommender.core.recipe import Choice
from recommender.insights.diagnosis import Diagnosis
from recommender.insights.input_checks import cancelled_orders, examine_scripts, examine_shop
from recommender.readers.shop_source import ShopSource
from recommender.readers.sources import CatalogueSource, InteractionColumns, InteractionSource

NOW = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
ORDERS = "order_id,item_id,time\n1,a,2026-01-01\n1,b,2026-01-02\n"
CATALOGUE = "item_id,title\na,Knife\nb,Wok\n"


def examined(
    folder: Path, orders: str, source: InteractionSource, catalogue: str = ""
) -> dict[str, list[Diagnosis]]:
    (folder / "orders.csv").write_text(orders)
    if catalogue:
        (folder / "catalogue.csv").write_text(catalogue)
    items = CatalogueSource(path="catalogue.csv" if catalogue else "")
    shop = ShopSource(items, (source,), base=folder)
    found: dict[str, list[Diagnosis]] = {}
    text = {"text": Choice("sentence-transformers")}
    for each in examine_shop(shop, text, folder / "refused.jsonl", NOW):
        found.setdefault(each.what, []).append(each)
    return found


def test_what_a_reindex_would_read(tmp_path: Path) -> None:
    found = examined(tmp_path, ORDERS, InteractionSource("orders.csv"), CATALOGUE)
    assert {each.verdict for several in found.values() for each in several} == {"ok"}
    assert (
        found["columns"][1].detail == "orders.csv: item = item_id, basket = order_id, time = time"
    )
    assert found["rows"][1].detail == "orders.csv: 2 of 2 rows kept"
    assert "2 of 2 events and 2 of 2 sold ids" in found["join"][0].detail
    assert found["times"][0].detail == "2026-01-01 to 2026-01-02 (2 days)"
    assert found["titles"][0].detail == "letters: LATIN 100%"


def test_rows_that_are_not_kept_are_told_with_an_example(tmp_path: Path) -> None:
    lines = "".join(f"{n},a,2026-01-01\n" for n in range(99))
    found = examined(tmp_path, f"{ORDERS}{lines}9,b,soon\n", InteractionSource("orders.csv"))
    (rows,) = found["rows"]
    assert rows.verdict == "warning"
    assert "101 of 102 rows kept; refused: time is not an ISO 8601 time (1)" in rows.detail
    assert "such as 'soon' in time, line 103" in rows.detail


def test_both_files_that_are_wrong_are_named(tmp_path: Path) -> None:
    source = InteractionSource("orders.csv", columns=InteractionColumns(item="sku"))
    found = examined(tmp_path, ORDERS, source, "item_id,name\na,Knife\n")
    assert "'title'" in found["catalogue"][0].detail
    assert "'sku'" in found["interactions"][0].detail


def test_events_without_a_time(tmp_path: Path) -> None:
    found = examined(tmp_path, "order_id,item_id\n1,a\n1,b\n", InteractionSource("orders.csv"))
    assert found["times"][0].verdict == "warning"


@pytest.mark.parametrize(
    ("use", "model", "verdict"),
    [
        ("sentence-transformers", None, "warning"),
        ("sentence-transformers", "sentence-transformers/all-mpnet-base-v2", "warning"),
        ("sentence-transformers", "paraphrase-multilingual-MiniLM-L12-v2", "ok"),
        ("hashing", None, "ok"),
    ],
)
def test_scripts_against_the_text_model(use: str, model: str | None, verdict: str) -> None:
    choice = Choice(use, {"model": model} if model else {})
    (found,) = examine_scripts({"text": choice}, ["Нож поварской", "Wok"])
    assert found.verdict == verdict
    assert "CYRILLIC 80%" in found.detail
    (latin,) = examine_scripts({"text": choice}, ["Käsemesser"])
    assert latin.verdict == "ok"
    assert [*examine_scripts({"text": choice}, ["123"])] == []


def test_the_column_of_cancelled_orders() -> None:
    assert cancelled_orders({"note": ["cancelled"], "Order Status": ["paid", "open"]}) is None
    found = cancelled_orders({"Financial Status": ["paid", "voided", "voided"]})
    assert found == ("Financial Status", {"voided": 2})
