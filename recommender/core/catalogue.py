"""Catalogue: the items of a build, their properties, and the documents that are embedded."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Columns, Rows, frozen, pack_texts, text_codes, unpack_texts
from recommender.core.ids import ItemIds
from recommender.core.markup import shown_text
from recommender.errors import ConfigError, DataError

OPTIONAL = ("other_categories", "url", "image", "currency")
"""Texts that are not stored where no item has one."""
TEXTS = ("title", "description", "brand", "category", "group", *OPTIONAL)
NUMBERS = ("price", "in_stock", "available_from", "for_sale")
TITLE_IN = "title:"
"""What the attributes begin with that hold titles in further languages, such as `title:de`."""
PATH_SEPARATOR = " > "
MAX_CHARACTERS, MOST_MARK_UP = 2_000, 65_536
DOCUMENT_FORMAT = 2


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Columns of n items, in the row order of `ids`.

    `category` is a path written `Garden > Tools`, and `other_categories` are the further paths of
    an item, one a line; `group` joins the variants of one product; `url` is the page of an item,
    `image` the URL or path of its picture, and `currency` the ISO 4217 code of its price. An empty
    text means unknown.
    `price` (n,) is NaN where unknown, `available_from` (n,) epoch seconds, 0 where unlimited;
    `attributes` holds a shop's further columns. An item that is not `for_sale` (n,) is in no list;
    whether one that is not `in_stock` is, filters say.

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
    for_sale: NDArray[np.bool_] = field(default_factory=lambda: np.ones(1, dtype=bool))
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    other_categories: tuple[str, ...] = ()
    url: tuple[str, ...] = ()
    image: tuple[str, ...] = ()
    currency: tuple[str, ...] = ()
    group_codes: Rows = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.for_sale) == 1:
            object.__setattr__(self, "for_sale", np.repeat(self.for_sale, len(self.ids)))
        for name in OPTIONAL:
            if not getattr(self, name):
                object.__setattr__(self, name, ("",) * len(self.ids))
        columns = {name: getattr(self, name) for name in (*TEXTS, *NUMBERS)}
        columns |= {f"attributes.{name}": column for name, column in self.attributes.items()}
        for name, column in columns.items():
            if len(column) != len(self.ids):
                raise DataError(
                    f"catalogue column {name}: {len(column)} values, {len(self.ids)} items"
                )
        for name in NUMBERS:
            object.__setattr__(self, name, frozen(columns[name]))
        object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))
        codes, groups = text_codes(self.group)
        ungrouped = np.array([not group for group in self.group], dtype=bool)
        own = len(groups) + np.arange(len(self.ids), dtype=np.int32)
        object.__setattr__(self, "group_codes", frozen(np.where(ungrouped, own, codes)))

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of_titles(cls, ids: ItemIds, title: Sequence[str]) -> "Catalogue":
        """A catalogue that knows nothing but titles."""
        texts: dict[str, Any] = dict.fromkeys(TEXTS, ("",) * len(ids)) | {"title": tuple(title)}
        return cls(
            ids=ids,
            **texts,
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

        columns: dict[str, Any] = {
            name: texts(getattr(self, name), getattr(others, name)) for name in TEXTS
        } | {
            name: np.concatenate([getattr(self, name), getattr(others, name)])[places]
            for name in NUMBERS
        }
        return Catalogue(
            ItemIds(texts(self.ids.ids, others.ids.ids)),
            **columns,
            attributes={
                name: texts(column, others.attributes.get(name, blank))
                for name, column in self.attributes.items()
            },
        )

    def take(self, rows: NDArray[np.integer[Any]]) -> "Catalogue":
        """The items of some rows, in that order."""
        return self.drawn(Catalogue.of_titles(ItemIds(()), ()), rows)

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
            if name not in OPTIONAL or any(getattr(self, name)):
                columns |= pack_texts(name, getattr(self, name))
        for number, texts in enumerate(self.attributes.values()):
            columns |= pack_texts(f"attribute.{number}", texts)
        columns |= pack_texts("attribute_names", tuple(self.attributes))
        return columns | {name: getattr(self, name) for name in NUMBERS}

    @classmethod
    def from_columns(cls, columns: Columns) -> "Catalogue":
        """Undo `columns`."""
        names = unpack_texts("attribute_names", columns)
        own: dict[str, Any] = {
            name: unpack_texts(name, columns)
            for name in TEXTS
            if name not in OPTIONAL or f"{name}.bytes" in columns
        }
        return cls(
            ids=ItemIds.from_columns(columns),
            **own | {name: columns[name] for name in NUMBERS if name in columns},
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


def title_codes(catalogue: Catalogue) -> Rows:
    """A number for the title of each item (n,), the same where case and width alone differ.

    An item without a title has a number of its own.
    """
    codes = _codes([" ".join(_folded(title).split()) for title in catalogue.title])
    own = int(codes.max(initial=-1)) + 1 + np.arange(len(codes), dtype=np.int32)
    return np.where(codes < 0, own, codes)


def _folded(text: str) -> str:
    return text.casefold() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def require_level(level: int, rule: str) -> None:
    """Refuse a level below 0. Raises: ConfigError."""
    if level < 0:
        raise ConfigError(f"{rule}: level = {level} is below 0; 0 is the whole path")


def _codes(texts: Sequence[str]) -> Rows:
    codes, distinct = text_codes(texts)
    blank = np.array([not text for text in distinct], dtype=bool)
    return np.where(blank[codes], -1, codes).astype(np.int32)


def clean(text: str) -> str:
    """Plain text of a shop's text: no mark-up, control characters, lone surrogates or long runs.

    Composed to NFC and cut to `MAX_CHARACTERS`. No more than `MOST_MARK_UP` characters are looked
    at, so that hostile text costs no more than a long description.
    """
    return " ".join(_plain(text).split())[:MAX_CHARACTERS].strip()


def clean_paragraphs(text: str) -> str:
    """As `clean`, with the paragraphs of the text as lines."""
    lines = (" ".join(line.split()) for line in _plain(text).split("\n"))
    return "\n".join(filter(None, lines))[:MAX_CHARACTERS].strip()


def _plain(text: str) -> str:
    """The text without mark-up, and without control characters but for the ends of lines."""
    text = text[:MOST_MARK_UP].replace("\0", " ")
    if "<" in text or "&" in text:
        text = shown_text(text)
    text = text[: 4 * MAX_CHARACTERS]
    if text.isascii() and text.isprintable():
        return text
    text = unicodedata.normalize("NFC", text.replace("\u00ad", ""))
    return "".join(
        c if c == "\n" or unicodedata.category(c) not in {"Cc", "Cf", "Cs"} else " " for c in text
    )


def documents(catalogue: Catalogue) -> list[str]:
    """One text per item: title, brand, the leaf of the category path, then the description.

    Parts that are empty, or repeat what came before, are left out. An item without any text has an
    empty document.
    """
    rows = zip(
        catalogue.title,
        catalogue.brand,
        catalogue.category,
        catalogue.description,
        strict=True,
    )
    return [_document(*row) for row in rows]


def _document(title: str, brand: str, category: str, description: str) -> str:
    text = ""
    for part in (title, brand, category, description):
        cleaned = clean(part)
        if cleaned and cleaned.casefold() not in text.casefold():
            text = f"{text}. {cleaned}" if text else cleaned
    return text[:MAX_CHARACTERS]
