"""Catalogue: items as they are read, their repeated rows merged, and what variants inherit."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import text_codes
from recommender.core.catalogue import TEXTS, Catalogue
from recommender.core.ids import ItemIds
from recommender.readers.categories import deepest
from recommender.readers.columns import ATTRIBUTE

UNKNOWN = -1
INHERITED = ("title", "description", "brand", "category", "url", "image", "currency")
_MARKS = re.compile(r"[,;|\s]+")


@dataclass(frozen=True, slots=True)
class Items:
    """n items in any order, with repeated ids.

    `texts` are those of `Catalogue`, with attributes as `attributes.NAME` and all category paths of
    an item as lines of `category`; an unknown text is empty, and `variants` names those of a
    product. `numbers` are price, in_stock and hidden (1, 0,
    or -1 where unknown), available_from, and `cut`, which marks items with a text that was cut.
    `repeated` rows were merged into others.
    """

    ids: tuple[str, ...]
    texts: Mapping[str, Sequence[str]]
    numbers: Mapping[str, NDArray[Any]]
    repeated: int = 0

    @classmethod
    def from_titles(
        cls, ids: Sequence[str], titles: Sequence[str], cut: NDArray[np.bool_]
    ) -> "Items":
        """Items with known titles and nothing else."""
        return cls(tuple(ids), {"title": titles}, unknown_numbers(len(ids)) | {"cut": cut})

    def take(self, places: Sequence[int]) -> "Items":
        """The items at `places`, in that order."""
        return Items(
            ids=tuple(self.ids[place] for place in places),
            texts={
                name: [column[place] for place in places] for name, column in self.texts.items()
            },
            numbers={
                name: column[np.asarray(places, dtype=np.intp)]
                for name, column in self.numbers.items()
            },
        )

    def catalogue(self) -> Catalogue:
        """The items as a catalogue, in their order. Raises: DataError where an id is repeated."""
        blank = ("",) * len(self.ids)
        parted = [deepest(paths) for paths in self.texts.get("category", blank)]
        texts = dict(self.texts) | {
            "category": [own for own, _ in parted],
            "other_categories": [others for _, others in parted],
        }
        return Catalogue(
            ids=ItemIds(self.ids),
            **{name: tuple(texts.get(name, blank)) for name in TEXTS},
            price=self.numbers["price"].astype(np.float32),
            in_stock=(self.numbers["in_stock"] != 0) & (self.numbers["hidden"] != 1),
            available_from=self.numbers["available_from"],
            for_sale=self.numbers["hidden"] != 1,
            attributes={
                name.removeprefix(ATTRIBUTE): tuple(column)
                for name, column in self.texts.items()
                if name.startswith(ATTRIBUTE)
            },
        )


def concatenate(parts: Sequence[Items]) -> Items:
    """The items of several parts, one after another."""
    names = dict.fromkeys(name for part in parts for name in part.texts)
    return Items(
        ids=tuple(chain.from_iterable(part.ids for part in parts)),
        texts={
            name: list(
                chain.from_iterable(part.texts.get(name, ("",) * len(part.ids)) for part in parts)
            )
            for name in names
        },
        numbers={
            name: np.concatenate([part.numbers[name] for part in parts])
            for name in unknown_numbers(0)
        },
    )


def unknown_numbers(n_items: int) -> dict[str, NDArray[Any]]:
    """The numbers of n items whose numbers are unknown."""
    return {
        "price": np.full(n_items, np.nan),
        "in_stock": np.full(n_items, UNKNOWN, dtype=np.int8),
        "hidden": np.full(n_items, UNKNOWN, dtype=np.int8),
        "available_from": np.zeros(n_items, dtype=np.int64),
        "cut": np.zeros(n_items, dtype=bool),
    }


def merged(items: Items, *, last: bool = False) -> Items:
    """The items with one row for each id: the first known value of each field, or the `last`.

    Of several rows, the first ones' categories are followed by those of the others, unless `last`.
    """
    codes, ids = text_codes(list(items.ids))
    if len(ids) == len(items.ids):
        return items

    def chosen(known: NDArray[np.bool_]) -> NDArray[np.intp]:
        rows = np.flatnonzero(known)
        places = np.full(len(ids), UNKNOWN, dtype=np.intp)
        rows = rows if last else rows[::-1]
        places[codes[rows]] = rows  # of several, numpy assigns the last
        return places

    anything = chosen(np.ones(len(items.ids), dtype=bool))
    texts = {}
    for name, column in items.texts.items():
        places = chosen(np.array([bool(text) for text in column], dtype=bool))
        texts[name] = [column[place] if place >= 0 else "" for place in places.tolist()]
    if "category" in texts and not last:
        for code, paths in zip(codes.tolist(), items.texts["category"], strict=True):
            known = texts["category"][code]
            if paths and paths != known:
                lines = dict.fromkeys([*known.split("\n"), *paths.split("\n")])
                texts["category"][code] = "\n".join(lines)
    numbers = {}
    for name, values in items.numbers.items():
        places = chosen(_known(name, values))
        numbers[name] = values[np.where(places >= 0, places, anything)]
    return Items(tuple(ids), texts, numbers)


def _known(name: str, values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values of a number of `Items` are known (n,)."""
    if name == "price":
        known: NDArray[np.bool_] = ~np.isnan(values)
    else:
        known = values > 0 if name in {"cut", "available_from"} else values >= 0
    return known


def with_families(items: Items) -> Items:
    """Items with distinct ids, with the groups of products and what their variants inherit.

    A product whose `variants` name items, or whose id is the group of others, is in that group,
    unless it has others in a group of its own. An
    item without one of the texts `INHERITED` has that of the product whose id is its
    group, or else the first of its group; so it is with whether it is hidden. All variants of a
    hidden product are hidden.
    """
    places = {value: place for place, value in enumerate(items.ids)}
    group, families = _families(items, places)
    texts = {name: list(column) for name, column in items.texts.items()} | {"group": group}
    hidden = items.numbers["hidden"].copy()
    for name, members in families.items():
        parent = places.get(name, UNKNOWN)
        heirs = members if parent < 0 else [parent, *members]
        for column in (texts[field] for field in INHERITED if field in texts):
            _inherit(column, heirs)
        known = hidden[heirs][hidden[heirs] >= 0]
        if parent >= 0 and hidden[parent] == 1:
            hidden[members] = 1
        elif len(known):
            hidden[members] = np.where(hidden[members] >= 0, hidden[members], known[0])
    return replace(items, texts=texts, numbers=dict(items.numbers) | {"hidden": hidden})


def _families(items: Items, places: Mapping[str, int]) -> tuple[list[str], dict[str, list[int]]]:
    """The group of each item, and the places of the items of each group."""
    group = list(items.texts.get("group", [""] * len(items.ids)))
    for place, listed in enumerate(items.texts.get("variants", ())):
        for child in _variants(listed, places):
            group[child] = group[child] or items.ids[place]
    families: dict[str, list[int]] = {}
    for place, name in enumerate(group):
        if name:
            families.setdefault(name, []).append(place)
    for name in families:
        parent = places.get(name, UNKNOWN)
        if parent >= 0 and (not group[parent] or len(families[group[parent]]) == 1):
            group[parent] = name
    return group, families


def _inherit(column: list[str], heirs: Sequence[int]) -> None:
    first = next((column[place] for place in heirs if column[place]), "")
    for place in heirs:
        column[place] = column[place] or first


def _variants(listed: str, places: Mapping[str, int]) -> list[int]:
    """The places of the items that a cell such as `sku=A,size=S|sku=B,size=M` names."""
    tokens = (token.rpartition("=")[2] for token in _MARKS.split(listed) if token)
    return [places[token] for token in tokens if token in places]
