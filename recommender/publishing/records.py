"""Product records as they are published, one for each item of a build."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recommender.core.arrays import Rows
from recommender.core.catalogue import TITLE_IN, Catalogue
from recommender.serving.codec import JSON
from recommender.serving.keys import RECORDS, STOREFRONT, list_name
from recommender.serving.records import DIGITS

PRICES = ("price", "price_minor", "currency")
TEXTS = ("title", "brand", "category", "group", "url", "image", "currency")


@dataclass(frozen=True, slots=True)
class Records:
    """The records of the items of a catalogue.

    A record holds the known fields of an item: its texts, the price in minor units of its
    `currency` (ISO 4217), `in_stock`, and the attributes that the shop names. Where the shop has a
    `storefront`, it is published with them. The catalogue has the values of the `changes` of items
    that a build has; a record also has the fields that a catalogue does not know, such as `stock`.
    """

    catalogue: Catalogue
    storefront: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        catalogue: Catalogue,
        storefront: Mapping[str, Any] | None = None,
        changes: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> "Records | None":
        """The records of a catalogue; None where it knows nothing but ids, without a storefront."""
        texts = (*(getattr(catalogue, name) for name in TEXTS), *catalogue.attributes.values())
        known = np.isfinite(catalogue.price).any() or any(map(any, texts))
        if not (known or storefront or changes):
            return None
        return cls(catalogue, storefront or {}, changes or {})

    def encoded_storefront(self) -> dict[str, bytes]:
        """Name and value of the storefront; nothing where the shop has none."""
        if not self.storefront:
            return {}
        value = JSON.encode({"id": STOREFRONT, **self.storefront})
        return {list_name(RECORDS, STOREFRONT): value.encode(errors="replace")}

    def names(self, rows: Rows) -> list[str]:
        """The name of the record of each row."""
        ids = self.catalogue.ids.ids
        return [list_name(RECORDS, ids[row]) for row in rows.tolist()]

    def encoded(self, rows: Rows) -> Iterator[tuple[str, bytes]]:
        """Name and value of the records of some rows."""
        catalogue = self.catalogue
        attributes = catalogue.attributes
        columns = {name: getattr(catalogue, name) for name in TEXTS}
        columns |= {n: column for n, column in attributes.items() if not n.startswith(TITLE_IN)}
        translated = {
            name.removeprefix(TITLE_IN): column
            for name, column in attributes.items()
            if name.startswith(TITLE_IN)
        }
        for name, row in zip(self.names(rows), rows.tolist(), strict=True):
            fields: dict[str, object] = {"id": catalogue.ids.ids[row]}
            fields |= {field: column[row] for field, column in columns.items() if column[row]}
            titles = {tag: column[row] for tag, column in translated.items() if column[row]}
            if titles:
                fields["titles"] = titles
            if others := catalogue.other_categories[row]:
                fields["categories"] = [catalogue.category[row], *others.split("\n")]
            price = float(catalogue.price[row])
            if np.isfinite(price):
                digits = DIGITS.get(str(fields.get("currency", "")), 2)
                fields["price_minor"] = round(price * 10**digits)
            fields["in_stock"] = bool(catalogue.in_stock[row])
            changed = self.changes.get(catalogue.ids.ids[row], {})
            fields |= {field: changed[field] for field in changed if field not in PRICES}
            yield name, JSON.encode(fields).encode(errors="replace")
