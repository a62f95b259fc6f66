"""Sources: where a shop's files lie and what their columns mean."""

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

from recommender.readers.checks import (
    require,
    require_clock,
    require_paths,
    require_pattern,
    require_text,
    require_weights,
)

Names = str | tuple[str, ...]
Scope = Literal["all", "with_interactions"]


@dataclass(frozen=True, slots=True)
class CatalogueColumns:
    """Which column holds what of an item.

    None takes the column of the field's own name where the file has it, "" says that there is
    none. Several names are joined: by a space in title and description, into a path in category.

    Raises: ValueError where `item` is empty, or a name in a tuple is.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    item: str = "item_id"
    title: Names = "title"
    description: Names | None = None
    brand: str | None = None
    category: Names | None = None
    price: str | None = None
    group: str | None = None
    in_stock: str | None = None
    available_from: str | None = None
    attributes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(bool(self.item), "item", self.item, "name the column of the item ids")
        for name in ("title", "description", "category", "attributes"):
            value = getattr(self, name)
            if isinstance(value, tuple):
                require(all(value), name, value, "leave empty names out")
        distinct = len(set(self.attributes)) == len(self.attributes)
        require(distinct, "attributes", self.attributes, "name a column once")


@dataclass(frozen=True, slots=True)
class CatalogueSource:
    """The catalogue's files; without a path the catalogue is derived from the interactions.

    `scope` says whether items without an interaction of positive weight belong to the build.
    `time_zone` and `time_format` are for `available_from`, as in `InteractionSource`.

    Raises: ValueError naming the setting that is wrong.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    path: Names = ""
    columns: CatalogueColumns = field(default_factory=CatalogueColumns)
    scope: Scope = "all"
    time_zone: str = "UTC"
    time_format: str = ""
    delimiter: str = ""
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        require_paths(paths(self.path))
        require(self.scope in get_args(Scope), "scope", self.scope, "all or with_interactions")
        require_clock(self.time_zone, self.time_format)
        require_text(self.delimiter, self.encoding)


@dataclass(frozen=True, slots=True)
class InteractionColumns:
    """Which column holds what of an interaction; None and "" as in `CatalogueColumns`.

    `basket` also finds `order_id`. `title` is read only to derive the catalogue; `quantity` and
    `price` only where they are named here or a threshold needs them.

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
    price: str | None = None
    title: str | None = None

    def __post_init__(self) -> None:
        require(bool(self.item), "item", self.item, "name the column of the item ids")


@dataclass(frozen=True, slots=True)
class Cancelled:
    """How a cancelled row shows: `pattern` matches at the start of `column`.

    Raises: ValueError where the column is empty or the pattern does not compile.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    column: str
    pattern: str

    def __post_init__(self) -> None:
        require(bool(self.column), "cancelled.column", self.column, "name a column")
        require_pattern("cancelled.pattern", self.pattern)


@dataclass(frozen=True, slots=True)
class InteractionSource:
    """Files of interactions that share columns, and which of their rows are kept.

    `kind` is the kind of every row where no column says it. Rows are left out whose kind has no
    weight, whose quantity or price is not above the threshold, whose item id does not match
    `item_pattern` from its start, and those that `cancelled` describes. `time_zone` is the zone
    of times without an offset; `time_format` is for strptime, "" for ISO 8601, "epoch" for
    seconds.

    Raises: ValueError naming the setting that is wrong.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    path: Names
    columns: InteractionColumns = field(default_factory=InteractionColumns)
    kind: str = "purchase"
    weights: dict[str, float] = field(default_factory=lambda: {"purchase": 1.0})
    quantity_above: float | None = None
    price_above: float | None = None
    item_pattern: str = ""
    cancelled: Cancelled | None = None
    time_zone: str = "UTC"
    time_format: str = ""
    delimiter: str = ""
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        require(bool(paths(self.path)), "path", self.path, "name at least one file")
        require_paths(paths(self.path))
        require_weights(self.weights)
        for name in ("quantity_above", "price_above"):
            value = getattr(self, name)
            require(value is None or math.isfinite(value), name, value, "give a finite number")
        require_pattern("item_pattern", self.item_pattern)
        require_clock(self.time_zone, self.time_format)
        require_text(self.delimiter, self.encoding)


def paths(path: Names) -> tuple[str, ...]:
    """The files of a source; none where the path is empty."""
    if isinstance(path, str):
        return (path,) if path else ()
    return path
