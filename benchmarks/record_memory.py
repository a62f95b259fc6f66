"""Memory of product records and live changes in Redis: rows of `benchmarks.schema`."""

import dataclasses

import numpy as np
from redis import Redis

from benchmarks.machine import Row
from benchmarks.serving_fields import catalogue
from recommender.core.ids import ItemIds
from recommender.publishing.item_changes import ItemChanges
from recommender.publishing.records import Records
from recommender.serving.keys import Keys

SHOP, BATCH = "acme", 1_000


def record_rows(store: Redis, server: str, n_items: int) -> list[Row]:
    """Bytes a record, without images and URLs and with them, and a change of price and stock."""
    ids = ItemIds(tuple(f"SKU{number:05d}" for number in range(n_items)))
    whole, keys = catalogue(ids), Keys(SHOP)
    short = Records(dataclasses.replace(whole, attributes={}))
    rows = []
    for number, (name, records) in enumerate({"short": short, "whole": Records(whole)}.items(), 1):
        before, length = _used(store), 0
        for start in range(0, n_items, BATCH):
            some = np.arange(start, min(start + BATCH, n_items), dtype=np.int32)
            values = {keys.prefix(number) + name: one for name, one in records.encoded(some)}
            length += sum(map(len, values.values()))
            store.mset(values)
        used = (_used(store) - before) / n_items
        rows.append(Row(f"{server}: memory a {name} record", used, "bytes", length / n_items))
    before = _used(store)
    ItemChanges(store, SHOP).update(
        {"id": item, "version": 1, "price_minor": 999, "stock": 7} for item in ids
    )
    length = int(store.strlen(keys.change(ids.ids[0])))
    used = (_used(store) - before) / n_items
    return [
        *rows,
        Row(f"{server}: memory a change of price and stock", used, "bytes", float(length)),
    ]


def _used(store: Redis) -> int:
    store.connection_pool.disconnect()
    return int(store.info("memory")["used_memory"])
