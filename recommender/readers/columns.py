"""Event names: the columns of one file of interactions, and what each is read as."""

from dataclasses import dataclass, fields

from recommender.errors import ConfigError
from recommender.readers.header import Header
from recommender.readers.sources import InteractionSource


@dataclass(frozen=True, slots=True)
class EventNames:
    """The columns that are read, "" for none.

    Raises: ConfigError where the user column is also read as something that a report may show.
    """

    item: str
    basket: str
    session: str
    user: str
    kind: str
    time: str
    quantity: str
    price: str
    title: str
    cancelled: str

    def __post_init__(self) -> None:
        unseen = {"basket", "session", "user"}
        shown = {getattr(self, field.name) for field in fields(self) if field.name not in unseen}
        if self.user and self.user in shown:
            raise ConfigError(
                f"column {self.user!r} is read as the user and as something that reports show; "
                "map the user to a column of its own"
            )

    def wanted(self) -> tuple[str, ...]:
        """All columns to read, each once."""
        values = (getattr(self, field.name) for field in fields(self))
        return tuple(dict.fromkeys(value for value in values if value))

    def ids(self) -> frozenset[str]:
        """The columns that hold ids."""
        return frozenset((self.item, self.basket, self.session, self.user)) - {""}


def event_names(header: Header, source: InteractionSource, key: str, derives: bool) -> EventNames:
    """Find the columns of a file of the input `key`; titles only where the catalogue `derives`.

    Raises: ConfigError where a column is missing, or none says which rows belong together.
    """
    columns, at = source.columns, f"{key}.columns"
    cancelled = source.cancelled.column if source.cancelled else ""
    names = EventNames(
        item=header.name(f"{at}.item", columns.item, ()),
        basket=header.name(f"{at}.basket", columns.basket, ("basket_id", "order_id")),
        session=header.name(f"{at}.session", columns.session, ("session_id",)),
        user=header.name(f"{at}.user", columns.user, ("user_id",)),
        kind=header.name(f"{at}.kind", columns.kind, ("kind",)),
        time=header.name(f"{at}.time", columns.time, ("time",)),
        quantity=_measure(header, at, "quantity", columns.quantity, source.quantity_above),
        price=_measure(header, at, "price", columns.price, source.price_above),
        title=header.name(f"{at}.title", columns.title, ("title",)) if derives else "",
        cancelled=header.name(f"{key}.cancelled.column", cancelled, ()),
    )
    _require_unit(header, source, names, at)
    _require_kind(source, names, key)
    return names


def _measure(header: Header, at: str, name: str, value: str | None, threshold: float | None) -> str:
    if value is None and threshold is None:
        return ""
    column = header.name(f"{at}.{name}", value, (name,))
    if threshold is not None and not column:
        raise ConfigError(
            f"{header.file}: {name}_above needs a column; set {at}.{name} to one of: "
            f"{header.listed()}"
        )
    return column


def _require_unit(header: Header, source: InteractionSource, names: EventNames, at: str) -> None:
    columns = source.columns
    unsaid = None in (columns.basket, columns.session, columns.user)
    if unsaid and not (names.basket or names.session or names.user):
        raise ConfigError(
            f"{header.file}: no column says which rows belong together; set {at}.basket, .session "
            f'or .user to one of: {header.listed()} (or all three to "")'
        )


def _require_kind(source: InteractionSource, names: EventNames, key: str) -> None:
    if not names.kind and source.kind not in source.weights:
        raise ConfigError(
            f"{key}.kind: {source.kind!r} has no weight and the file has no column of kinds; "
            f"weights has: {', '.join(source.weights)}"
        )
