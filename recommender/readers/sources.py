"""Sources: the settings that say where a shop's files are and what their columns mean."""

import math
from dataclasses import dataclass, field, fields
from typing import ClassVar, Literal, get_args

from recommender.core.languages import TAG
from recommender.readers.checks import (
    require,
    require_origin,
    require_paths,
    require_pattern,
    require_time,
    require_weights,
)
from recommender.readers.id_repairs import IdRepairs
from recommender.readers.layouts import FileFormat, TextLayout
from recommender.readers.usual_words import GUESTS, NOT_FOR_SALE, NULLS, REFUND_KINDS

Names = str | tuple[str, ...]
Scope = Literal["all", "with_interactions"]


@dataclass(frozen=True, slots=True)
class CatalogueColumns:
    """The column of a catalogue file that each field of an item is read from.

    None reads the column with the name of the field, if the file has one; "" reads no column. A
    name may be several alternatives, `SKU | Variant SKU`, of which the first that the file has
    counts; where the last is empty, as in `Vendor |`, the file may have none. Several columns are
    joined: by spaces for title and description, into a path for category; of several for group,
    url, image and currency, the first with a value counts.
    `status` are columns that say whether an item is for sale (None: `status`, `published` and
    `visibility`, also with a capital letter), `variants` lists the variants of a product. `titles`
    has the column of the title in further languages, by their tags, such as `de`.

    Raises: ValueError where `item` or a name in a tuple is empty, an attribute is repeated, or a
    language is no tag.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    item: str = "item_id"
    title: Names = "title"
    description: Names | None = None
    brand: str | None = None
    category: Names | None = None
    price: str | None = None
    group: Names | None = None
    in_stock: str | None = None
    available_from: str | None = None
    url: Names | None = None
    image: Names | None = None
    currency: Names | None = None
    status: Names | None = None
    variants: str | None = None
    attributes: tuple[str, ...] = ()
    titles: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(bool(self.item), "item", self.item, "name the column of the item ids")
        for language, column in self.titles.items():
            tagged = TAG.fullmatch(language) and column
            require(bool(tagged), "titles", language, 'write a language and its column: de = "..."')
        for each in fields(self):
            name, value = each.name, getattr(self, each.name)
            if isinstance(value, tuple):
                require(all(value), name, value, "leave empty names out")
        distinct = len(set(self.attributes)) == len(self.attributes)
        require(distinct, "attributes", self.attributes, "name a column once")


@dataclass(frozen=True, slots=True)
class Match:
    """The rows of which `pattern`, a regular expression, matches from the start of `column`.

    Raises: ValueError where the column is empty or the pattern does not compile.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    column: str
    pattern: str

    def __post_init__(self) -> None:
        require(bool(self.column), "column", self.column, "name a column")
        require_pattern("pattern", self.pattern)


@dataclass(frozen=True, slots=True)
class CatalogueSource:
    """The catalogue's files or query; without either, it is derived from the interactions.

    With the scope "with_interactions", items without an interaction of positive weight are left
    out of the build. `url`, `query`, `time_zone`, `time_format` and the settings of files apply as
    in `InteractionSource`.

    Rows that do not match all of `only` are left out. An item is learned from, but in no list,
    where `hidden` matches its row, where a column of its status has a word of `not_for_sale`, or,
    unless `absent` is "shown", where it is in no file of the catalogue. Of several rows with one
    id, the first value of each field counts, or with `repeated` = "last" the last. `stock_words`
    says which further words mean in stock. `decimal` is the decimal separator of prices, found
    from the values where it is empty. A cell may have several categories between
    `category_separator`s, each a path of levels between `level_separator`s; where they are empty,
    they are found from the cells. Sentences that more than `boilerplate_share` of the
    descriptions have are left out of them; 0 leaves out none.

    Raises: ValueError naming the setting that is wrong.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    path: Names = ""
    columns: CatalogueColumns = field(default_factory=CatalogueColumns)
    url: str = ""
    query: str = ""
    scope: Scope = "all"
    only: tuple[Match, ...] = ()
    hidden: tuple[Match, ...] = ()
    not_for_sale: tuple[str, ...] = NOT_FOR_SALE
    absent: Literal["hidden", "shown"] = "hidden"
    repeated: Literal["first", "last"] = "first"
    stock_words: dict[str, bool] = field(default_factory=dict)
    nulls: tuple[str, ...] = NULLS
    decimal: Literal["", ".", ","] = ""
    category_separator: str = ""
    level_separator: str = ""
    boilerplate_share: float = 0.3
    ids: IdRepairs = field(default_factory=IdRepairs)
    time_zone: str = "UTC"
    time_format: Names = ""
    format: FileFormat = ""
    delimiter: str = ""
    encoding: str = "utf-8"
    skip_lines: int = 0
    comment: str = ""
    escape: str = ""
    header: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_paths(paths(self.path))
        require_origin(self.path, self.url, self.query)
        require(self.scope in get_args(Scope), "scope", self.scope, "all or with_interactions")
        for name in ("split", "fold_case"):
            value = getattr(self.ids, name)
            require(not value, f"ids.{name}", value, "repair the ids of the interactions instead")
        share = self.boilerplate_share
        require(0 <= share < 1, "boilerplate_share", share, "give 0 for none, or a share below 1")
        require_time(self.time_zone, self.time_format)
        _layout(self)

    @property
    def given(self) -> bool:
        """Whether there is a catalogue to read."""
        return bool(self.path or self.url)

    @property
    def layout(self) -> TextLayout:
        """The layout of the text files."""
        return _layout(self)


@dataclass(frozen=True, slots=True)
class InteractionColumns:
    """The column that each field of an interaction is read from, as in `CatalogueColumns`.

    For `basket`, None reads the column `basket_id` or `order_id`; for `session` and `user`,
    `session_id` and `user_id`. `returned` is how many of a row's quantity were given back. `title`
    is read only to derive the catalogue, and `price` only where a column is named here or a
    threshold needs it.

    Raises: ValueError where `item` is empty.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    item: str = "item_id"
    basket: str | None = None
    session: str | None = None
    user: str | None = None
    kind: str | None = None
    time: str | None = None
    quantity: str | None = None
    returned: str | None = None
    price: str | None = None
    title: str | None = None

    def __post_init__(self) -> None:
        require(bool(self.item), "item", self.item, "name the column of the item ids")


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Marks a row as cancelled where `pattern` matches from the start of `column`.

    With it, all rows of its basket are cancelled, or by = "row" the row alone.

    Raises: ValueError where the column is empty or the pattern does not compile.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    column: str
    pattern: str
    by: Literal["order", "row"] = "order"

    def __post_init__(self) -> None:
        require(bool(self.column), "cancelled.column", self.column, "name a column")
        require_pattern("cancelled.pattern", self.pattern)


@dataclass(frozen=True, slots=True)
class InteractionSource:
    """Files of interactions that share columns, and which of their rows are kept.

    In place of files, `url` is a database as SQLAlchemy names it, and `query` what is read of it.
    `kind` is the kind of every row of a file without a column of kinds. A row is left out where its
    kind has no weight, its quantity or price is not above the threshold, its item id does not match
    `item_pattern` from the start, or `cancelled` matches a row of its basket. Rows with a negative
    quantity, or of a kind in `refund_kinds`, take back what was bought. `guests` and `nulls` are no
    users; `nulls` are no baskets and sessions. `time_zone` applies to times without an offset. A
    time is of one of the formats in `time_format`: a strptime format, "epoch" for seconds,
    milliseconds or microseconds, "day-first" or "month-first" for 1/2/2026, or "" for ISO 8601 and
    what can be nothing else. `format` is that of files whose ending does not name it. In text
    files, `skip_lines` lines and lines that begin with `comment` are skipped, `escape` stands
    before quotes within a field, and `header` names the columns of a file without a header.

    Raises: ValueError naming the setting that is wrong.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    path: Names = ""
    columns: InteractionColumns = field(default_factory=InteractionColumns)
    url: str = ""
    query: str = ""
    kind: str = "purchase"
    weights: dict[str, float] = field(default_factory=lambda: {"purchase": 1.0})
    quantity_above: float | None = None
    price_above: float | None = None
    item_pattern: str = ""
    cancelled: Cancelled | tuple[Cancelled, ...] | None = None
    refund_kinds: tuple[str, ...] = REFUND_KINDS
    guests: tuple[str, ...] = GUESTS
    nulls: tuple[str, ...] = NULLS
    decimal: Literal["", ".", ","] = ""
    ids: IdRepairs = field(default_factory=IdRepairs)
    time_zone: str = "UTC"
    time_format: Names = ""
    format: FileFormat = ""
    delimiter: str = ""
    encoding: str = "utf-8"
    skip_lines: int = 0
    comment: str = ""
    escape: str = ""
    header: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        named = bool(paths(self.path) or self.url or self.query)
        require(named, "path", self.path, "name at least one file, or url and query of a database")
        require_paths(paths(self.path))
        require_origin(self.path, self.url, self.query)
        require_weights(self.weights)
        for name in ("quantity_above", "price_above"):
            value = getattr(self, name)
            require(value is None or math.isfinite(value), name, value, "give a finite number")
        require_pattern("item_pattern", self.item_pattern)
        require_time(self.time_zone, self.time_format)
        _layout(self)

    @property
    def cancellations(self) -> tuple[Cancelled, ...]:
        """The marks of what is cancelled."""
        given = self.cancelled or ()
        return (given,) if isinstance(given, Cancelled) else given

    @property
    def layout(self) -> TextLayout:
        """The layout of the text files."""
        return _layout(self)


def paths(path: Names) -> tuple[str, ...]:
    """The files of a source; none where the path is empty."""
    if isinstance(path, str):
        return (path,) if path else ()
    return path


def _layout(source: CatalogueSource | InteractionSource) -> TextLayout:
    return TextLayout(**{each.name: getattr(source, each.name) for each in fields(TextLayout)})
