"""Items: columns of a catalogue that is not in order yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.core.catalogue import TEXTS, Catalogue
from recommender.core.ids import ItemIds

ATTRIBUTE = "attributes."


@dataclass(frozen=True, slots=True)
class Items:
    """n items in any order.

    `texts` are those of `Catalogue`, attributes named `attributes.x`; a text that is missing is
    empty. `numbers` are price, in_stock, available_from, and `cut`, which marks items with a text
    that was cut.
    """

    ids: tuple[str, ...]
    texts: Mapping[str, Sequence[str]]
    numbers: Mapping[str, NDArray[Any]]

    @classmethod
    def of_titles(
        cls, ids: Sequence[str], titles: Sequence[str], cut: NDArray[np.bool_]
    ) -> "Items":
        """Items of which nothing but titles is known."""
        return cls(tuple(ids), {"title": titles}, unknown_numbers(len(ids)) | {"cut": cut})

    def taken(self, places: Sequence[int]) -> "Items":
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
        """The items as a catalogue in this order."""
        blank = ("",) * len(self.ids)
        return Catalogue(
            ids=ItemIds(self.ids),
            **{name: tuple(self.texts.get(name, blank)) for name in TEXTS},
            price=self.numbers["price"].astype(np.float32),
            in_stock=self.numbers["in_stock"],
            available_from=self.numbers["available_from"],
            attributes={
                name.removeprefix(ATTRIBUTE): tuple(column)
                for name, column in self.texts.items()
                if name.startswith(ATTRIBUTE)
            },
        )


def joined(parts: Sequence[Items]) -> Items:
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
    """The numbers of items of which nothing is known."""
    return {
        "price": np.full(n_items, np.nan),
        "in_stock": np.ones(n_items, dtype=bool),
        "available_from": np.zeros(n_items, dtype=np.int64),
        "cut": np.zeros(n_items, dtype=bool),
    }
