"""Answers with product records and under conditions: rows of `benchmarks.serving`."""

from functools import partial
from itertools import count

import numpy as np
from redis import Redis

from benchmarks.machine import Row
from benchmarks.timing import paired, quantile
from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.core.lists import RelatedLists
from recommender.publishing.publisher import Publisher
from recommender.publishing.records import Records
from recommender.serving.keys import Keys
from recommender.serving.lookup import RelatedItems

SHOP, DEPTH, SHOWN = "acme-records", 36, 12
WHERE = "price <= 1.5 * seed.price and brand != seed.brand and stock > 0"


def field_rows(url: str, store: Redis, ids: ItemIds, lists: RelatedLists, reads: int) -> list[Row]:
    """Records read from Redis and kept locally, and a condition of three clauses."""
    Publisher(store, SHOP, grace_s=0.0).publish(
        ids, [lists], records=Records.of(catalogue(ids)), lists_key="0", recipe_digest="0"
    )
    keys, rng = Keys(SHOP), np.random.default_rng(1)
    asked = [ids.ids[row] for row in rng.integers(0, len(ids), reads).tolist()]
    cold = RelatedItems(url, SHOP, deadline_s=5.0, cache_items=1)
    warm = RelatedItems(url, SHOP, deadline_s=5.0, cache_items=10**6)
    for lookup in (cold, warm):
        lookup.wait_ready(5.0)

    def bare(item: str) -> object:
        found = store.get(keys.related_list(1, "related", item))
        others = (found if isinstance(found, bytes) else b"\n").split(b"\n")[1].decode().split("\t")
        return store.mget([keys.record(1, other) for other in others])

    def with_records(lookup: RelatedItems, item: str) -> object:
        return lookup.get(item, n=DEPTH, records=True).records

    few = asked[:50] * (reads // 50)  # whose answers are a second old at most
    ours = paired(partial(with_records, cold), bare, asked)
    local = paired(partial(with_records, warm), partial(warm.get, n=DEPTH), few)
    filtered = paired(partial(warm.get, where=WHERE), warm.get, few)
    calls = count(1)

    def anew(item: str) -> object:
        return warm.get(item, where=WHERE, min_score=1e-9 * next(calls))  # asked never before

    first = paired(anew, warm.get, few)
    cold.close()
    warm.close()
    names = [keys.record(1, item) for item in few]
    memory = np.mean([store.memory_usage(name, samples=0) for name in names])
    plain = np.mean([store.strlen(name) for name in names])
    return [
        Row("memory of a record, compared with its JSON", float(memory), "bytes", float(plain)),
        Row(f"get with {DEPTH} records, p50, compared with GET and MGET", *_both(ours)),
        Row(f"get with {DEPTH} local records, p50, compared with get", *_both(local)),
        Row("get under three clauses, asked again, p50, compared with get", *_both(filtered)),
        Row("get under three clauses, local records, p50, compared with get", *_both(first)),
    ]


def catalogue(ids: ItemIds) -> Catalogue:
    """Items with titles of 40 characters, ten brands, and prices."""
    n, rng = len(ids), np.random.default_rng(2)
    return Catalogue(
        ids=ids,
        title=tuple(f"Title of the item {item} ".ljust(40, "x") for item in ids.ids),
        description=("",) * n,
        brand=tuple(f"Brand {number}" for number in rng.integers(0, 10, n).tolist()),
        category=("Garden > Tools",) * n,
        group=("",) * n,
        price=rng.uniform(5, 50, n).astype(np.float32),
        in_stock=np.ones(n, dtype=bool),
        available_from=np.zeros(n, dtype=np.int64),
        attributes={
            "url": tuple(f"https://shop.example/items/{item}" for item in ids.ids),
            "image": tuple(f"https://shop.example/images/{item}.jpg" for item in ids.ids),
        },
    )


def _both(times: tuple[np.ndarray, np.ndarray]) -> tuple[float, str, float]:
    return quantile(times[0], 0.5), "us", quantile(times[1], 0.5)
