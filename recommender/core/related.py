"""What a reader gets: related items of one item, ready to show. Standard library only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, get_args

Evidence = Literal["text", "behaviour", "both", "popular", "rule"]
Status = Literal[
    "ok",
    "topped_up",
    "stale",
    "fallback",
    "unknown_item",
    "unknown_placement",
    "degraded",
]

EVIDENCE: tuple[Evidence, ...] = get_args(Evidence)
STATUSES: tuple[Status, ...] = get_args(Status)


class RelatedItem(NamedTuple):
    """One entry of a related list; a tuple, because pages make thousands of them.

    `score` is in (0, 1], larger is nearer; `evidence` says what supports the entry.
    """

    id: str
    score: float
    evidence: Evidence


class UnreadEntries(Protocol):
    """Entries that nobody has read yet."""

    @property
    def ids(self) -> Sequence[str]:
        """The ids of the entries, best first."""

    def items(self) -> tuple[RelatedItem, ...]:
        """The entries, the same at every call."""

    def at(self, places: Sequence[int]) -> list[RelatedItem]:
        """The entries at some places."""


_UNSET: Mapping[str, Callable[[], object]] = MappingProxyType(
    {
        "_columns": lambda: None,
        "records": tuple,
        "dropped": dict,
        "heading": str,
        "language": str,
        "explored": tuple,
    }
)
"""Makes what slots hold that were never filled: most answers have no use for them."""


class _Unmade:
    """A list whose entries were not read yet: it holds columns instead of `items`."""

    __slots__ = ("_columns",)
    _columns: UnreadEntries | None

    if not TYPE_CHECKING:  # a type checker would take every misspelt attribute for one that exists

        def __getattr__(self, name: str) -> object:
            """Make `items` when it is read first; called for attributes that have no value."""
            if name in _UNSET:
                return _UNSET[name]()
            if name != "items" or self._columns is None:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            items = self._columns.items()
            object.__setattr__(self, "items", items)
            return items


@dataclass(frozen=True, slots=True)
class RelatedList(_Unmade):
    """Related items of one item in one placement, best first.

    `generation` is the published build that answered, 0 where none did. `token` is new for every
    answer: a page logs it with what was shown and clicked. `status` is
    - ok: the item's own list;
    - topped_up: the same, with best sellers behind it;
    - stale: an earlier list, Redis could not be read;
    - fallback: the shop's best sellers, Redis could not be read;
    - unknown_item, unknown_placement: the shop's best sellers, there is no such list;
    - degraded: nothing, Redis could not be read and no earlier list was known.

    Where they were asked for, `records` holds the fields of each item, and `dropped` counts the
    entries that each clause of a condition dropped before there were enough. The list of a page has
    the `heading` of its placement. `language` is that of heading and titles, "" where the shop
    names none. `explored` are the ids of new items that took the place of others.
    """

    item: str
    placement: str
    generation: int
    status: Status
    items: tuple[RelatedItem, ...] = ()
    token: str = ""
    records: Sequence[Mapping[str, Any]] = field(default=(), compare=False)
    dropped: Mapping[str, int] = field(default_factory=dict, compare=False)
    heading: str = field(default="", compare=False)
    language: str = field(default="", compare=False)
    explored: tuple[str, ...] = field(default=(), compare=False)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the items, best first."""
        if self._columns is not None:
            return tuple(self._columns.ids)
        return tuple(item.id for item in self.items)


def unmade(
    item: str, placement: str, generation: int, status: Status, columns: UnreadEntries, token: str
) -> RelatedList:
    """A related list whose entries are made when they are first read.

    A page asks for fifty lists and shows five; to make 600 entries would take longer than to read
    them. The slots are filled by their descriptors: the class's own way takes twice as long.
    """
    made = object.__new__(RelatedList)
    _set_item(made, item)
    _set_placement(made, placement)
    _set_generation(made, generation)
    _set_status(made, status)
    _set_columns(made, columns)
    _set_token(made, token)
    return made


def entries_at(answer: RelatedList, places: Sequence[int]) -> list[RelatedItem]:
    """Some entries of an answer; those that nobody read are not made where others are wanted."""
    columns = unread_of(answer)
    return [answer.items[place] for place in places] if columns is None else columns.at(places)


def unread_of(answer: RelatedList) -> UnreadEntries | None:
    """What an answer has in place of entries, None where it has entries."""
    return answer._columns


def with_fields(
    answer: RelatedList,
    items: tuple[RelatedItem, ...],
    status: Status,
    records: Sequence[Mapping[str, Any]],
    dropped: Mapping[str, int],
    language: str,
) -> RelatedList:
    """The answer with other items, and with what was asked of their fields.

    The slots are filled as in `unmade`.
    """
    made = object.__new__(RelatedList)
    _set_item(made, answer.item)
    _set_placement(made, answer.placement)
    _set_generation(made, answer.generation)
    _set_status(made, status)
    _set_items(made, items)
    _set_token(made, answer.token)
    _set_records(made, records)
    _set_dropped(made, dropped)
    _set_language(made, language)
    return made


def with_records(
    answer: RelatedList, records: Sequence[Mapping[str, Any]], language: str
) -> RelatedList:
    """The same answer, which nobody has seen yet, with records whose titles are in a language."""
    _set_records(answer, records)
    _set_language(answer, language)
    return answer


def with_heading(answer: RelatedList, heading: str, language: str) -> RelatedList:
    """The same answer, which nobody has seen yet, with a heading in a language."""
    _set_heading(answer, heading)
    _set_language(answer, language)
    return answer


def with_explored(
    answer: RelatedList,
    items: tuple[RelatedItem, ...],
    explored: tuple[str, ...],
    records: Sequence[Mapping[str, Any]],
) -> RelatedList:
    """The answer with new items at some places, whose ids are `explored`."""
    return RelatedList(
        *(answer.item, answer.placement, answer.generation, answer.status),
        *(items, answer.token, records, answer.dropped),
        *(answer.heading, answer.language, explored),
    )


def _setter(slot: str) -> Callable[[RelatedList, object], None]:
    descriptor: Any = getattr(RelatedList, slot)
    set_slot: Callable[[RelatedList, object], None] = descriptor.__set__
    return set_slot


_set_item = _setter("item")
_set_placement = _setter("placement")
_set_generation = _setter("generation")
_set_status = _setter("status")
_set_items = _setter("items")
_set_columns = _setter("_columns")
_set_token = _setter("token")
_set_records = _setter("records")
_set_dropped = _setter("dropped")
_set_heading = _setter("heading")
_set_language = _setter("language")
