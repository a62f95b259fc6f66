import json
from dataclasses import replace

import numpy as np

from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.publishing.records import Records
from recommender.serving.records import decode_record
from recommender.serving.storefront import decode_storefront

IDS = ItemIds(("a{1}", "b", "c"))


def priced(currency: tuple[str, ...]) -> Catalogue:
    return replace(
        Catalogue.of_titles(IDS, ("Lamp", "", "\ud800 broken")),
        price=np.array([19.99, np.nan, 1200], dtype=np.float32),
        currency=currency,
        url=("/a", "", "/c"),
        image=("a.jpg", "", ""),
    )


def test_a_record_has_what_is_known() -> None:
    records = dict(Records(priced(("EUR", "", "JPY"))).encoded(np.arange(3, dtype=np.int32)))
    assert list(records) == ["@:a%7B1%7D", "@:b", "@:c"]
    assert json.loads(records["@:a%7B1%7D"]) == {
        "id": "a{1}",
        "title": "Lamp",
        "currency": "EUR",
        "url": "/a",
        "image": "a.jpg",
        "price_minor": 1999,
        "in_stock": True,
    }
    assert json.loads(records["@:b"]) == {"id": "b", "in_stock": True}
    assert decode_record(records["@:c"], "c")["price_minor"] == 1200


def test_attributes_of_these_names_are_published_as_before() -> None:
    named = {"currency": ("JPY", "", ""), "url": ("/own", "", "")}
    records = dict(
        Records(replace(priced(("", "", "")), attributes=named)).encoded(
            np.arange(1, dtype=np.int32)
        )
    )
    record = json.loads(records["@:a%7B1%7D"])
    assert (record["currency"], record["url"], record["price_minor"]) == ("JPY", "/own", 20)


def test_several_categories_are_a_list() -> None:
    several = replace(
        priced(("", "", "")), category=("A > B", "", "C"), other_categories=("C\nD > E", "", "")
    )
    records = dict(Records(several).encoded(np.arange(3, dtype=np.int32)))
    assert json.loads(records["@:a%7B1%7D"])["categories"] == ["A > B", "C", "D > E"]
    assert "categories" not in json.loads(records["@:c"])


def test_a_catalogue_of_ids_alone_has_no_records() -> None:
    assert Records.of(Catalogue.of_titles(IDS, ("", "", ""))) is None
    assert Records.of(priced(("", "", ""))) is not None


def test_titles_in_other_languages_are_together() -> None:
    titled = replace(
        priced(("", "", "")), attributes={"title:de": ("Lampe", "", ""), "url": IDS.ids}
    )
    records = dict(Records(titled).encoded(np.arange(3, dtype=np.int32)))
    assert json.loads(records["@:a%7B1%7D"])["titles"] == {"de": "Lampe"}
    assert "titles" not in json.loads(records["@:b"])
    assert "title:de" not in json.loads(records["@:a%7B1%7D"])


def test_a_storefront_is_published_beside_the_records() -> None:
    bare = Catalogue.of_titles(IDS, ("", "", ""))
    records = Records.of(bare, {"headings": {"related": {"": "More"}}})
    assert records is not None
    (value,) = records.encoded_storefront().values()
    assert list(records.encoded_storefront()) == ["@:"]
    assert decode_storefront(value).heading("related", "") == "More"
    assert Records(bare).encoded_storefront() == {}
