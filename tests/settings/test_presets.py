"""Every preset on a small file in the documented shape of its platform."""

import json
from pathlib import Path

import numpy as np
import pytest

from recommender.core.ids import ItemIds
from recommender.core.telemetry import silent
from recommender.errors import ConfigError
from recommender.readers.assembly import ShopData
from recommender.readers.interactions import HashedUsers
from recommender.readers.shop import read_shop
from recommender.settings.loading import load
from recommender.settings.presets import presets, recognised, shipped, with_preset


def read(folder: Path, settings: str, **files: str) -> ShopData:
    """The data of files, whose names have _ for a dot, as settings read them."""
    for name, content in files.items():
        stem, _, ending = name.rpartition("_")
        (folder / f"{stem}.{ending}").write_text(content, encoding="utf-8")
    path = folder / "recommender.toml"
    path.write_text(f'shop = "acme"\n{settings}\n[limits]\nrefused_share_max = 0.0\n')
    source = load(path).source()
    users = HashedUsers(b"sixteen bytes or more")
    return read_shop(source, users, quarantine=folder / "refused.jsonl", progress=silent)


def catalogue(
    folder: Path, preset: str, content: str, ending: str = "csv"
) -> dict[str, tuple[object, ...]]:
    """Title, category, price, group and whether each item of a catalogue may be shown."""
    settings = f'[catalogue]\npath = "products.{ending}"\npreset = "{preset}"'
    items = read(folder, settings, **{f"products_{ending}": content}).catalogue
    return {
        item: (
            items.title[row],
            items.category[row],
            None if np.isnan(items.price[row]) else round(float(items.price[row]), 2),
            items.group[row],
            bool(items.in_stock[row]),
        )
        for row, item in enumerate(items.ids)
    }


def events(folder: Path, preset: str, content: str, ending: str = "csv") -> ShopData:
    settings = f'[interactions]\npath = "events.{ending}"\npreset = "{preset}"'
    return read(folder, settings, **{f"events_{ending}": content})


def rows(data: ShopData) -> list[tuple[str, str, int]]:
    """The kind, the item and the time of each event."""
    found = data.interactions
    return [
        (found.kinds[kind], data.catalogue.ids.ids[item], int(time))
        for kind, item, time in zip(found.kind, found.item, found.time, strict=True)
    ]


def baskets(data: ShopData) -> list[set[str]]:
    """The items of each basket, in the order of their first events."""
    found: dict[int, set[str]] = {}
    for basket, item in zip(data.interactions.basket.tolist(), data.interactions.item, strict=True):
        if basket >= 0:
            found.setdefault(basket, set()).add(data.catalogue.ids.ids[item])
    return list(found.values())


def lines(*records: object) -> str:
    return "".join(f"{json.dumps(record)}\n" for record in records)


SHOPIFY = """\
Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,\
Variant SKU,Variant Inventory Qty,Variant Price,Image Src,Image Position,Status
knife,Chef knife,<p>S.</p>,H,Home & Garden > Kitchen,Kitchen,g,true,Size,S,K-S,0,6.37,a,1,active
knife,,,,,,,,,M,K-M,4,7.37,b,2,
knife,,,,,,,,,,,,,c,3,
wok,Wok,,Hearth,Home & Garden > Kitchen,Kitchen,,true,Title,Default,W,5,10.48,d,1,draft
pan,Pan,,Hearth,Home & Garden > Kitchen,Kitchen,,false,Title,Default,P,5,11.85,d,1,active
"""
SHOPIFY_2025 = """\
Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online store,Status,\
SKU,Option1 name,Option1 value,Price,Inventory quantity,Product image URL
Chef knife,knife,<p>Sharp.</p>,H,Home & Garden > Kitchen,Kitchen,,TRUE,Active,K-S,Size,S,6.37,0,a
,knife,,,,,,,,K-M,Size,M,7.37,4,
Wok,wok,,Hearth,Home & Garden > Kitchen,Kitchen,,TRUE,Draft,W,Title,Default,10.48,5,
Pan,pan,,Hearth,Home & Garden > Kitchen,Kitchen,,FALSE,Active,P,Title,Default,11.85,5,
"""
KITCHEN = "Home & Garden > Kitchen"


@pytest.mark.parametrize("content", [SHOPIFY, SHOPIFY_2025])
def test_shopify_products(tmp_path: Path, content: str) -> None:
    assert catalogue(tmp_path, "shopify", content) == {
        "K-M": ("Chef knife", KITCHEN, 7.37, "knife", True),
        "K-S": ("Chef knife", KITCHEN, 6.37, "knife", True),
        "P": ("Pan", KITCHEN, 11.85, "pan", False),
        "W": ("Wok", KITCHEN, 10.48, "wok", False),
    }


IMAGES = {
    "shopify": (
        "Handle,Title,Vendor,Variant SKU,Image Src,Variant Image\nm,Mug,H,A,https://x.example/a.jpg,\n"
        "m,,,B,https://x.example/b.jpg,https://x.example/own.jpg\n",
        ("https://x.example/a.jpg", "https://x.example/own.jpg"),
    ),
    "woocommerce": (
        "SKU,Name,Type,Published,Visibility in catalog,Images,Parent\n"
        'A,Mug,variable,1,visible,"https://x.example/a.jpg, https://x.example/b.jpg",\n'
        "B,Mug,variation,1,visible,,A\n",
        ("https://x.example/a.jpg", "https://x.example/a.jpg"),
    ),
    "magento": (
        "sku,attribute_set_code,product_type,name,base_image\nA,D,simple,Mug,/m/u/a.jpg\n"
        "B,D,simple,Cup,\n",
        ("/m/u/a.jpg", ""),
    ),
    "prestashop": (
        "Product ID;Image;Name;Reference;Status\nA;https://x.example/a.jpg;Mug;R;1\nB;;Cup;S;1\n",
        ("https://x.example/a.jpg", ""),
    ),
    "shopware": (
        "id;parent_id;product_number;name;price_gross;cover_media_url\n1;;A;Mug;5;https://x.example/a.jpg\n"
        "2;1;B;;5;\n",
        ("https://x.example/a.jpg", "https://x.example/a.jpg"),
    ),
    "google-merchant": (
        "id,title,availability,price,link,image_link\nA,Mug,in stock,5.00 USD,/a,https://x.example/a.jpg\n"
        "B,Cup,in stock,7.00 EUR,/b,\n",
        ("https://x.example/a.jpg", ""),
    ),
}


@pytest.mark.parametrize("preset", sorted(presets("catalogue")))
def test_pictures_of_products(tmp_path: Path, preset: str) -> None:
    content, images = IMAGES[preset]
    settings = f'[catalogue]\npath = "products.csv"\npreset = "{preset}"'
    items = read(tmp_path, settings, products_csv=content).catalogue
    rows = items.ids.rows(ItemIds(("A", "B"))).tolist()
    assert tuple(items.image[row] for row in rows) == images
    if preset == "google-merchant":
        assert [items.url[row] for row in rows] == ["/a", "/b"]
        assert [items.currency[row] for row in rows] == ["USD", "EUR"]


def test_woocommerce_products(tmp_path: Path) -> None:
    content = """\
ID,Type,SKU,Name,Published,Is featured?,Visibility in catalog,Short description,Description,\
In stock?,Stock,Sale price,Regular price,Categories,Tags,Images,Parent,Brands
101,variable,P1,Chef knife,1,0,visible,<p>Sharp.</p>,,1,,,,"Kitchen > Knives, Sale",,,,Hearth
102,variation,P1-red,Chef knife - Red,1,0,visible,,,backorder,3,,6.37,,,,P1,
103,simple,P2,Wok,1,0,visible,,,0,0,,10.48,Kitchen,,,,
104,simple,P3,Pan,0,0,visible,,,1,1,,11.85,Kitchen,,,,
105,simple,P4,Pot,1,0,hidden,,,1,1,,12.85,Kitchen,,,,
106,simple,P5,Lid,-1,0,visible,,,1,1,,1.85,Kitchen,,,,
"""
    assert catalogue(tmp_path, "woocommerce", content) == {
        "P1": ("Chef knife", "Kitchen > Knives", None, "P1", True),
        "P1-red": ("Chef knife - Red", "Kitchen > Knives", 6.37, "P1", True),
        "P2": ("Wok", "Kitchen", 10.48, "P2", False),
        "P3": ("Pan", "Kitchen", 11.85, "P3", False),
        "P4": ("Pot", "Kitchen", 12.85, "P4", False),
        "P5": ("Lid", "Kitchen", 1.85, "P5", False),
    }


def test_magento_products(tmp_path: Path) -> None:
    content = """\
sku,store_view_code,attribute_set_code,product_type,categories,product_websites,name,\
description,short_description,product_online,visibility,price,qty,is_in_stock,configurable_variations
P1-S,,D,simple,"Default/Kitchen,Default/New",b,Chef knife-S,,,1,Not Visible Individually,6.37,5,1,
P1,,D,configurable,"Default/Kitchen",b,Chef knife,,,1,"Catalog, Search",,0,1,"sku=P1-S,size=S"
P1,de,Default,configurable,,base,Kochmesser,,,,,,,,
P2,,Default,simple,Default/Kitchen,base,Wok,,,2,"Catalog, Search",10.48,5,1,
P3,,Default,simple,Default/Kitchen,base,Pan,,,1,"Catalog, Search",11.85,0,0,
"""
    assert catalogue(tmp_path, "magento", content) == {
        "P1": ("Chef knife", "Default > Kitchen", None, "P1", True),
        "P1-S": ("Chef knife-S", "Default > Kitchen", 6.37, "P1", False),
        "P2": ("Wok", "Default > Kitchen", 10.48, "", False),
        "P3": ("Pan", "Default > Kitchen", 11.85, "", False),
    }


@pytest.mark.parametrize(
    "content",
    [
        "Product ID;Image;Name;Reference;Category;Price (tax excl.);Price (tax incl.);Quantity;"
        "Status;Position\n1;a;Chef knife;K;Kitchen;5,31;6,37;3;1;0\n"
        "2;b;Wok;W;Kitchen;9;10,48;0;1;1\n"
        "3;c;Pan;P;Kitchen;9;11,85;4;0;2\n",
        "Product ID;Active (0/1);Name *;Categories (x,y,z...);Price tax included;Reference #;"
        "Quantity;Summary;Description\n1;1;Chef knife;Kitchen,Sale;6.37;K;3;a;b\n"
        "2;1;Wok;Kitchen;10.48;W;0;;\n"
        "3;0;Pan;Kitchen;11.85;P;4;;\n",
    ],
)
def test_prestashop_products(tmp_path: Path, content: str) -> None:
    assert catalogue(tmp_path, "prestashop", content) == {
        "1": ("Chef knife", "Kitchen", 6.37, "", True),
        "2": ("Wok", "Kitchen", 10.48, "", False),
        "3": ("Pan", "Kitchen", 11.85, "", False),
    }


def test_shopware_products(tmp_path: Path) -> None:
    content = """\
id;parent_id;product_number;active;stock;name;description;price_net;price_gross;tax_id;\
manufacturer_id;manufacturer_name;categories;sales_channel
a1;;SW1;1;10;Chef knife;<p>Sharp.</p>;5.31;6.37;t;m;Hearth;c1|c2;s
a2;a1;SW1.1;;3;;;;;;;;;
a3;;SW2;0;0;Wok;;9;10.48;t;m;Hearth;c1;s
"""
    assert catalogue(tmp_path, "shopware", content) == {
        "SW1": ("Chef knife", "", 6.37, "a1", True),
        "SW1.1": ("Chef knife", "", None, "a1", True),
        "SW2": ("Wok", "", 10.48, "a3", False),
    }


FEED = {
    "tsv": "id\ttitle\tdescription\tlink\tavailability\tprice\tbrand\tproduct_type\titem_group_id\n"
    "P1\tChef knife\t<p>Sharp.</p>\tl\tin stock\t6.37 EUR\tHearth\tHome > Kitchen\tG1\n"
    "P2\tWok\t\tl\tout_of_stock\t10.48 EUR\tHearth\tHome > Kitchen\tG2\n",
    "rss.xml": """<?xml version="1.0"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel><title>Shop</title>
<item><g:id>P1</g:id><g:title>Chef knife</g:title><g:description>&lt;p&gt;Sharp.</g:description>
<g:availability>in_stock</g:availability><g:price>6.37 EUR</g:price>
<g:shipping><g:price>99 EUR</g:price></g:shipping><g:product_type>Home &gt; Kitchen</g:product_type>
<g:product_type>Sale</g:product_type><g:item_group_id>G1</g:item_group_id></item>
<item><g:id>P2</g:id><title>Wok</title><g:availability>out_of_stock</g:availability>
<g:price>10.48 EUR</g:price><g:product_type>Home &gt; Kitchen</g:product_type>
<g:item_group_id>G2</g:item_group_id></item></channel></rss>""",
    "atom.xml": """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
<title>Shop</title><entry><g:id>P1</g:id><title>Chef knife</title><g:availability>in stock
</g:availability><g:price>6.37 EUR</g:price><g:product_type>Home &gt; Kitchen</g:product_type>
<g:item_group_id>G1</g:item_group_id></entry><entry><g:id>P2</g:id><title>Wok</title>
<g:availability>out of stock</g:availability><g:price>10.48 EUR</g:price>
<g:product_type>Home &gt; Kitchen</g:product_type><g:item_group_id>G2</g:item_group_id></entry>
</feed>""",
}


@pytest.mark.parametrize("shape", FEED)
def test_google_merchant_products(tmp_path: Path, shape: str) -> None:
    ending = shape.rpartition(".")[2]
    assert catalogue(tmp_path, "google-merchant", FEED[shape], ending) == {
        "P1": ("Chef knife", "Home > Kitchen", 6.37, "G1", True),
        "P2": ("Wok", "Home > Kitchen", 10.48, "G2", False),
    }


def test_shopify_orders(tmp_path: Path) -> None:
    content = """\
Name,Email,Financial Status,Paid at,Currency,Created at,Lineitem quantity,Lineitem name,\
Lineitem price,Lineitem sku,Cancelled at
#1,a@example.invalid,paid,,EUR,2025-01-01 18:00:00 +0100,1,Knife - S,6.37,K-S,
#1,a@example.invalid,,,,2025-01-01 18:00:00 +0100,2,Wok,10.48,W,
#2,b@example.invalid,refunded,,EUR,2025-01-02 18:00:00 +0100,1,Pan,11.85,P,
#2,b@example.invalid,,,,2025-01-02 18:00:00 +0100,1,Wok,10.48,W,
#3,b@example.invalid,pending,,EUR,2025-01-02 18:00:00 +0100,1,Pan,11.85,P,2025-01-03 10:00:00 +0100
#3,b@example.invalid,,,,2025-01-02 18:00:00 +0100,1,Wok,10.48,W,
#4,b@example.invalid,partially_refunded,,EUR,2025-01-05 18:00:00 +0100,1,Wok,10.48,W,
"""
    data = events(tmp_path, "shopify", content)
    assert baskets(data) == [{"K-S", "W"}, {"W"}]
    assert rows(data)[0] == ("purchase", "K-S", 1735750800)
    assert len(data.interactions.users) == 2


WOO_CSV = """\
order_id,order_number,date,status,customer_id,item_name,item_sku,item_quantity
1,1,2025-01-01 18:00:00,completed,33,Knife,K,1
1,1,2025-01-01 18:00:00,completed,33,Wok,W,1
2,2,2025-01-02 18:00:00,wc-cancelled,0,Wok,W,1
3,3,2025-01-03 18:00:00,processing,0,Pan,P,2
"""
WOO_JSON = json.dumps(
    [
        {
            "id": number,
            "number": str(number),
            "status": status,
            "date_created": f"2025-01-0{number}T18:00:00",
            "date_created_gmt": f"2025-01-0{number}T18:00:00",
            "customer_id": customer,
            "billing": {"email": "a@example.invalid"},
            "meta_data": [{"id": 1, "key": "a", "value": "b"}],
            "line_items": [
                {"id": 5, "name": sku, "product_id": 9, "sku": sku, "quantity": 1} for sku in skus
            ],
        }
        for number, status, customer, skus in (
            (1, "completed", 33, "KW"),
            (2, "cancelled", 0, "W"),
            (3, "processing", 0, "P"),
        )
    ]
)


@pytest.mark.parametrize(("content", "ending"), [(WOO_CSV, "csv"), (WOO_JSON, "json")])
def test_woocommerce_orders(tmp_path: Path, content: str, ending: str) -> None:
    data = events(tmp_path, "woocommerce", content, ending)
    assert baskets(data) == [{"K", "W"}, {"P"}]
    assert rows(data)[0][2] == 1735754400
    assert len(data.interactions.users) == 1, "0 is a guest"


MAGENTO_CSV = """\
increment_id,created_at,customer_id,sku,qty_ordered,product_type,status
1,2025-01-01 18:00:00,33,K,1,simple,complete
1,2025-01-01 18:00:00,33,W,1,simple,complete
2,2025-01-02 18:00:00,NULL,W,1,simple,canceled
3,2025-01-03 18:00:00,NULL,P,1,simple,processing
"""
MAGENTO_JSON = json.dumps(
    {
        "items": [
            {
                "increment_id": str(number),
                "created_at": f"2025-01-0{number} 18:00:00",
                "customer_id": customer,
                "status": status,
                "items": [{"sku": sku, "qty_ordered": 1, "name": sku} for sku in skus],
            }
            for number, status, customer, skus in (
                (1, "complete", 33, "KW"),
                (2, "canceled", None, "W"),
                (3, "processing", None, "P"),
            )
        ],
        "search_criteria": {"filter_groups": []},
        "total_count": 3,
    }
)


@pytest.mark.parametrize(("content", "ending"), [(MAGENTO_CSV, "csv"), (MAGENTO_JSON, "json")])
def test_magento_orders(tmp_path: Path, content: str, ending: str) -> None:
    data = events(tmp_path, "magento", content, ending)
    assert baskets(data) == [{"K", "W"}, {"P"}]
    assert len(data.interactions.users) == 1


def ga4(name: str, order: str | None, *items: str) -> dict[str, object]:
    return {
        "event_date": "20250101",
        "event_timestamp": "1735754400000000",
        "event_name": name,
        "user_pseudo_id": "c33.1699",
        "event_params": [{"key": "ga_session_id", "value": {"int_value": "17"}}],
        "ecommerce": {"transaction_id": order},
        "items": [{"item_id": item, "item_name": item.title(), "quantity": "1"} for item in items],
    }


def test_ga4_events_of_bigquery(tmp_path: Path) -> None:
    content = lines(
        ga4("purchase", "1", "k", "w"),
        ga4("view_item", None, "p"),
        ga4("add_to_cart", "(not set)", "p"),
        ga4("page_view", None),
        ga4("view_item_list", None, "k", "w"),
        ga4("purchase", "2", "(not set)", "p"),
        ga4("refund", "1", "w"),
    )
    data = events(tmp_path, "ga4", content, "jsonl")
    assert [each[:2] for each in rows(data)] == [
        ("purchase", "k"),
        ("view_item", "p"),
        ("add_to_cart", "p"),
        ("purchase", "p"),
    ]
    assert baskets(data) == [{"k"}, {"p"}], "w was refunded"
    assert rows(data)[0][2] == 1735754400
    assert data.catalogue.title == ("K", "P", "W")


def test_ga4_report_as_csv(tmp_path: Path) -> None:
    content = (
        "# Free form\nTransaction ID,Item ID,Item name,Items purchased\n1,k,Knife,1\n1,w,Wok,1\n"
    )
    data = events(tmp_path, "ga4", content)
    assert baskets(data) == [{"k", "w"}]
    assert [kind for kind, _, _ in rows(data)] == ["purchase", "purchase"]


def test_segment_events(tmp_path: Path) -> None:
    def track(event: str, properties: dict[str, object]) -> dict[str, object]:
        return {
            "type": "track",
            "event": event,
            "anonymousId": "a1",
            "userId": None,
            "timestamp": "2025-01-01T18:00:00.000Z",
            "context": {"page": {"path": "/"}},
            "properties": properties,
        }

    def product(sku: str) -> dict[str, object]:
        return {"product_id": sku, "sku": sku, "name": sku.upper(), "quantity": 1}

    content = lines(
        {
            "type": "page",
            "anonymousId": "a1",
            "timestamp": "2025-01-01T17:00:00Z",
            "properties": {},
        },
        track("Product Viewed", product("p")),
        track("Product Added", {"cart_id": "c", **product("p")}),
        track("Order Completed", {"order_id": "1", "products": [product("k"), product("w")]}),
        track("Order Completed", {"order_id": "2", "products": [product("p")]}),
        track("Order Refunded", {"order_id": "2", "products": [product("p")]}),
    )
    data = events(tmp_path, "segment", content, "jsonl")
    assert [each[:2] for each in rows(data)] == [
        ("Product Viewed", "p"),
        ("Product Added", "p"),
        ("Order Completed", "k"),
        ("Order Completed", "w"),
    ]
    assert baskets(data) == [{"k", "w"}]
    assert data.interactions.weights == (1.0, 0.3, 0.1)


def test_snowplow_events(tmp_path: Path) -> None:
    action = "unstruct_event_com_snowplowanalytics_snowplow_ecommerce_snowplow_ecommerce_action_1"
    products = "contexts_com_snowplowanalytics_snowplow_ecommerce_product_1"

    def enriched(number: int, kind: str, *ids: str) -> dict[str, object]:
        return {
            "event_id": f"e{number}",
            "event_name": "snowplow_ecommerce_action",
            "derived_tstamp": f"2025-01-01T18:00:0{number}.000Z",
            "domain_userid": "u",
            "domain_sessionid": "s",
            action: {"type": kind},
            products: [{"id": each, "name": each.upper(), "price": 1.0} for each in ids],
        }

    content = lines(
        enriched(1, "product_view", "p"),
        enriched(2, "list_view", "p", "k"),
        enriched(3, "transaction", "k", "w"),
        {"event_id": "e4", "event_name": "page_view", "derived_tstamp": "2025-01-01T18:00:09.000Z"},
    )
    data = events(tmp_path, "snowplow", content, "jsonl")
    assert [each[:2] for each in rows(data)] == [
        ("product_view", "p"),
        ("transaction", "k"),
        ("transaction", "w"),
    ]
    assert baskets(data) == [{"p"}, {"k", "w"}]


def test_rees46_events(tmp_path: Path) -> None:
    content = """\
event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session
2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,72d7
2019-10-01 00:00:01 UTC,cart,3900821,2053013552326770905,appliances,a,33.2,55,9333
2019-10-01 00:00:02 UTC,remove_from_cart,3900821,2053013552326770905,appliances,a,33.2,55,9333
2019-10-01 00:00:04 UTC,purchase,3900821,2053013552326770905,appliances,a,33.2,55,9333
"""
    data = events(tmp_path, "rees46", content)
    assert rows(data) == [
        ("view", "44600062", 1569888000),
        ("cart", "3900821", 1569888001),
        ("purchase", "3900821", 1569888004),
    ]
    assert data.interactions.session.tolist() == [0, 1, 1]


def test_retailrocket_events(tmp_path: Path) -> None:
    content = """\
timestamp,visitorid,event,itemid,transactionid
1433221332117,257597,view,355908,
1433224214164,992329,transaction,248676,10
1433224214165,992329,transaction,318965,10
"""
    data = events(tmp_path, "retailrocket", content)
    assert rows(data)[0] == ("view", "355908", 1433221332)
    assert baskets(data) == [{"248676", "318965"}]


def test_own_settings_come_before_those_of_the_preset(tmp_path: Path) -> None:
    settings = """
[catalogue]
path = "products.csv"
preset = "shopify"
columns = { in_stock = "Variant Inventory Qty", brand = "" }
"""
    items = read(tmp_path, settings, products_csv=SHOPIFY).catalogue
    assert items.in_stock[items.ids.rows(["K-S"])[0]] == np.False_, "its stock is 0"
    assert set(items.brand) == {""}
    assert items.title[items.ids.rows(["K-S"])[0]] == "Chef knife", "of the preset"
    own = with_preset("interactions", {"preset": "ga4", "path": "a", "weights": {"view_item": 0.5}})
    assert own["weights"] == {"purchase": 1.0, "add_to_cart": 0.3, "view_item": 0.5}
    assert "preset" not in own


def test_a_preset_may_be_set_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "recommender.toml"
    path.write_text('shop = "acme"\n[catalogue]\npath = "products.csv"\n')
    loaded = load(path, ["catalogue.preset=woocommerce"])
    assert loaded.catalogue.columns.item == "SKU"
    assert loaded.plain()["catalogue"]["category_separator"] == ","


@pytest.mark.parametrize(
    ("assignment", "reported"),
    [
        ("catalogue.preset=shopfy", "did you mean 'shopify'? Presets: google-merchant"),
        ("catalogue.preset=ga4", "there is none"),
        ("catalogue.preset=1", "there is none"),
        ("catalogue.prest=shopify", "did you mean 'preset'?"),
        ("interactions.preset=shopware", "there is none"),
    ],
)
def test_an_unknown_preset_is_refused_with_the_names(
    tmp_path: Path, assignment: str, reported: str
) -> None:
    path = tmp_path / "recommender.toml"
    path.write_text('shop = "acme"\n[interactions]\npath = "orders.csv"\n')
    with pytest.raises(ConfigError) as refused:
        load(path, [assignment])
    assert reported in str(refused.value)


def test_all_presets_load_and_name_their_source(tmp_path: Path) -> None:
    path = tmp_path / "recommender.toml"
    for table in ("catalogue", "interactions"):
        for name in presets(table):
            path.write_text(f'shop = "acme"\n[{table}]\npath = "a.csv"\npreset = "{name}"\n')
            assert load(path).shop == "acme"
            assert "https://" in shipped(f"config/presets/{table}/{name}.toml").read_text()


def test_a_preset_is_recognised_by_its_columns() -> None:
    header = frozenset(SHOPIFY.partition("\nknife")[0].split(","))
    assert recognised("catalogue", header) == "shopify"
    assert recognised("interactions", header) == ""
    assert recognised("catalogue", frozenset({"item_id", "title"})) == ""
    assert (
        recognised("interactions", frozenset(MAGENTO_CSV.splitlines()[0].split(","))) == "magento"
    )
