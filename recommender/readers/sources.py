"""Sources: the settings that say where a shop's files are and what their columns mean."""

import codecs
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import ClassVar, Literal, get_args
from zoneinfo import ZoneInfo

Names = str | tuple[str, ...]
Scope = Literal["all", "with_interactions"]

EPOCH = "epoch"
MAX_KINDS = 127
_PROBE = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CatalogueColumns:
    """The column of a catalogue file that each field of an item is read from.

    None reads the column with the name of the field, if the file has one; "" reads no column.
    Several columns are joined: by spaces for title and description, into a path for category.

    Raises: ValueError where `item` or a name in a tuple is empty, or an attribute is repeated.
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
        _require(bool(self.item), "item", self.item, "name the column of the item ids")
        for name in ("title", "description", "category", "attributes"):
            value = getattr(self, name)
            if isinstance(value, tuple):
                _require(all(value), name, value, "leave empty names out")
        distinct = len(set(self.attributes)) == len(self.attributes)
        _require(distinct, "attributes", self.attributes, "name a column once")


@dataclass(frozen=True, slots=True)
class CatalogueSource:
    """The files of the catalogue; without a path, the catalogue is derived from the interactions.

    With the scope "with_interactions", items without an interaction of positive weight are left
    out of the build. `time_zone` and `time_format` apply to `available_from`, as in
    `InteractionSource`.

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
        _require_paths(paths(self.path))
        _require(self.scope in get_args(Scope), "scope", self.scope, "all or with_interactions")
        _require_time(self.time_zone, self.time_format)
        _require_dialect(self.delimiter, self.encoding)


@dataclass(frozen=True, slots=True)
class InteractionColumns:
    """The column that each field of an interaction is read from, as in `CatalogueColumns`.

    For `basket`, None reads the column `basket_id` or `order_id`; for `session` and `user`,
    `session_id` and `user_id`. `title` is read only to derive the catalogue, `quantity` and
    `price` only where a column is named here or a threshold needs them.

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
        _require(bool(self.item), "item", self.item, "name the column of the item ids")


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Marks a row as cancelled where `pattern` matches from the start of `column`.

    Raises: ValueError where the column is empty or the pattern does not compile.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    column: str
    pattern: str

    def __post_init__(self) -> None:
        _require(bool(self.column), "cancelled.column", self.column, "name a column")
        _require_pattern("cancelled.pattern", self.pattern)


@dataclass(frozen=True, slots=True)
class InteractionSource:
    """Files of interactions that share columns, and which of their rows are kept.

    `kind` is the kind of every row of a file without a column of kinds. A row is left out where
    its kind has no weight, its quantity or price is not above the threshold, its item id does not
    match `item_pattern` from the start, or `cancelled` matches it. `time_zone` applies to times
    without an offset; `time_format` is a strptime format, "" for ISO 8601 or "epoch" for seconds.

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
        _require(bool(paths(self.path)), "path", self.path, "name at least one file")
        _require_paths(paths(self.path))
        _require_weights(self.weights)
        for name in ("quantity_above", "price_above"):
            value = getattr(self, name)
            _require(value is None or math.isfinite(value), name, value, "give a finite number")
        _require_pattern("item_pattern", self.item_pattern)
        _require_time(self.time_zone, self.time_format)
        _require_dialect(self.delimiter, self.encoding)


def paths(path: Names) -> tuple[str, ...]:
    """The files of a source; none where the path is empty."""
    if isinstance(path, str):
        return (path,) if path else ()
    return path


def _require(holds: bool, name: str, value: object, remedy: str) -> None:
    """Raise ValueError that names the setting, its value and the remedy, unless `holds`."""
    if not holds:
        raise ValueError(f"{name} {value!r:.100}: {remedy}")


def _require_paths(files: tuple[str, ...]) -> None:
    _require(all(files), "path", files, "leave empty names out")
    _require(len(set(files)) == len(files), "path", files, "name a file once")


def _require_weights(weights: dict[str, float]) -> None:
    _require(0 < len(weights) <= MAX_KINDS, "weights", weights, f"give 1 to {MAX_KINDS} kinds")
    for kind, weight in weights.items():
        usable = math.isfinite(weight) and weight >= 0
        _require(usable, f"weights.{kind}", weight, "give a finite number from 0")
        _require(bool(kind) and kind == kind.strip(), "weights", kind, "name the kind")


def _require_pattern(name: str, pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{name} {pattern!r:.100} is no regular expression: {error}") from error


def _require_time(time_zone: str, time_format: str) -> None:
    """Refuse unknown time zones, and formats that lose the year, the month or the day."""
    try:
        ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"time_zone {time_zone!r:.100} is not a time zone; write it like Europe/London"
        ) from error
    if time_format in {"", EPOCH}:
        return
    try:
        day = datetime.strptime(_PROBE.strftime(time_format), time_format).date()
    except ValueError:
        day = date.min
    _require(
        day == _PROBE.date(),
        "time_format",
        time_format,
        'use strptime directives that give year, month and day, "epoch", or "" for ISO 8601',
    )


def _require_dialect(delimiter: str, encoding: str) -> None:
    """Refuse delimiters that the csv module cannot use, and encodings that do not contain ASCII."""
    single = len(delimiter) <= 1 and delimiter not in {'"', "\r", "\n", "\0"}
    _require(single, "delimiter", delimiter, "give one character that is neither quote nor newline")
    try:
        codec = codecs.lookup(encoding).name
        plain = codec == "utf-8-sig" or "a,\n".encode(encoding) == b"a,\n"
    except (LookupError, ValueError):
        plain = False
    _require(
        plain,
        "encoding",
        encoding,
        "name one that contains ASCII, such as utf-8 or cp1252; save UTF-16 files as UTF-8",
    )
