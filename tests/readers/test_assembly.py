from datetime import UTC, datetime

import pytest

from recommender.errors import DataError
from recommender.readers.id_repairs import IdRepairs
from recommender.readers.sources import CatalogueSource, InteractionSource
from tests.readers.shop_folder import Folder, sold

ORDERS = "item_id,order_id\na,1\nb,1\ngone,1\n"


@pytest.mark.fault(79)
def test_items_that_the_catalogue_lacks_are_learned_from_but_not_shown(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title\na,Ant\nb,Bee\n")
    folder.put("a.csv", ORDERS)
    data = folder.read("c.csv", "a.csv")
    assert data.catalogue.ids.ids == ("a", "b", "gone")
    assert data.catalogue.in_stock.tolist() == [True, True, False]
    assert sold(data) == ["a", "b", "gone"]
    assert (data.report.n_interactions, data.report.n_catalogue_events) == (3, 2)
    shown = folder.read(CatalogueSource("c.csv", absent="shown"), "a.csv")
    assert shown.catalogue.in_stock.all()
    assert folder.read(interactions="a.csv").catalogue.in_stock.all()


@pytest.mark.fault(76)
@pytest.mark.parametrize("suffix", ["", ".0"])
def test_orders_that_do_not_fit_the_catalogue_stop_the_run(folder: Folder, suffix: str) -> None:
    folder.put("c.csv", "item_id,title\n4001,Ant\n4002,Bee\n")
    folder.put("a.csv", f"item_id,order_id\n4001{suffix},1\n4002{suffix},1\n")
    repaired = InteractionSource("a.csv", ids=IdRepairs(strip_suffix=".0"))
    assert sold(folder.read("c.csv", repaired, joined_share_min=0.1)) == ["4001", "4002"]
    if not suffix:
        return
    with pytest.raises(DataError, match=r"'4002\.0' against '4002' \(2 ids, 2 events\); set inter"):
        folder.read("c.csv", "a.csv", joined_share_min=0.1)


def test_ids_that_differ_in_case_are_a_warning(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title\nA,Ant\nB,Bee\n")
    folder.put("a.csv", "item_id,order_id\nA,1\nb,1\n")
    report = folder.read("c.csv", "a.csv", joined_share_min=0.1).report
    assert "ids differ in case: 'b' against 'B'" in report.warnings[0]


def test_orders_without_a_row_are_a_warning(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title\na,Ant\n")
    folder.put("a.csv", "item_id,order_id\n")
    report = folder.read("c.csv", "a.csv", joined_share_min=0.1).report
    assert report.warnings == (
        "interactions: no interaction was kept, so all lists come from texts",
    )


@pytest.mark.fault(77)
def test_an_order_of_the_far_future_is_not_the_end_of_any_window(folder: Folder) -> None:
    days = "".join(f"a,{n},2025-01-{1 + n % 28:02}\n" for n in range(200))
    folder.put("a.csv", f"item_id,order_id,time\n{days}b,x,2035-06-01\nc,y,2023-01-01\n")
    data = folder.read(interactions="a.csv", retention_days=365)
    newest = int(datetime(2025, 1, 28, tzinfo=UTC).timestamp())
    assert data.interactions.newest == newest
    assert (data.report.after_as_of, data.report.too_old, len(data.interactions)) == (1, 1, 201)
    assert "events dated after all others, or after limits.as_of: 1" in data.report.warnings[0]


@pytest.mark.fault(77)
def test_times_after_as_of_are_clipped(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id,time\na,1,2025-01-01\nb,1,2025-03-01\n")
    as_of = int(datetime(2025, 2, 1, tzinfo=UTC).timestamp())
    data = folder.read(interactions="a.csv", as_of=as_of)
    assert data.interactions.newest == as_of
    assert data.report.after_as_of == 1
