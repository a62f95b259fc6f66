"""The state of a lookup: what it polled of a shop, and what one request needs and has found."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from recommender.errors import StoreUnavailable
from recommender.serving import codec
from recommender.serving.codec import Pointer, StoredList, View
from recommender.serving.keys import Keys, list_name
from recommender.serving.storefront import NO_STOREFRONT, Storefront

if TYPE_CHECKING:
    from recommender.serving.fields_query import FieldsQuery

Command = tuple[str, ...]
Reply = Sequence[bytes | None]

UNREAD = b"unread"
"""Replaces a value that its node did not return; compared by identity."""
OVERSIZED = b"oversized"
"""Replaces a value that is too large to be a list; compared by identity."""
MAX_SHOWN = 1000
"""The most entries of one list that a query gets."""
NO_ITEMS: frozenset[str] = frozenset()
NEVER = -1
"""A version of the hidden items below every floor, so that the first poll reads all of them."""


class Signs(NamedTuple):
    """What the changes of a kind begin with: items to withhold, and to show again."""

    withheld: str
    shown: str


HIDDEN, UNAVAILABLE = Signs("+", "-"), Signs("!", "=")
"""The signs of merchandisers, and those that follow from stock and availability."""


class NotRead(ValueError):
    """The node that has the list did not answer."""


class TooLarge(ValueError):
    """The value of a list is larger than any list."""


class NotAsked(StoreUnavailable):
    """The server was not asked, or so late that its silence says nothing about it."""


class Refused(StoreUnavailable):
    """The server answered a command with an error; the connection is still in step."""


class LayeredList(NamedTuple):
    """The list of an item as the layers of a pointer have it; `stored` is None if none has it.

    `fence` is the pointer's; `generation` is the layer that has the list, else the full one.
    """

    fence: int
    generation: int
    stored: StoredList | None


BestSellers = Mapping[str, LayeredList]
"""The shop's best sellers by placement, the placement that replaces missing ones first."""


@dataclass(frozen=True, slots=True)
class PolledState:
    """The result of one poll. `pointer` is None where it is missing or of another schema.

    `best_sellers` and `storefront`, and those of the canary, belong to the last readable pointer;
    `explores` says whether new items take a share of some list. `version` is the newest change of
    the hidden items that was read. `hidden` are the items that merchandisers hid, `unavailable`
    those that are sold out, deleted and the like, `withheld` both. `complete` is False where a node
    of a Cluster did not return its best sellers: the previous ones are used until the next poll.
    """

    raw: bytes | None = None
    pointer: Pointer | None = None
    best_sellers: BestSellers = field(default_factory=dict)
    canary_best_sellers: BestSellers = field(default_factory=dict)
    storefront: Storefront = NO_STOREFRONT
    canary_storefront: Storefront = NO_STOREFRONT
    hidden: frozenset[str] = NO_ITEMS
    unavailable: frozenset[str] = NO_ITEMS
    version: int = NEVER
    complete: bool = True
    hidden_readable: bool = True
    withheld: frozenset[str] = field(init=False, repr=False)
    explores: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        withheld = self.hidden | self.unavailable if self.unavailable else self.hidden
        object.__setattr__(self, "withheld", withheld)
        shares = (*self.storefront.explore.values(), *self.canary_storefront.explore.values())
        object.__setattr__(self, "explores", any(shares))

    def uses_canary(self, key: str) -> bool:
        """Whether requests of `key` read the canary; requests without a key never do."""
        pointer = self.pointer
        if not key or pointer is None or pointer.canary is None:
            return False
        return share_of(key) < pointer.canary_share

    def storefront_for(self, key: str) -> Storefront:
        """The storefront that requests of `key` read."""
        return self.canary_storefront if self.uses_canary(key) else self.storefront


class Query(NamedTuple):
    """At most `n` entries of a placement, without `excluded`, that score at least `lowest`.

    `key` decides between the live view and the canary; `fields` is what is asked of the fields of
    items, None for nothing; `language` are the languages that are preferred.
    """

    placement: str
    n: int
    excluded: AbstractSet[str]
    lowest: float
    key: str
    fields: "FieldsQuery | None" = None
    language: str = ""


@dataclass(slots=True)
class ListRequest:
    """The lists that a query needs under one pointer, and those found so far.

    `view` is None where no pointer is confirmed; `wanted` are the items to read, each once, `until`
    when the answer is due on the monotonic clock.
    """

    query: Query
    state: PolledState
    view: View | None = None
    canary: bool = False
    found: dict[str, LayeredList] = field(default_factory=dict)
    wanted: dict[str, None] = field(default_factory=dict)
    until: float = 0.0

    @property
    def best_sellers(self) -> BestSellers:
        """The best sellers by placement, of the last readable pointer where none is live."""
        return self.state.canary_best_sellers if self.canary else self.state.best_sellers

    @property
    def storefront(self) -> Storefront:
        """The storefront that belongs to the best sellers."""
        return self.state.canary_storefront if self.canary else self.state.storefront

    @property
    def language(self) -> str:
        """The language of titles and headings, "" where the shop names none."""
        return self.storefront.language_for(self.query.language)


def share_of(key: str) -> float:
    """Map a key to 0 to 1, the same in every process and language."""
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def list_keys(keys: Keys, view: View, places: Iterable[tuple[str, str]]) -> list[str]:
    """The keys of (placement, item) in all layers of a view, layer by layer for each place."""
    prefixes = [keys.prefix(layer) for layer in view.layers]
    return [
        prefix + name
        for name in [list_name(placement, item) for placement, item in places]
        for prefix in prefixes
    ]


def first_layer(fence: int, view: View, values: Reply, item: str) -> LayeredList:
    """Decode the list of the first layer that has one.

    Raises: NotRead where a node that decides it did not answer; TooLarge; ValueError for a
    malformed list.
    """
    for place, value in enumerate(values):
        if value is UNREAD:
            raise NotRead(f"generation {view.layers[place]} could not be read")
        if value is OVERSIZED:
            generation = view.layers[place]
            raise TooLarge(f"the list of {item!r} in generation {generation}; delete its key")
        if value is not None:
            return LayeredList(fence, view.layers[place], codec.decode_list(value, item))
    return LayeredList(fence, view.layers[-1], None)
