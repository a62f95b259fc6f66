"""Small shops whose answers are known by construction."""

import dataclasses

import numpy as np

from recommender import registry
from recommender.core.arrays import unit_rows
from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.core.interactions import Interactions
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import RankingContext
from recommender.core.recipe import Choice
from recommender.core.telemetry import silent
from recommender.core.vectors import Embeddings, ItemVectors, Origins
from recommender.vectors.content.static import HashingEncoder
from recommender.vectors.index.exact import Exact

WORDS = ("kettle", "lamp", "rake", "scarf", "drum", "stamp")


def catalogue(n_items: int, *, group: tuple[str, ...] | None = None) -> Catalogue:
    """Items `i000`, ... whose titles cycle through `WORDS`; item 0 has no title."""
    ids = ItemIds(tuple(f"i{row:03d}" for row in range(n_items)))
    titles = ["", *(f"{WORDS[row % len(WORDS)]} no {row}" for row in range(1, n_items))]
    made = Catalogue.of_titles(ids, titles)
    if group is None:
        return made
    columns = {name: getattr(made, name) for name in ("title", "description", "brand", "category")}
    return Catalogue(
        ids=ids,
        **columns,
        group=group,
        price=made.price,
        in_stock=np.arange(n_items) % 5 != 0,
        available_from=made.available_from,
    )


def labelled(n_items: int) -> Catalogue:
    """Items of two brands, every tenth without one, in categories of five."""
    brands = tuple("" if row % 10 == 9 else ("Acme", "Bolt")[row % 2] for row in range(n_items))
    paths = tuple(f"Garden > Shelf {row // 5}" for row in range(n_items))
    return dataclasses.replace(catalogue(n_items), brand=brands, category=paths)


def interactions(baskets: list[list[int]], n_items: int) -> Interactions:
    """One purchase per item of each basket, every basket by a user of its own."""
    sizes = [len(basket) for basket in baskets]
    items = np.array([item for basket in baskets for item in basket], dtype=np.int32)
    numbers = np.repeat(np.arange(len(baskets), dtype=np.int32), sizes)
    return Interactions(
        n_items=n_items,
        item=items,
        basket=numbers,
        session=np.full(len(items), -1, dtype=np.int32),
        user=numbers,
        kind=np.zeros(len(items), dtype=np.int8),
        time=np.arange(len(items), dtype=np.int64) + 1_700_000_000,
        kinds=("purchase",),
        weights=(1.0,),
        users=np.arange(len(baskets), dtype=np.uint64),
    )


def checkerboard(n_items: int = 20, n_baskets: int = 200, cold: int = 2) -> Interactions:
    """Even items are bought with even ones, odd with odd; the last `cold` items never."""
    rng = np.random.default_rng(0)
    baskets = []
    for number in range(n_baskets):
        pool = np.arange(number % 2, n_items - cold, 2)
        baskets.append(sorted(rng.choice(pool, 4, replace=False).tolist()))
    return interactions(baskets, n_items)


def text_and_orders(n_items: int, cold: int) -> tuple[Origins, Catalogue, Interactions]:
    """The checkerboard with embeddings of its titles, `text`, and of its baskets, `orders`."""
    items, events = catalogue(n_items), checkerboard(n_items, cold=cold)
    matrix = HashingEncoder(64).encode(items.title, silent)
    text = Embeddings.of_rows(matrix, np.ones(n_items, dtype=np.float32))
    model = registry.interaction_model(Choice("co-occurrence-svd", {"dimensions": 8}))
    return Origins({"text": text}, {"orders": model.fit(events, silent)}), items, events


def random_vectors(n_items: int) -> ItemVectors:
    """Item vectors whose queries and targets differ."""
    rng = np.random.default_rng(2)
    queries = rng.normal(size=(n_items, 6)).astype(np.float32)
    return ItemVectors(queries, rng.normal(size=(n_items, 6)).astype(np.float32), bound=50)


def context(
    vectors: ItemVectors, events: Interactions, items: Catalogue | None = None
) -> RankingContext:
    """A shop whose text is as near as its item vectors' targets."""
    matrix = unit_rows(vectors.targets)
    text = Embeddings.of_rows(matrix, np.ones(len(matrix), dtype=np.float32))

    def near() -> Neighbours:
        found = Exact().build(matrix).search(matrix, min(6, len(matrix)))
        itself = np.arange(len(matrix), dtype=np.int32)[:, None]
        return found.keep(found.rows != itself, 5)

    chosen = catalogue(len(matrix)) if items is None else items
    return RankingContext(chosen, events, Origins({"text": text}), vectors, near)
