import pytest

from recommender.serving.records import at_store, decode_change, decode_record, shown_record


@pytest.mark.parametrize(
    ("currency", "minor", "price"),
    [("EUR", 1999, 19.99), ("JPY", 1999, 1999), ("KWD", 1999, 1.999), ("", 5, 0.05)],
)
def test_a_price_is_shown_in_units_of_its_currency(currency: str, minor: int, price: float) -> None:
    record = {"id": "a", "price_minor": minor, "currency": currency}
    assert shown_record(record, {})["price"] == price


@pytest.mark.parametrize(
    ("change", "stock", "in_stock"),
    [
        ({}, 1, True),
        ({"in_stock": False}, 0, False),
        ({"stock": 0}, 0, False),
        ({"stock": 4}, 4, True),
        ({"stock": {"berlin": 0, "bonn": 0}}, {"berlin": 0, "bonn": 0}, False),
        ({"stock": 0, "in_stock": True}, 0, True),
    ],
)
def test_stock_and_availability_agree(
    change: dict[str, object], stock: object, in_stock: bool
) -> None:
    shown = shown_record({"id": "a", "in_stock": True}, change)
    assert (shown["stock"], shown["in_stock"]) == (stock, in_stock)


def test_the_stock_of_a_store_is_its_own() -> None:
    fields = {"stock": {"berlin": 2, "bonn": 3}}
    assert at_store(fields, "berlin")["stock"] == 2
    assert at_store(fields, "paris")["stock"] == 0
    assert at_store(fields, "")["stock"] == 5
    assert at_store({"stock": 7}, "berlin")["stock"] == 7


@pytest.mark.parametrize("raw", [None, b"", b"[]", b"{", b'{"id": "b"}', b"[" * 100_000])
def test_a_record_of_nothing_or_of_another_item_is_malformed(raw: bytes | None) -> None:
    with pytest.raises(ValueError, match=r"record|JSON|Expecting|bytes"):
        decode_record(raw, "a")


@pytest.mark.parametrize("raw", [None, b"3", b"{"])
def test_a_change_is_an_object(raw: bytes | None) -> None:
    with pytest.raises(ValueError, match=r"change|Expecting"):
        decode_change(raw)


@pytest.mark.parametrize(
    ("record", "change", "stock", "in_stock"),
    [
        ({"stock": 4, "in_stock": True}, {"price": 1}, 4, True),
        ({"stock": {"berlin": 4}, "in_stock": True}, {"in_stock": False}, 0, False),
        ({"stock": 4, "in_stock": True}, {"stock": 0}, 0, False),
        ({"stock": "many", "in_stock": True}, {}, 1, True),  # an attribute of the shop
        ({"in_stock": False}, {"stock": 3, "in_stock": True}, 3, True),
    ],
)
def test_the_stock_of_a_record_counts_until_something_newer_comes(
    record: dict[str, object], change: dict[str, object], stock: int, in_stock: bool
) -> None:
    shown = shown_record(record, change)
    assert (shown["stock"], shown["in_stock"]) == (stock, in_stock)
