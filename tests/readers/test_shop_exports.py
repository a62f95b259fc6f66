"""Exports of shops as they are: what is read from each, or why the run stops."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recommender.errors import ConfigError, DataError
from recommender.readers.assembly import ShopData
from tests.settings.test_presets import baskets, lines, read

CATALOGUE = '[catalogue]\npath = "c.csv"\ncolumns = { item = "sku", title = "name" }\n'
ORDERS = '[interactions]\npath = "o.csv"\ncolumns = { item = "sku" }\n'
PRODUCTS = "sku,name\nP1,Knife\nP2,Wok\nP3,Pan\n"
SOLD = "order_id,time,user_id,sku\n1,2025-01-01,u,P1\n1,2025-01-01,u,P2\n2,2025-01-02,v,P3\n"
BOUGHT = [["P1", "P2"], ["P3"]]


def catalogue(*columns: str, more: str = "", path: str = "c.csv") -> str:
    """The table of a catalogue with further columns, `field = "name"`, and other settings."""
    mapped = ", ".join(('item = "sku"', 'title = "name"', *columns))
    return f'[catalogue]\npath = "{path}"\ncolumns = {{ {mapped} }}\n{more}\n'


def orders(*columns: str, more: str = "", path: str = "o.csv", item: str = "sku") -> str:
    mapped = ", ".join((f'item = "{item}"', *columns))
    return f'[interactions]\npath = "{path}"\ncolumns = {{ {mapped} }}\n{more}\n'


def by_item(column: Callable[[ShopData], Any]) -> Callable[[ShopData], dict[str, Any]]:
    return lambda data: dict(zip(data.catalogue.ids, column(data), strict=True))


def items_where(data: ShopData, mask: NDArray[np.bool_]) -> list[str]:
    return sorted(data.catalogue.ids.ids[row] for row in np.flatnonzero(mask))


VIEWS: Mapping[str, Callable[[ShopData], Any]] = {
    "titles": by_item(lambda data: data.catalogue.title),
    "categories": by_item(
        lambda data: map(
            "; ".join,
            zip(data.catalogue.category, data.catalogue.other_categories, strict=True),
        )
    ),
    "groups": by_item(lambda data: data.catalogue.group),
    "prices": by_item(
        lambda data: [None if np.isnan(p) else round(float(p), 2) for p in data.catalogue.price]
    ),
    "in_stock": lambda data: items_where(data, data.catalogue.in_stock),
    "for_sale": lambda data: items_where(data, data.catalogue.for_sale),
    "baskets": lambda data: sorted(sorted(basket) for basket in baskets(data)),
    "times": lambda data: sorted(
        {f"{datetime.fromtimestamp(int(t), UTC):%Y-%m-%d %H:%M}" for t in data.interactions.time}
    ),
    "users": lambda data: int((data.interactions.user >= 0).sum()),
    "warnings": lambda data: list(data.report.warnings),
    "left_out": lambda data: {r: n for file in data.report.files for r, n in file.left_out.items()},
    "noted": lambda data: {r: n for file in data.report.files for r, n in file.noted.items()},
}

Case = tuple[str, dict[str, str], dict[str, Any]]
EXPORTS: dict[str, Case] = {
    "adobe-headerless-tsv": (
        CATALOGUE
        + orders(
            *('basket = "order"', 'user = "visitor"', 'time = "time"'),
            more='header = ["time", "visitor", "events", "product_list", "order"]\n'
            "ids = { split = ',', extract = '[^;]*;([^;]+)' }",
            path="o.tsv",
            item="product_list",
        ),
        {
            "c_csv": PRODUCTS,
            "o_tsv": "1735754400\tc\t1\t;P1;1;8.7,;P2;1;9\t10\n1735754401\td\t1\t;P3\t11\n",
        },
        {"baskets": BOUGHT, "users": 3},
    ),
    "bigquery-ndjson-named-json": (
        CATALOGUE + orders(path="o.json"),
        {
            "c_csv": PRODUCTS,
            "o_json": lines(
                {"order_id": 1, "user_id": "u", "sku": "P1"},
                {"order_id": 1, "user_id": "u", "sku": "P2"},
                {"order_id": 2, "user_id": "v", "sku": "P3"},
            ),
        },
        {"baskets": BOUGHT},
    ),
    "case-differing-ids": (
        CATALOGUE + ORDERS,
        {"c_csv": PRODUCTS, "o_csv": SOLD.replace("P1", "p1")},
        {
            "for_sale": ["P1", "P2", "P3"],
            "warnings": [
                "interactions: 2 of 3 events and 2 of 3 sold ids are of items in the catalogue, "
                "and 2 of 3 items for sale were sold. ids differ in case: 'p1' against 'P1' "
                "(1 ids, 1 events); set interactions.ids = { fold_case = true }"
            ],
        },
    ),
    "dates-german": (
        CATALOGUE + ORDERS,
        {"c_csv": PRODUCTS, "o_csv": SOLD.replace("2025-01-02", "02.01.2025 18:05")},
        {"times": ["2025-01-01 00:00", "2025-01-02 18:05"]},
    ),
    "deleted-products-recommended": (
        CATALOGUE + ORDERS,
        {"c_csv": PRODUCTS.replace("P2,Wok\n", ""), "o_csv": SOLD},
        {"for_sale": ["P1", "P3"], "baskets": BOUGHT},
    ),
    "draft-products-recommended": (
        catalogue('in_stock = "In stock?"'),
        {"c_csv": "sku,name,Published,In stock?\nP1,Knife,1,1\nP2,Wok,-1,1\nP3,Pan,0,1\n"},
        {"for_sale": ["P1"], "in_stock": ["P1"]},
    ),
    "deleted-at": (
        CATALOGUE,
        {
            "c_csv": "sku,name,deleted_at,is_active\nP1,Knife,,true\nP2,Wok,2024-01-31,true\n"
            "P3,Pan,NULL,false\nP4,Pot,0000-00-00,1\n"
        },
        {"for_sale": ["P1", "P4"]},
    ),
    "duplicate-header-columns": (
        CATALOGUE,
        {"c_csv": "sku,name,Meta: color,Meta: color\nP1,Knife,red,blue\n"},
        {"titles": {"P1": "Knife"}},
    ),
    "epoch-milliseconds-retailrocket": (
        orders(
            *('basket = "transactionid"', 'user = "visitorid"', 'kind = "event"'),
            *('time = "timestamp"',),
            more='time_format = "epoch"\nweights = { transaction = 1.0 }',
            item="itemid",
        ),
        {
            "o_csv": "timestamp,visitorid,event,itemid,transactionid\n"
            "1735754400000,c,transaction,P1,10\n1735754400000,c,transaction,P2,10\n"
        },
        {"times": ["2025-01-01 18:00"], "baskets": [["P1", "P2"]]},
    ),
    "european-decimals": (
        catalogue('price = "price"', more='delimiter = ";"'),
        {"c_csv": "sku;name;price\nP1;Knife;6,37\nP2;Wok;1.299,00 €\nP3;Pan;CHF 1'299.50\n"},
        {"prices": {"P1": 6.37, "P2": 1299.0, "P3": 1299.5}},
    ),
    "excel-sep-line": (
        catalogue(more='delimiter = ";"'),
        {"c_csv": "sep=;\nsku;name\nP1;Knife\n"},
        {"titles": {"P1": "Knife"}},
    ),
    "future-date": (
        CATALOGUE + ORDERS,
        {
            "c_csv": PRODUCTS,
            "o_csv": SOLD
            + "".join(f"{n},2025-01-03,u,P1\n" for n in range(3, 30))
            + "99,2035-01-01,u,P3\n",
        },
        {
            "times": ["2025-01-01 00:00", "2025-01-02 00:00", "2025-01-03 00:00"],
            "warnings": [
                "events dated after all others, or after limits.as_of: 1; they count as of the "
                "newest day"
            ],
        },
    ),
    "ga4-bigquery-json": (
        orders(
            *('basket = "ecommerce.transaction_id"', 'user = "user_pseudo_id"'),
            *('time = "event_timestamp"', 'title = "items.item_name"'),
            more='time_format = "epoch"',
            path="o.jsonl",
            item="items.item_id",
        ),
        {
            "o_jsonl": lines(
                {
                    "event_timestamp": "1735754400000000",
                    "user_pseudo_id": "c",
                    "ecommerce": {"transaction_id": "10"},
                    "items": [
                        {"item_id": "P1", "item_name": "Knife"},
                        {"item_id": "P2", "item_name": "Wok"},
                    ],
                }
            )
        },
        {
            "baskets": [["P1", "P2"]],
            "titles": {"P1": "Knife", "P2": "Wok"},
            "times": ["2025-01-01 18:00"],
        },
    ),
    "ga4-csv-report-comment-lines": (
        orders(
            *('basket = "Transaction ID"', 'title = "Item name"', 'quantity = "Items purchased"'),
            item="Item ID",
        ),
        {
            "o_csv": "# ----\n# Free form 1\n# 20250101-20250430\n# ----\n\nTransaction ID,Item ID,"
            "Item name,Items purchased\n10,P1,Knife,1\n10,P2,Wok,1\n"
        },
        {"baskets": [["P1", "P2"]], "titles": {"P1": "Knife", "P2": "Wok"}},
    ),
    "ga4-flat-micros": (
        ORDERS,
        {
            "o_csv": SOLD.replace("2025-01-01", "1735754400000000").replace(
                "2025-01-02", "1735754460.5"
            )
        },
        {"times": ["2025-01-01 18:00", "2025-01-01 18:01"]},
    ),
    "glob-of-daily-files": (
        CATALOGUE + orders(path="o-*.csv"),
        {
            "c_csv": PRODUCTS,
            "o-1_csv": SOLD,
            "o-2_csv": SOLD.replace("\n1,", "\n3,").replace("\n2,", "\n4,"),
        },
        {"baskets": sorted([*BOUGHT, *BOUGHT])},
    ),
    "google-merchant-tsv": (
        '[catalogue]\npath = "c.tsv"\ncolumns = { item = "id", price = "price", '
        'in_stock = "availability", category = "product_type" }\n',
        {
            "c_tsv": "id\ttitle\tavailability\tprice\tproduct_type\n"
            "P1\tKnife\tout of stock\t6.37 EUR\tHome > Kitchen\nP2\tWok\tin_stock\tEUR 7.74\t\n"
        },
        {
            "prices": {"P1": 6.37, "P2": 7.74},
            "in_stock": ["P2"],
            "categories": {"P1": "Home > Kitchen; ", "P2": "; "},
        },
    ),
    "json-array-catalogue": (
        catalogue(path="c.json"),
        {"c_json": json.dumps([{"sku": "P1", "name": "Knife"}, {"sku": "P2", "name": "Wok"}])},
        {"titles": {"P1": "Knife", "P2": "Wok"}},
    ),
    "line-items-in-one-cell": (
        CATALOGUE + orders(more='ids = { split = "|" }'),
        {"c_csv": PRODUCTS, "o_csv": "order_id,user_id,sku\n1,u,P1|P2\n2,v,P3\n"},
        {"baskets": BOUGHT},
    ),
    "magento-export": (
        '[catalogue]\npath = "c.csv"\npreset = "magento"\n',
        {
            "c_csv": "sku,store_view_code,attribute_set_code,product_type,categories,name,"
            "product_online,visibility,price,is_in_stock,configurable_variations\n"
            'P1-S,,D,simple,"D/Kitchen,D/Kitchen/New,D/Sale",Knife-S,1,'
            "Not Visible Individually,6,1,\n"
            'P1,,D,configurable,"D/Kitchen,D/Kitchen/New,D/Sale",Knife,1,"Catalog, Search",,1,'
            "sku=P1-S\nP1,de,D,configurable,,Messer,,,,,\n"
            'P2,,D,simple,D/Bed\\/Bath,Wok,2,"Catalog, Search",7,1,\n'
        },
        {
            "titles": {"P1": "Knife", "P1-S": "Knife-S", "P2": "Wok"},
            "groups": {"P1": "P1", "P1-S": "P1", "P2": ""},
            "for_sale": ["P1"],
            "categories": {
                "P1": "D > Kitchen > New; D > Kitchen\nD > Sale",
                "P1-S": "D > Kitchen > New; D > Kitchen\nD > Sale",
                "P2": "D > Bed/Bath; ",
            },
        },
    ),
    "merchant-feed-txt": (
        '[catalogue]\npath = "c.txt"\ncolumns = { item = "id" }\n',
        {"c_txt": "id\ttitle\nP1\tKnife\n"},
        {"titles": {"P1": "Knife"}},
    ),
    "mysql-backslash-quotes": (
        catalogue(more="escape = '\\'"),
        {"c_csv": '"sku","name"\n"P1","Knife 10\\" wide"\n"P2",\\N\n"P3","C:\\\\N"\n'},
        {"titles": {"P1": 'Knife 10" wide', "P2": "", "P3": "C:\\N"}},
    ),
    "status-in-any-case": (
        CATALOGUE,
        {
            "c_csv": "sku,name,STATUS,Post_Status,Visible\nP1,Knife,ACTIVE,publish,TRUE\n"
            "P2,Wok,DRAFT,publish,TRUE\nP3,Pan,ACTIVE,trash,TRUE\nP4,Pot,ACTIVE,publish,FALSE\n"
        },
        {"for_sale": ["P1"]},
    ),
    "parent-0": (
        catalogue('group = "parent_id"'),
        {"c_csv": "sku,name,parent_id\nP1,Knife,0\nP2,Wok,-\nP2-R,Wok red,P2\n"},
        {"groups": {"P1": "", "P2": "P2", "P2-R": "P2"}, "warnings": []},
    ),
    "one-group-of-most": (
        catalogue('group = "parent_id"'),
        {
            "c_csv": "sku,name,parent_id\nP0,Knife,P0\n"
            + "".join(f"P{n},Wok {n},nobody\n" for n in range(1, 11))
        },
        {
            "warnings": [
                "10 of 11 items are in one group, 'nobody': a list has one of them; correct "
                "catalogue.columns.group, or add the value to catalogue.nulls"
            ]
        },
    ),
    "null-group-partly": (
        catalogue('group = "parent_sku"'),
        {"c_csv": "sku,name,parent_sku\nP1,Knife,NULL\nP2,Wok,\\N\nP2-R,Wok red,P2\n"},
        {"groups": {"P1": "", "P2": "P2", "P2-R": "P2"}},
    ),
    "orders-header-only": (
        CATALOGUE + ORDERS,
        {"c_csv": PRODUCTS, "o_csv": "order_id,time,user_id,sku\n"},
        {"warnings": ["interactions: no interaction was kept, so all lists come from texts"]},
    ),
    "price-on-request": (
        catalogue('price = "price"'),
        {"c_csv": "sku,name,price\nP1,Knife,on request\nP2,Wok,7.74\n"},
        {
            "prices": {"P1": None, "P2": 7.74},
            "titles": {"P1": "Knife", "P2": "Wok"},
            "noted": {"price is not a number: unknown": 1},
        },
    ),
    "returns-counted-as-purchases": (
        CATALOGUE + ORDERS,
        {
            "c_csv": PRODUCTS,
            "o_csv": "order_id,user_id,sku,Qty\n1,u,P1,1\n1,u,P2,1\n2,v,P3,1\n3,w,P1,-1\n"
            "3,w,P3,-1\n",
        },
        {"baskets": BOUGHT, "left_out": {"quantity below 0: returned": 2}},
    ),
    "shopify-cancelled-orders-leak": (
        CATALOGUE
        + orders(
            *('basket = "Name"', 'user = "Email"'),
            more='cancelled = { column = "Financial Status", pattern = "refunded|voided" }',
        ),
        {
            "c_csv": PRODUCTS,
            "o_csv": "Name,Email,Financial Status,sku\n#1,u,paid,P1\n#1,u,,P2\n#2,v,refunded,P1\n"
            "#2,v,,P3\n#2,v,,P2\n#3,v,paid,P3\n",
        },
        {"baskets": BOUGHT, "left_out": {"cancelled": 1}},
    ),
    "shopify-products-by-handle": (
        '[catalogue]\npath = "c.csv"\ncolumns = { item = "Handle", title = "Title", '
        'brand = "Vendor", price = "Variant Price" }\n',
        {
            "c_csv": "Handle,Title,Vendor,Variant SKU,Variant Price,Status\n"
            "knife,Knife,H,K-S,6,active\nknife,,,K-M,7,\nknife,,,,,\nwok,Wok,H,W,8,archived\n"
        },
        {
            "titles": {"knife": "Knife", "wok": "Wok"},
            "prices": {"knife": 6.0, "wok": 8.0},
            "for_sale": ["knife"],
        },
    ),
    "shopify-products-by-sku": (
        '[catalogue]\npath = "c.csv"\ncolumns = { item = "Variant SKU", title = "Title", '
        'group = "Handle" }\n',
        {
            "c_csv": "Handle,Title,Variant SKU,Status\nknife,Knife,K-S,active\nknife,,K-M,\n"
            "knife,,,\nwok,Wok,W,archived\n"
        },
        {
            "titles": {"K-S": "Knife", "K-M": "Knife", "W": "Wok"},
            "for_sale": ["K-M", "K-S"],
            "left_out": {"no item id: a further row of its group": 1},
        },
    ),
    "trailing-delimiter": (
        CATALOGUE,
        {"c_csv": "sku,name,\nP1,Knife,\nP2,Wok,,,\n,,\n,,\n"},
        {"titles": {"P1": "Knife", "P2": "Wok"}},
    ),
    "woo-stock-status-words": (
        catalogue('in_stock = "stock"'),
        {
            "c_csv": "sku,name,stock\nP1,Knife,instock\nP2,Wok,outofstock\nP3,Pan,onbackorder\n"
            "P4,Pot,Nicht auf Lager\nP5,Lid,Rupture de stock\nP6,Cup,lieferbar\n"
        },
        {"in_stock": ["P1", "P3", "P6"], "noted": {}},
    ),
    "woocommerce-export": (
        '[catalogue]\npath = "c.csv"\npreset = "woocommerce"\ncolumns = { item = "ID" }\n',
        {
            "c_csv": "ID,Type,SKU,Name,Published,Visibility in catalog,In stock?,Categories,"
            "Parent\n"
            '101,variable,,Knife,1,visible,1,"Kitchen > Knives, Kitchen\\, new, Sale",\n'
            "102,variation,,Knife - Red,1,visible,backorder,,id:101\n"
            "103,simple,W,Wok,1,visible,0,,\n"
        },
        {
            "in_stock": ["101", "102"],
            "groups": {"101": "101", "102": "101", "103": "W"},
            "categories": {
                "101": "Kitchen > Knives; Kitchen, new\nSale",
                "102": "Kitchen > Knives; Kitchen, new\nSale",
                "103": "; ",
            },
        },
    ),
    "woocommerce-parent-not-in-group": (
        catalogue('group = "Parent"'),
        {"c_csv": "sku,name,Parent\nP1,Knife,\nP1-red,Knife - Red,P1\nP2,Wok,\n"},
        {"groups": {"P1": "P1", "P1-red": "P1", "P2": ""}},
    ),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_read_as_it_is(tmp_path: Path, name: str) -> None:
    settings, files, expected = EXPORTS[name]
    data = read(tmp_path, settings, **files)
    assert {view: VIEWS[view](data) for view in expected} == expected


STOPS: dict[str, Case] = {
    "float-ids-from-pandas": (
        CATALOGUE + ORDERS,
        {
            "c_csv": PRODUCTS.replace("P", ""),
            "o_csv": re.sub(r"P(\d)", r"\1.0", SOLD),
        },
        {"says": "ids end in .0, as numbers .* set interactions.ids = { strip_suffix = '.0' }"},
    ),
    "float-ids-in-the-catalogue": (
        CATALOGUE + ORDERS,
        {"c_csv": "sku,name\n1.0,Knife\n2.0,Wok\n", "o_csv": SOLD.replace(",P", ",")},
        {"says": "ids of the catalogue end in .0, .* set catalogue.ids = { strip_suffix = '.0' }"},
    ),
    "leading-zeros-lost-in-orders": (
        CATALOGUE + ORDERS,
        {"c_csv": PRODUCTS.replace("P", "00000"), "o_csv": SOLD.replace(",P", ",")},
        {"says": r"lost the zeros before them: '3' against '000003' .*ids = \{ pad = 6 \}"},
    ),
    "ids-as-formulas": (
        CATALOGUE + ORDERS,
        {"c_csv": PRODUCTS.replace("P", "000"), "o_csv": SOLD.replace(",P", ",'000")},
        {"says": r"ids have something around them: \"'0003\" against '0003' .* extract = "},
    ),
    "ids-with-thousands": (
        CATALOGUE + ORDERS,
        {"c_csv": "sku,name\n4001,Knife\n", "o_csv": 'order_id,user_id,sku\n1,u,"4,001"\n'},
        {"says": "ids have separators of thousands: export them as text: '4,001' against '4001'"},
    ),
    "line-items-in-one-cell": (
        CATALOGUE + ORDERS,
        {"c_csv": PRODUCTS, "o_csv": "order_id,user_id,sku\n1,u,P1|P2\n2,v,P1|P3\n3,v,P2\n"},
        {"says": r"a cell has several ids: .* set interactions.ids = { split = '\|' }"},
    ),
    "line-items-with-quantities": (
        CATALOGUE + ORDERS,
        {
            "c_csv": PRODUCTS,
            "o_csv": "order_id,user_id,sku\n1,u,P1 x 2; P2 x 1\n2,v,P1 x 1; P3 x 1\n",
        },
        {"says": r"a cell has several ids, with .* { split = ';', extract = '\\W\*\(\\S\+\)' }"},
    ),
    "adobe-product-list": (
        CATALOGUE + ORDERS,
        {"c_csv": PRODUCTS, "o_csv": 'order_id,user_id,sku\n1,u,";P1;1;8,;P2;1;9"\n'},
        {"says": r"a cell has several ids, with .* { split = ',', extract = '\[\^;\]\*;\(\[\^;\]"},
    ),
    "adobe-headerless-tsv": (
        CATALOGUE + orders(path="o.tsv"),
        {"c_csv": PRODUCTS, "o_tsv": "1735754400\tc1\t1,100\t;P1;1;18.7\t10000\n"},
        {"says": "no column 'sku' .* if its first row has values, set header to the names"},
    ),
    "mysql-backslash-quotes": (
        CATALOGUE,
        {"c_csv": '"sku","name"\n"P1","Knife 10\\" wide"\n'},
        {"says": r"a quote that is neither doubled .* set escape = "},
    ),
    "shopify-products-by-handle": (
        '[catalogue]\npath = "c.csv"\ncolumns = { item = "Handle", title = "Title" }\n' + ORDERS,
        {
            "c_csv": "Handle,Title,Variant SKU\n"
            + "".join(f"p{n},Product {n},P{n}\n" for n in range(1, 12)),
            "o_csv": SOLD,
        },
        {"says": "set catalogue.columns.item = 'Variant SKU'"},
    ),
}


@pytest.mark.parametrize("name", STOPS)
def test_what_cannot_be_read_stops_the_run_with_the_remedy(tmp_path: Path, name: str) -> None:
    settings, files, expected = STOPS[name]
    with pytest.raises((ConfigError, DataError), match=expected["says"]):
        read(tmp_path, settings, **files)


def test_utf_16_with_tabs_is_read(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("sku\tname\nP1\tKäse\n", encoding="utf-16")
    data = read(tmp_path, catalogue(more='encoding = "utf-16"\ndelimiter = "\\t"'))
    assert data.catalogue.title == ("Käse",)
