"""Sessions: what a visitor did, as weights of the items whose lists are summed up."""

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from recommender.core.related import RelatedItem
from recommender.serving.codec import StoredList
from recommender.serving.storefront import Storefront

PURCHASE = "purchase"


class Event(NamedTuple):
    """What a visitor did with an item: its kind, such as view, and its age in seconds."""

    item: str
    kind: str = "view"
    age: float | None = None


Given = (
    str
    | Event
    | tuple[str]
    | tuple[str, str]
    | tuple[str, str, float | None]
    | Mapping[str, object]
)
"""An item id, or an event, also as a tuple or a mapping of its fields."""


class Session(NamedTuple):
    """Events, the youngest first, or plain items, the most recent first.

    Each moment weighs `decay` times as much as the one after it. Events of one age are one moment;
    without ages, each further item is a moment.
    """

    events: tuple[Event, ...]
    plain: bool
    decay: float | None

    @property
    def items(self) -> list[str]:
        """The items, each once."""
        return list(dict.fromkeys(event.item for event in self.events))

    def weights(self, storefront: Storefront) -> dict[str, float]:
        """What the list of each item weighs: the most that one of its events does.

        A kind that the storefront does not name weighs 1. Items that weigh nothing are left out.
        """
        decay = self.decay
        if decay is None:
            decay = 1.0 if self.plain else storefront.decay
        kinds = {} if self.plain else storefront.kinds
        weights: dict[str, float] = {}
        back, age = -1, math.nan
        for event in self.events:
            if event.item not in weights if event.age is None else event.age != age:
                back, age = back + 1, event.age if event.age is not None else math.nan
            weight = kinds.get(event.kind, 1.0) * decay**back
            weights[event.item] = max(weights.get(event.item, 0.0), weight)
        return {item: weight for item, weight in weights.items() if weight > 0}

    def left_out(self, storefront: Storefront) -> frozenset[str]:
        """The items that are not shown: all of the session.

        Where the storefront shows what was bought again, those that were only bought are shown.
        """
        items = frozenset(event.item for event in self.events)
        if self.plain or storefront.leave_out_bought:
            return items
        return frozenset(event.item for event in self.events if event.kind != PURCHASE)


def checked_session(given: Collection[Given], decay: float | None) -> Session:
    """The session of what a caller gave: ids, or events in any order. Raises: TypeError.

    Without ages, the first is the most recent; where some have an age, those without one are new.
    """
    if isinstance(given, str | Mapping) or not isinstance(given, Collection):
        raise TypeError(f"item_ids: a collection of item ids or events, not {type(given).__name__}")
    if all(isinstance(one, str) for one in given):
        return Session(tuple([Event(str(one)) for one in given]), plain=True, decay=decay)
    events = [_event(one) for one in given]
    if any(event.age is not None for event in events):
        aged = [event._replace(age=max(event.age or 0.0, 0.0)) for event in events]
        events = sorted(aged, key=lambda event: event.age or 0.0)
    return Session(tuple(events), plain=False, decay=decay)


def _event(given: object) -> Event:
    match given:
        case str():
            event = Event(given)
        case Mapping() if "item" in given and given.keys() <= set(Event._fields):
            event = Event(**given)
        case tuple() if 1 <= len(given) <= len(Event._fields):
            event = Event(*given)
        case _:
            raise TypeError(
                f"event {given!r:.60}: give an item id, or a tuple or mapping of item, kind, age"
            )
    age = event.age
    if not (isinstance(event.item, str) and isinstance(event.kind, str)):
        raise TypeError(f"event {given!r:.60}: item and kind are texts")
    if age is not None and (
        isinstance(age, bool) or not isinstance(age, int | float) or not math.isfinite(age)
    ):
        raise TypeError(f"event {given!r:.60}: age is a number of seconds")
    return event


def summed(parts: Sequence[tuple[StoredList, float]]) -> tuple[RelatedItem, ...]:
    """Entries of all lists, each item once, by its weighed sum of scores; ties as they come.

    The evidence is that of the largest score.
    """
    largest: dict[str, RelatedItem] = {}
    totals: dict[str, float] = defaultdict(float)
    for shown, weight in parts:
        for entry in shown.items():
            totals[entry.id] += weight * entry.score
            best = largest.get(entry.id, entry)
            largest[entry.id] = entry if entry.score > best.score else best
    ranked = sorted(totals.items(), key=lambda one: -one[1])
    return tuple([largest[item]._replace(score=total) for item, total in ranked])
