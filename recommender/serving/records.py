"""Product records: what a page shows of an item, one JSON object each.

The record of an item lies under its generation, beside the lists; docs/redis-contract.md describes
it for other languages. What changed of it since the build (price, stock) lies over it.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from recommender.serving.field_columns import Fields
from recommender.serving.state import OVERSIZED, Reply

DIGITS: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"), 0)
    | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)
)
"""Digits of the minor unit of currencies that have not two (ISO 4217)."""
TOP = " > "
ABOUT_CHANGES = ("version", "versions")
"""What a change has besides fields of the item: how new they are."""
NO_RECORD: Fields = MappingProxyType({})


def decode_record(raw: object, item: str) -> Fields:
    """The fields of a stored record. Raises: ValueError where it is malformed or another item's."""
    if not isinstance(raw, bytes):
        raise ValueError(f"not bytes but {type(raw).__name__}")  # noqa: TRY004
    try:
        record = json.loads(raw)
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error
    if not isinstance(record, dict) or record.get("id") != item:
        raise ValueError(f"record: asked for {item!r}, got {raw!r:.140}")
    return record


def decode_change(raw: object) -> Mapping[str, Any]:
    """The fields that changed since the build. Raises: ValueError where they are malformed."""
    change = json.loads(raw) if isinstance(raw, bytes) else None
    if not isinstance(change, dict):
        raise ValueError(f"change of a record: malformed {raw!r:.140}")  # noqa: TRY004
    return change


def decoded(values: Reply, item: str) -> Fields:
    """The fields of an item, from the records of all layers and what changed of it.

    Raises: ValueError where they are malformed.
    """
    *records, change = values
    stored = next((one for one in records if one is not None), None)
    if stored is OVERSIZED or change is OVERSIZED:
        raise ValueError(f"the record of {item!r} is too large")
    if stored is None and change is None:
        return NO_RECORD
    record = NO_RECORD if stored is None else decode_record(stored, item)
    return shown_record(record, {} if change is None else decode_change(change))


def shown_record(record: Fields, change: Mapping[str, Any]) -> dict[str, Any]:
    """A record as readers get it: with what changed, and with what follows from other fields.

    `price` is in whole units, `top_category` the first part of the category. A stock says whether
    an item is in stock; without one it is 1 or 0. A record has the stock that a change gave before
    the build.
    """
    fields = {**record, **change}
    counted = isinstance(record.get("stock"), int | float | dict)
    for name in ABOUT_CHANGES:
        fields.pop(name, None)
    unit = 10 ** DIGITS.get(str(fields.get("currency", "")), 2)
    if "price_minor" not in change and isinstance(price := change.get("price"), int | float):
        fields["price_minor"] = round(price * unit)
    minor, category = fields.get("price_minor"), fields.get("category")
    if isinstance(minor, int):
        fields["price"] = minor / unit
    if isinstance(category, str) and category:
        fields["top_category"] = category.split(TOP, 1)[0]
    if "stock" in change and "in_stock" not in change:
        fields["in_stock"] = total_stock(fields["stock"]) > 0
    elif "stock" not in change and "in_stock" in (change if counted else fields):
        fields["stock"] = int(bool(fields["in_stock"]))
    return fields


def in_language(fields: Fields, language: str) -> Fields:
    """The fields with the title in a language, or in the catalogue's where there is none."""
    titles = fields["titles"]
    title = titles.get(language) if isinstance(titles, dict) else None
    shown = {name: value for name, value in fields.items() if name != "titles"}
    return {**shown, "title": title} if isinstance(title, str) else shown


def at_store(fields: Fields, store: str) -> Fields:
    """The fields with the stock of one store or region, or the sum over all of them."""
    stock = fields.get("stock")
    if not isinstance(stock, dict):
        return fields
    return {**fields, "stock": stock.get(store, 0) if store else total_stock(stock)}


def total_stock(stock: object) -> float:
    """The stock of an item in all stores together."""
    counts = stock.values() if isinstance(stock, dict) else (stock,)
    return sum(count for count in counts if isinstance(count, int | float))
