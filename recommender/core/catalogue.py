"""Catalogue: the items of a build and their properties."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Columns, Rows, frozen, pack_texts, text_codes, unpack_texts
from recommender.core.ids import ItemIds
from recommender.errors import ConfigError, DataError

TEXTS = ("title", "description", "brand", "category", "group")
PATH_SEPARATOR = " > "


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Columns of n items, in the row order of `ids`.

    `category` is a path written `Garden > Tools`; `group` joins the variants of one product; an
    empty text means unknown. `price` (n,) is NaN where unknown, `available_from` (n,) epoch
    seconds, 0 where unlimited; `attributes` holds a shop's further columns.

    `group_codes` (n,) numbers the groups; an item without a group has a number of its own.

    Raises: DataError where a column has another length than `ids`.
    """

    ids: ItemIds
    title: tuple[str, ...]
    description: tuple[str, ...]
    brand: tuple[str, ...]
    category: tuple[str, ...]
    group: tuple[str, ...]
    price: NDArray[np.float32]
    in_stock: NDArray[np.bool_]
    available_from: NDArray[np.int64]
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    group_codes: Rows = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in (*TEXTS, "price", "in_stock", "available_from"):
            self._require_length(name, getattr(self, name))
        for name, column in self.attributes.items():
            self._require_length(f"attributes.{name}", column)
        object.__setattr__(self, "price", frozen(self.price))
        object.__setattr__(self, "in_stock", frozen(self.in_stock))
        object.__setattr__(self, "available_from", frozen(self.available_from))
        object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))
        codes, groups = text_codes(self.group)
        ungrouped = np.array([not group for group in self.group], dtype=bool)
        own = len(groups) + np.arange(len(self.ids), dtype=np.int32)
        object.__setattr__(self, "group_codes", frozen(np.where(ungrouped, own, codes)))

    def _require_length(self, name: str, column: Sequence[Any] | NDArray[Any]) -> None:
        if len(column) != len(self.ids):
            raise DataError(f"catalogue column {name}: {len(column)} values, {len(self.ids)} items")

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of_titles(cls, ids: ItemIds, title: Sequence[str]) -> "Catalogue":
        """A catalogue that knows nothing but titles."""
        blank = ("",) * len(ids)
        return cls(
            ids=ids,
            title=tuple(title),
            description=blank,
            brand=blank,
            category=blank,
            group=blank,
            price=np.full(len(ids), np.nan, dtype=np.float32),
            in_stock=np.ones(len(ids), dtype=bool),
            available_from=np.zeros(len(ids), dtype=np.int64),
        )

    def drawn(self, others: "Catalogue", places: NDArray[np.integer[Any]]) -> "Catalogue":
        """The items at `places` (k,) among these and, behind them, the others.

        Attributes are those of this catalogue, empty where the others lack one.
        """
        at = places.tolist()
        blank = ("",) * len(others)

        def texts(ours: Sequence[str], theirs: Sequence[str]) -> tuple[str, ...]:
            return tuple(map((*ours, *theirs).__getitem__, at))

        return Catalogue(
            ItemIds(texts(self.ids.ids, others.ids.ids)),
            title=texts(self.title, others.title),
            description=texts(self.description, others.description),
            brand=texts(self.brand, others.brand),
            category=texts(self.category, others.category),
            group=texts(self.group, others.group),
            price=np.concatenate([self.price, others.price])[places],
            in_stock=np.concatenate([self.in_stock, others.in_stock])[places],
            available_from=np.concatenate([self.available_from, others.available_from])[places],
            attributes={
                name: texts(column, others.attributes.get(name, blank))
                for name, column in self.attributes.items()
            },
        )

    def overlaid(self, items: "Catalogue") -> "Catalogue":
        """The catalogue with some items replaced, and those that are new behind it."""
        behind = np.arange(len(self), len(self) + len(items))
        rows = self.ids.rows(items.ids)
        places = np.arange(len(self))
        places[rows[rows >= 0]] = behind[rows >= 0]
        return self.drawn(items, np.concatenate([places, behind[rows < 0]]))

    def columns(self) -> Columns:
        """The catalogue as arrays."""
        columns = self.ids.columns()
        for name in TEXTS:
            columns |= pack_texts(name, getattr(self, name))
        for number, texts in enumerate(self.attributes.values()):
            columns |= pack_texts(f"attribute.{number}", texts)
        columns |= pack_texts("attribute_names", tuple(self.attributes))
        return columns | {
            "price": self.price,
            "in_stock": self.in_stock,
            "available_from": self.available_from,
        }

    @classmethod
    def from_columns(cls, columns: Columns) -> "Catalogue":
        """Undo `columns`."""
        names = unpack_texts("attribute_names", columns)
        return cls(
            ids=ItemIds.from_columns(columns),
            **{name: unpack_texts(name, columns) for name in TEXTS},
            price=columns["price"],
            in_stock=columns["in_stock"],
            available_from=columns["available_from"],
            attributes={
                name: unpack_texts(f"attribute.{number}", columns)
                for number, name in enumerate(names)
            },
        )


def brand_codes(catalogue: Catalogue) -> Rows:
    """A number for the brand of each item (n,), -1 where it is unknown."""
    return _codes(catalogue.brand)


def category_codes(catalogue: Catalogue, level: int = 0) -> Rows:
    """A number for the first `level` parts of each category (n,), -1 where it is unknown.

    0 takes the whole path; a path with fewer parts counts as it is.
    """
    if level == 0:
        return _codes(catalogue.category)
    cut = [PATH_SEPARATOR.join(path.split(PATH_SEPARATOR)[:level]) for path in catalogue.category]
    return _codes(cut)


def require_level(level: int, rule: str) -> None:
    """Refuse a level below 0. Raises: ConfigError."""
    if level < 0:
        raise ConfigError(f"{rule}: level = {level} is below 0; 0 is the whole path")


def _codes(texts: Sequence[str]) -> Rows:
    codes, distinct = text_codes(texts)
    blank = np.array([not text for text in distinct], dtype=bool)
    return np.where(blank[codes], -1, codes).astype(np.int32)
