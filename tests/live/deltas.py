"""A small shop of lists, list deltas by id, and what they make of the shop."""

import numpy as np

from recommender.core.arrays import Columns
from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.core.lists import Entries, NamedLists, RelatedLists
from recommender.core.related import EVIDENCE
from recommender.core.vectors import Embeddings
from recommender.live.list_deltas import ListDelta, NamedEntries
from recommender.live.overlays import (
    OverlayRecord,
    Refreshed,
    composed,
)

PLACEMENT, SHOWN, DEPTH = "related", 3, 5
TEXT, POPULAR, RULE = (EVIDENCE.index(name) for name in ("text", "popular", "rule"))

ByItem = dict[str, list[tuple[str, float, int]]]


def entries(lists: ByItem) -> NamedEntries:
    """Entries of some lists."""
    flat = [(holder, *entry) for holder, found in lists.items() for entry in found]
    holders, items, scores, evidence = zip(*flat, strict=True) if flat else ((), (), (), ())
    values: Columns = {
        "scores": np.array(scores, dtype=np.float32),
        "evidence": np.array(evidence, dtype=np.uint8),
    }
    return NamedEntries(holders, items, values)


def lists_of(ids: ItemIds, lists: ByItem) -> NamedLists:
    """NamedLists of all ids, empty where none is given."""
    flat = [entry for item in ids for entry in lists.get(item, [])]
    sizes = [len(lists.get(item, [])) for item in ids]
    return NamedLists(
        ids,
        RelatedLists(
            PLACEMENT,
            np.cumsum([0, *sizes]),
            Entries(
                ids.rows(item for item, _, _ in flat),
                np.array([score for _, score, _ in flat], dtype=np.float32),
                np.array([code for _, _, code in flat], dtype=np.uint8),
            ),
        ),
    )


def plain(lists: NamedLists) -> ByItem:
    """The lists by item, for comparing builds whose rows differ."""
    made: ByItem = {}
    names, columns = lists.ids.ids, lists.lists
    for row, item in enumerate(names):
        made[item] = [
            (names[other], round(float(score), 4), int(code))
            for other, score, code in zip(*columns.of(row).columns().values(), strict=True)
        ]
    return made


def delta(own: ByItem, entering: ByItem, *, given_place: bool = False) -> ListDelta:
    """A delta; `entering` says by refreshed item whose lists it enters."""
    turned = [(holder, item, s, c) for item, found in entering.items() for holder, s, c in found]
    there: ByItem = {}
    for holder, item, score, code in turned:
        there.setdefault(holder, []).append((item, score, code))
    count = len(turned)
    return ListDelta(
        PLACEMENT,
        SHOWN,
        DEPTH,
        tuple(own),
        np.zeros(len(own), dtype=bool),
        entries(own),
        entries(there),
        np.ones(count, dtype=bool),
        np.full(count, given_place),
    )


def refreshed(made: ListDelta) -> Refreshed:
    items = Catalogue.of_titles(ItemIds(made.items), [f"title of {item}" for item in made.items])
    matrix = np.ones((len(made.items), 2), dtype=np.float32)
    marks = np.array([item.startswith("new") for item in made.items], dtype=bool)
    support = np.ones(len(made.items), dtype=np.float32)
    return Refreshed(items, {"text": Embeddings(matrix, support)}, marks, (made,))


def composed_lists(base: NamedLists, *deltas: ListDelta) -> ByItem:
    record = OverlayRecord("base")
    for made in deltas:
        record = record.with_refreshed(refreshed(made))
    (lists,) = composed([base], record)
    return plain(lists)


IDS = ItemIds(("a", "b", "c", "d", "e", "f", "g", "h"))
SHOP = lists_of(
    IDS,
    {
        "a": [("b", 0.9, TEXT), ("c", 0.8, TEXT), ("d", 0.7, TEXT), ("e", 0.6, TEXT)],
        "b": [("a", 0.9, TEXT), ("c", 0.2, POPULAR), ("d", 0.1, POPULAR)],
        "c": [(item, 0.5, TEXT) for item in "abdef"],
    },
)
