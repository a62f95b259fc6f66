"""The state of a lookup: what it polled of a shop, and what one request needs and has found.

`poll` does no input or output itself: it yields commands, is sent their replies, and returns the
new state.
"""

import hashlib
import logging
from collections.abc import Generator, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from recommender.errors import StoreUnavailable
from recommender.serving import codec
from recommender.serving.codec import Pointer, StoredList, View
from recommender.serving.keys import Keys, list_name
from recommender.serving.logs import warn

if TYPE_CHECKING:
    from recommender.serving.item_fields import FieldsQuery

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

log = logging.getLogger(__name__)


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

    `best_sellers` and `canary_best_sellers` belong to the last readable pointer; `version` is the
    newest change of the hidden items that was read. `complete` is False where a node of a Cluster
    did not return its best sellers: the previous ones are used until the next poll.
    """

    raw: bytes | None = None
    pointer: Pointer | None = None
    best_sellers: BestSellers = field(default_factory=dict)
    canary_best_sellers: BestSellers = field(default_factory=dict)
    hidden: frozenset[str] = NO_ITEMS
    version: int = NEVER
    complete: bool = True
    hidden_readable: bool = True

    def uses_canary(self, key: str) -> bool:
        """Whether requests of `key` read the canary; requests without a key never do."""
        pointer = self.pointer
        if not key or pointer is None or pointer.canary is None:
            return False
        return share_of(key) < pointer.canary_share


class Query(NamedTuple):
    """At most `n` entries of a placement, without `excluded`, that score at least `lowest`.

    `key` decides between the live view and the canary; `fields` is what is asked of the fields of
    items, None for nothing.
    """

    placement: str
    n: int
    excluded: AbstractSet[str]
    lowest: float
    key: str
    fields: "FieldsQuery | None" = None


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


def share_of(key: str) -> float:
    """Map a key to 0 to 1, the same in every process and language."""
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def poll(keys: Keys, state: PolledState) -> Generator[Command, Reply, PolledState]:
    """Read what changed since `state`. Raises: ValueError for a malformed reply."""
    raw, version, floor = yield ("MGET", keys.live, keys.hidden_version, keys.hidden_floor)
    newest = _number(version)
    if newest != state.version:
        from_scratch = newest < state.version or state.version < _number(floor)
        lowest = "-inf" if from_scratch else f"({state.version}"
        try:
            changes = yield ("ZRANGEBYSCORE", keys.hidden, lowest, "+inf")
        except Refused as error:
            # Without its hidden items, a shop still has lists. The next poll asks again.
            if state.hidden_readable:
                remedy = "delete the key and hide the items again"
                message = "event=hidden_unreadable key=%s reason=%.200s; %s"
                warn(log, message, keys.hidden, error, remedy)
            state = replace(state, hidden_readable=False)
        else:
            hidden = changed(NO_ITEMS if from_scratch else state.hidden, changes)
            state = replace(state, hidden=hidden, version=newest, hidden_readable=True)
    if raw == state.raw and state.complete:
        return state
    try:
        pointer = codec.decode_pointer(raw)
    except ValueError as error:
        warn(log, "event=pointer_unreadable shop=%s reason=%.200s", keys.shop, error)
        return replace(state, raw=raw, pointer=None, complete=True)
    state = replace(state, raw=raw, pointer=pointer, complete=True)
    live, complete = yield from _poll_best_sellers(keys, pointer, pointer.live, state.best_sellers)
    canary: BestSellers = {}
    if pointer.canary:
        canary, canary_complete = yield from _poll_best_sellers(
            keys, pointer, pointer.canary, state.canary_best_sellers
        )
        complete = complete and canary_complete
    return replace(state, best_sellers=live, canary_best_sellers=canary, complete=complete)


def _poll_best_sellers(
    keys: Keys, pointer: Pointer, view: View, previous: BestSellers
) -> Generator[Command, Reply, tuple[BestSellers, bool]]:
    """Read the best sellers of a view's placements, and whether every node answered.

    A placement whose list is missing or malformed has none. Where a node did not answer, the
    `previous` list is kept.
    """
    if not view.placements:
        return {}, True
    places = [(name, codec.BEST_SELLERS) for name in view.placements]
    values = yield ("MGET", *list_keys(keys, view, places))
    found: dict[str, LayeredList] = {}
    complete, depth = True, len(view.layers)
    for row, name in enumerate(view.placements):
        layers = values[row * depth : (row + 1) * depth]
        try:
            best = first_layer(pointer.fence, view, layers, codec.BEST_SELLERS)
        except NotRead:
            complete = False
            if name in previous:
                found[name] = previous[name]
            continue
        except ValueError as error:
            warn(log, "event=best_sellers_unreadable shop=%s reason=%.200s", keys.shop, error)
            continue
        if best.stored is not None:
            found[name] = best
    return found, complete


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


def changed(hidden: frozenset[str], changes: Reply) -> frozenset[str]:
    """Apply `+id` and `-id` in order; values that begin otherwise are ignored."""
    now = set(hidden)
    for change in changes:
        text = (change or b"").decode(errors="replace")
        if text.startswith("+"):
            now.add(text[1:])
        elif text.startswith("-"):
            now.discard(text[1:])
    return frozenset(now)


def _number(value: bytes | None) -> int:
    return int(value) if value is not None and value.isdigit() and len(value) < 20 else 0
