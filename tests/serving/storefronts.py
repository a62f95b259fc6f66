"""A small shop in Redis with lists, records and a storefront, whose answers are known."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from redis import Redis

from recommender.core.catalogue import TITLE_IN, Catalogue
from recommender.core.ids import ItemIds
from recommender.publishing.records import Records
from recommender.serving import codec
from recommender.serving.codec import Pointer, View
from recommender.serving.keys import Keys

Scored = Mapping[str, Mapping[str, float]]
"""Lists by item: the score of each entry, best first."""


def catalogue(ids: Sequence[str], **columns: Any) -> Catalogue:  # noqa: ANN401
    """Items at 10.00 in `Garden > Tools`, with a title in German; `columns` replace others."""
    n = len(ids)
    titles = tuple(f"Title {item}" for item in ids)
    plain = dataclasses.replace(
        Catalogue.of_titles(ItemIds(tuple(ids)), titles),
        category=("Garden > Tools",) * n,
        price=np.full(n, 10.0, dtype=np.float32),
        attributes={f"{TITLE_IN}de": tuple(f"Titel {item}" for item in ids)},
    )
    return dataclasses.replace(plain, **columns)


def publish(
    store: Redis,
    shop: str,
    lists: Mapping[str, Scored],
    items: Catalogue,
    storefront: Mapping[str, Any],
) -> Keys:
    """Write generation 1 of a shop: lists by placement, records, the storefront, the pointer."""
    keys = Keys(shop)
    for placement, scored in lists.items():
        for item, entries in scored.items():
            letters = [codec.LETTERS.index("p" if item == "" else "b")] * len(entries)
            value = codec.encode_list(item, [*entries], [*entries.values()], letters)
            store.set(keys.related_list(1, placement, item), value)
    records = Records(items, storefront)
    values = dict(records.encoded(np.arange(len(items), dtype=np.int32)))
    for name, value in (values | records.encoded_storefront()).items():
        store.set(keys.prefix(1) + name, value)
    store.set(keys.live, codec.encode_pointer(Pointer(1, View((1,), tuple(lists)))))
    return keys


def ranked(ids: Sequence[str]) -> dict[str, float]:
    """Entries with falling scores."""
    return {item: 0.75 - rank / 64 for rank, item in enumerate(ids)}
