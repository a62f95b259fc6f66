from pathlib import Path

import pytest

from recommender.errors import ConfigError
from recommender.insights.looks import looks
from recommender.insights.proposals import Proposal, propose, repair
from recommender.readers.joining import Cause, Join

PRODUCTS = "sku,name,department,price\nP1,Knife,Kitchen,6.37\nP2,Wok,Kitchen,10.48\n"
ORDERS = "order_id,time,user_id,sku,qty\n1,2026-01-01,u,P1,1\n1,2026-01-01,u,P2,2\n"


def proposed(folder: Path, **files: str) -> Proposal:
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content)
    return propose(looks([], folder))


def test_columns_by_their_names_and_values(tmp_path: Path) -> None:
    made = proposed(tmp_path, products=PRODUCTS, orders=ORDERS)
    assert made.catalogue == {
        "path": "products.csv",
        "columns": {"item": "sku", "title": "name", "category": "department", "price": "price"},
    }
    columns = {"item": "sku", "basket": "order_id", "user": "user_id", "time": "time"}
    assert made.interactions == [
        {"path": "orders.csv", "columns": columns | {"quantity": "qty"}},
    ]
    assert made.unused == {}


def test_a_column_whose_values_are_of_another_type_is_not_taken(tmp_path: Path) -> None:
    orders = "Order ID,Date,Created At,Product Code,Qty\n1,soon,2026-01-01,P1,many\n"
    (made,) = proposed(tmp_path, orders=orders).interactions
    assert made["columns"] == {"item": "Product Code", "basket": "Order ID", "time": "Created At"}


def test_pictures_links_and_currencies_are_found(tmp_path: Path) -> None:
    products = "sku,name,product_url,Image Link,Currency\nP1,Knife,/p1,p1.jpg,EUR\n"
    orders = ORDERS.replace("P2", "P1")
    columns = proposed(tmp_path, products=products, orders=orders).catalogue["columns"]
    found = {name: columns[name] for name in ("url", "image", "currency")}
    assert found == {"url": "product_url", "image": "Image Link", "currency": "Currency"}


def test_kinds_get_weights_by_their_words(tmp_path: Path) -> None:
    kinds = ["Purchase", "add_to_cart", "remove_from_cart", "product_view", "refund", "search"]
    lines = [f"u,{kind},P1,2026-01-01" for kind in kinds]
    events = "user,event,item,time\n" + "\n".join(lines) + "\n"
    (made,) = proposed(tmp_path, events=events).interactions
    assert made["weights"] == {"Purchase": 1.0, "add_to_cart": 0.3, "product_view": 0.1}


def test_cancelled_orders_are_left_out(tmp_path: Path) -> None:
    orders = "order_id,status,sku\n1,paid,P1\n2,refunded,P1\n3,cancelled,P1\n"
    orders = orders.replace("order_id", "order id")
    (made,) = proposed(tmp_path, orders=orders).interactions
    assert made["cancelled"] == {"column": "status", "pattern": "cancelled|refunded"}


def test_the_pair_of_columns_that_meets_is_taken(tmp_path: Path) -> None:
    products = "product_id,sku,name\n" + "".join(f"{n},S{n},N{n}\n" for n in range(9))
    orders = "order_id,product_id,variant,user\n" + "".join(f"1,x{n},S{n},u\n" for n in range(9))
    made = proposed(tmp_path, products=products, orders=orders)
    assert made.catalogue["columns"]["item"] == "sku"
    assert made.interactions[0]["columns"]["item"] == "variant"


def test_daily_files_are_one_source_and_others_are_several(tmp_path: Path) -> None:
    views = "session_id,sku,time\ns,P1,2026-01-01\n"
    made = proposed(tmp_path, products=PRODUCTS, orders_1=ORDERS, orders_2=ORDERS, views=views)
    assert [each["path"] for each in made.interactions] == [
        ["orders_1.csv", "orders_2.csv"],
        "views.csv",
    ]
    assert isinstance(made.tables()["interactions"], list)


def test_of_several_catalogues_the_one_that_meets(tmp_path: Path) -> None:
    other = PRODUCTS.replace("P", "Q").replace("department", "brand")
    made = proposed(tmp_path, a_other=other, products=PRODUCTS, orders=ORDERS, notes="a,b\n1,2\n")
    assert made.catalogue["path"] == "products.csv"
    assert made.unused == {
        "a_other.csv": "another catalogue; its ids meet fewer events",
        "notes.csv": "neither like a catalogue nor like interactions",
    }


def test_nothing_that_looks_like_a_shop_is_refused_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"notes\.csv: neither like a catalogue"):
        proposed(tmp_path, notes="a,b\n1,2\n", empty="")


def test_the_delimiter_of_a_preset_is_written_where_it_differs(tmp_path: Path) -> None:
    header = "id;parent_id;product_number;name;price_gross\n1;;SW1;Knife;6.37\n"
    assert "delimiter" not in proposed(tmp_path, products=header).catalogue
    made = proposed(tmp_path, products=header.replace(";", ","))
    assert made.catalogue["delimiter"] == ","
    assert made.catalogue["preset"] == "shopware"


@pytest.mark.parametrize(
    ("setting", "joined", "ids"),
    [
        ("interactions.ids = { strip_suffix = '.0' }", 0, {"strip_suffix": ".0"}),
        ("interactions.ids = { strip_suffix = '.0' }", 60, None),
        ("", 0, None),
    ],
)
def test_ids_are_repaired_where_they_miss_most_events(
    setting: str, joined: int, ids: dict[str, str] | None
) -> None:
    cause = Cause("floats", setting, 1, 100, "1.0", "1")
    join = Join("interactions", 100, joined, 1, 0, 1, 0, (cause,))
    made = Proposal(catalogue={"path": "a"}, interactions=[{"path": "b"}])
    assert repair(made, [join]) == (ids is not None)
    assert made.interactions[0].get("ids") == ids
    assert not repair(made, [join]), "twice"


def test_the_catalogue_is_repaired_where_it_lost_zeros() -> None:
    cause = Cause("lost zeros", "catalogue.ids = { pad = 6 }", 1, 100, "000001", "1")
    made = Proposal(catalogue={"path": "a"}, interactions=[{"path": "b"}])
    assert repair(made, [Join("interactions", 100, 0, 1, 0, 1, 0, (cause,))])
    assert made.catalogue["ids"] == {"pad": 6}
