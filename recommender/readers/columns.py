"""Columns: the header of a file, and the column that each field is read from."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from difflib import get_close_matches

from recommender.core.catalogue import TITLE_IN
from recommender.errors import ConfigError, DataError
from recommender.readers.sources import CatalogueColumns, InteractionSource, Match, Names
from recommender.readers.usual_words import DELETED, PUBLISHED_AT, QUANTITY, RETURNED, STATUS

MAX_LISTED = 40
MAX_NAME = 60
ATTRIBUTE = "attributes."
VARIANTS = "configurable_variations"
LINKS = ("url", "image", "currency")
"""Texts of which the first of several columns with a value counts, and which are not cleaned."""


@dataclass(frozen=True, slots=True)
class Header:
    """The column names of a file, stripped."""

    file: str
    columns: tuple[str, ...]

    def find_all(self, setting: str, value: Names | None, usual: Iterable[str]) -> tuple[str, ...]:
        """The columns that a setting names; where it is None, the first of the `usual` ones.

        Raises: ConfigError where the file lacks a column that the setting names; DataError where
        two columns have that name.
        """
        if value is None:
            value = next((name for name in usual if name in self.columns), "")
        asked = (value,) if isinstance(value, str) else value
        names = tuple(name for name in map(self.chosen, asked) if name)
        for name in names:
            self._require(setting, name)
        return names

    def find(self, setting: str, value: str | None, usual: Iterable[str]) -> str:
        """The one column that a setting names, "" for none. Raises: as `find_all`."""
        return next(iter(self.find_all(setting, value, usual)), "")

    def chosen(self, name: str) -> str:
        """The first of the alternatives in a name, `SKU | Variant SKU`, that the file has.

        "" where it has none and the last is empty, as in `Vendor |`.
        """
        if name in self.columns:
            return name
        each = alternatives(name)
        return next((one for one in each if not one or one in self.columns), name)

    def listed(self) -> str:
        """The columns as text for a message."""
        shown = ", ".join(_printable(column) for column in self.columns[:MAX_LISTED])
        more = len(self.columns) - MAX_LISTED
        return f"{shown} and {more} more" if more > 0 else shown

    def _require(self, setting: str, name: str) -> None:
        if self.columns.count(name) > 1:
            raise DataError(f"{self.file}: the header names column {name!r} twice; rename one")
        if name in self.columns:
            return
        by_folded = {column.casefold(): column for column in self.columns}
        close = [
            near
            for one in alternatives(name)
            for near in get_close_matches(one.casefold(), by_folded, n=1, cutoff=0.6)
        ]
        hint = f"did you mean {by_folded[close[0]]!r}? " if close else ""
        if 2 * sum(not column[:1].isalpha() for column in self.columns) >= len(self.columns):
            hint += "if its first row has values, set header to the names of its columns; "
        raise ConfigError(
            f"{self.file} has no column {name!r} ({setting}); {hint}its columns: {self.listed()}"
        )


@dataclass(frozen=True, slots=True)
class CatalogueMapping:
    """The column of one catalogue file for each field, "" for none.

    `texts` has the columns of each text of `Items`, only for the texts that the file has; `status`
    are the columns that say whether an item is for sale, `matched` that of each filter.
    """

    item: str
    group: tuple[str, ...]
    price: str
    in_stock: str
    available_from: str
    texts: dict[str, tuple[str, ...]]
    variants: str = ""
    status: tuple[str, ...] = ()
    matched: tuple[str, ...] = ()

    def columns(self) -> tuple[str, ...]:
        """All columns to read, each once."""
        singles = (self.item, self.price, self.in_stock, self.available_from)
        others = (*self.group, self.variants, *self.status, *self.matched)
        return _distinct(
            (*singles, *others, *(name for names in self.texts.values() for name in names))
        )

    def id_columns(self) -> frozenset[str]:
        """The columns that hold ids."""
        return frozenset((self.item, *self.group)) - {""}


@dataclass(frozen=True, slots=True)
class InteractionMapping:
    """The column of one file of interactions for each field, "" for none.

    Raises: ConfigError where the user column is also read for a field that reports may show.
    """

    item: str
    basket: str
    session: str
    user: str
    kind: str
    time: str
    quantity: str
    returned: str
    price: str
    title: str
    cancelled: tuple[str, ...]
    """The column of each mark of what is cancelled."""

    def __post_init__(self) -> None:
        hidden = {"basket", "session", "user", "cancelled"}
        shown = {getattr(self, field.name) for field in fields(self) if field.name not in hidden}
        shown.update(self.cancelled)
        if self.user and self.user in shown:
            raise ConfigError(
                f"column {self.user!r} is read as the user and as something that reports show; "
                "map the user to a column of its own"
            )

    def columns(self) -> tuple[str, ...]:
        """All columns to read, each once."""
        singles = (each.name for each in fields(self) if each.name != "cancelled")
        return _distinct((*(getattr(self, name) for name in singles), *self.cancelled))

    def id_columns(self) -> frozenset[str]:
        """The columns that hold ids."""
        return frozenset((self.item, self.basket, self.session, self.user)) - {""}


def map_catalogue(
    header: Header, columns: CatalogueColumns, filters: Collection[Match] = ()
) -> CatalogueMapping:
    """Map the columns of a catalogue file. Raises: ConfigError where one is missing."""

    def all_of(field: str) -> tuple[str, ...]:
        return header.find_all(f"catalogue.columns.{field}", getattr(columns, field), (field,))

    texts = {field: all_of(field) for field in ("title", "description", "brand", "category")}
    for field in LINKS:
        usual = (field,) if header.columns.count(field) == 1 else ()
        asked = getattr(columns, field)
        texts[field] = header.find_all(f"catalogue.columns.{field}", asked, usual)
    texts |= {ATTRIBUTE + column: (column,) for column in all_of("attributes")}
    for language, column in columns.titles.items():
        found = header.find(f"catalogue.columns.titles.{language}", column, ())
        texts[f"{ATTRIBUTE}{TITLE_IN}{language}"] = (found,) if found else ()
    singles = ("item", "price", "in_stock", "available_from")
    status = all_of("status")
    if columns.status is None:
        once = {spaced(name): name for name in header.columns if header.columns.count(name) == 1}
        status = tuple(once[name] for name in (*STATUS, *DELETED, *PUBLISHED_AT) if name in once)
    variants = header.find("catalogue.columns.variants", columns.variants, (VARIANTS,))
    return CatalogueMapping(
        group=all_of("group"),
        variants=variants,
        status=status,
        matched=tuple(
            header.find("catalogue.only or catalogue.hidden", each.column, ()) for each in filters
        ),
        **{field: next(iter(all_of(field)), "") for field in singles},
        texts={field: names for field, names in texts.items() if names},
    )


def map_interactions(
    header: Header, source: InteractionSource, key: str, with_titles: bool
) -> InteractionMapping:
    """Map the columns of a file of the input `key`; a title is mapped only `with_titles`.

    Raises: ConfigError where a column is missing, or none says which rows belong together.
    """
    columns, at = source.columns, f"{key}.columns"

    def one(field: str, *usual: str) -> str:
        return header.find(f"{at}.{field}", getattr(columns, field), usual or (field,))

    def measure(field: str, *usual: str) -> str:
        unused = getattr(columns, field) is None and getattr(source, f"{field}_above") is None
        return "" if unused and field == "price" else one(field, *usual)

    mapping = InteractionMapping(
        item=one("item"),
        basket=one("basket", "basket_id", "order_id"),
        session=one("session", "session_id"),
        user=one("user", "user_id"),
        kind=one("kind"),
        time=one("time"),
        quantity=measure("quantity", *QUANTITY),
        returned=one("returned", *RETURNED),
        price=measure("price"),
        title=one("title") if with_titles else "",
        cancelled=tuple(
            header.find(f"{key}.cancelled.column", mark.column, ()) for mark in source.cancellations
        ),
    )
    _require_usable(mapping, header, source, key)
    return mapping


def _require_usable(
    mapping: InteractionMapping, header: Header, source: InteractionSource, key: str
) -> None:
    """Refuse a threshold without a column, and rows that no column joins or that count nothing."""
    columns, at = source.columns, f"{key}.columns"
    for field in ("quantity", "price"):
        if getattr(source, f"{field}_above") is not None and not getattr(mapping, field):
            raise ConfigError(
                f"{header.file}: {field}_above needs a column; set {at}.{field} to one of: "
                f"{header.listed()}"
            )
    unset = None in (columns.basket, columns.session, columns.user)
    if unset and not (mapping.basket or mapping.session or mapping.user):
        raise ConfigError(
            f"{header.file}: no column says which rows belong together; set {at}.basket, .session "
            f'or .user to one of: {header.listed()} (or all three to "")'
        )
    if not mapping.kind and source.kind not in source.weights:
        raise ConfigError(
            f"{key}.kind: {source.kind!r} has no weight and the file has no column of kinds; "
            f"weights has: {', '.join(source.weights)}"
        )


def spaced(name: str) -> str:
    """The name of a column in lower case, with spaces for underscores."""
    return name.casefold().replace("_", " ")


def alternatives(name: str) -> list[str]:
    """The names that a setting gives for one column, separated by `|`."""
    return [each.strip() for each in name.split("|")]


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))


def _printable(name: str) -> str:
    return name[:MAX_NAME] if name.isprintable() else ascii(name[:MAX_NAME])
