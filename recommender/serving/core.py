"""What a lookup answers, without a network: threads and asyncio share it.

A shell turns a wish into a question, reads in one round trip what the question wants, and lets
the core answer: from what came, or from what is at hand where nothing did.
"""

import logging
import math
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from recommender.core import item_id as item_ids
from recommender.core.related import EVIDENCE, RelatedItem, RelatedList, Status, unmade
from recommender.errors import ConfigError
from recommender.serving import codec
from recommender.serving.breaker import Breaker, Complaints
from recommender.serving.cache import Found, ListCache, Place
from recommender.serving.codec import StoredList, View
from recommender.serving.keys import Keys
from recommender.serving.polled_state import (
    BestSellers,
    Command,
    Known,
    NotRead,
    Reply,
    first_found,
    list_keys,
)
from recommender.serving.query import MAX_SHOWN, NOBODY, Wish

MAX_SEEDS = 100
MAX_AGE_S = 2.0
"""How long a pointer is believed that no poll confirmed."""
NAMED_PLACEMENTS = 100
"""Unknown placements that are logged, each once."""
TOKEN_BYTES = 6
POPULAR = codec.LETTERS[EVIDENCE.index("popular")].encode()
NO_ENTRIES = StoredList("", b"", b"")
OWN: frozenset[Status] = frozenset({"ok", "stale"})
READ: frozenset[Status] = frozenset({"ok", "unknown_item", "unknown_placement"})

log = logging.getLogger(__name__)

Source = tuple[Found, Status]


class Kept(Protocol):
    """Lists that were put aside for the day on which Redis cannot be read."""

    hidden: frozenset[str]

    def found(self, placement: str, item: str) -> Found | None:
        """The list of an item, None where there is none."""

    def close(self) -> None:
        """Let go of the lists."""


class Part(NamedTuple):
    """What one item's best source has to show."""

    found: Found
    status: Status
    shown: StoredList


NOTHING = Part(Found(0, 0, None), "degraded", NO_ENTRIES)


@dataclass(slots=True)
class Question:
    """What is asked under one pointer, and what is found of it so far.

    `view` is None where no pointer is confirmed; `wanted` are the items to read, each once.
    """

    wish: Wish
    known: Known
    view: View | None = None
    trial: bool = False
    found: dict[str, Found] = field(default_factory=dict)
    wanted: dict[str, None] = field(default_factory=dict)

    @property
    def best(self) -> BestSellers:
        """The best sellers by placement, those of the last readable pointer where none is live."""
        return self.known.trial_best if self.trial else self.known.best


class Core:
    """Answers questions about one shop. Thread-safe; waits for nothing but the lists put aside.

    Raises: ConfigError for the shop or for a bound below 0.
    """

    def __init__(self, shop: str, *, cache_items: int, kept: Kept | None) -> None:
        if cache_items < 0:
            raise ConfigError(f"cache_items {cache_items}: use 0 or more")
        self.keys = Keys(shop)
        self.breaker = Breaker()
        self.known = Known(hidden=kept.hidden if kept else NOBODY)
        self._confirmed_at = -math.inf
        self._kept = kept
        self._cache = ListCache(cache_items)
        self._complaints = Complaints(log, shop)
        self._counting = threading.Lock()
        self._counts: dict[str, int] = defaultdict(int)
        self._named: set[str] = set()

    @property
    def fresh(self) -> bool:
        """Whether a poll confirmed what is known within `MAX_AGE_S`."""
        return time.monotonic() - self._confirmed_at < MAX_AGE_S

    def learn(self, known: Known, asked_at: float) -> None:
        """Take what a poll returned that began at `asked_at`."""
        self.known = known
        self._confirmed_at = asked_at
        self._count("polls")
        if known.pointer is None and known.raw is not None:
            other = codec.is_of_other_schema(known.raw)
            self._count("schema_unsupported" if other else "pointer_unreadable")

    def failed(self, event: str, error: BaseException) -> None:
        """Take that a poll or a read failed."""
        self.breaker.failed()
        self.lost(event, error)

    def lost(self, event: str, error: BaseException) -> None:
        """Take that one node of a Cluster failed, which is no reason to spare the others."""
        self._count(event)
        self._complaints.add(event, error)

    def question(self, items: Sequence[str], wish: Wish) -> Question:
        """Ask for the related lists of `items`, some of which the cache may know."""
        known = self.known
        pointer = known.pointer if self.fresh else None
        if pointer is None:
            return Question(wish, known)
        trial = known.falls_to_canary(wish.key)
        view = pointer.canary if trial and pointer.canary else pointer.live
        question = Question(wish, known, view, trial)
        if wish.placement in view.placements:
            self._recall(question, items, pointer.fence)
        else:
            self._name(wish.placement)
        return question

    def command(self, question: Question, view: View) -> Command:
        """The command that reads all that a question wants."""
        places = [(question.wish.placement, item) for item in question.wanted]
        return ("MGET", *list_keys(self.keys, view, places))

    def take(self, question: Question, view: View, reply: Reply) -> None:
        """Take the reply to `command`; a malformed list leaves its item as if it were not read."""
        self.breaker.succeeded()
        self._count("reads")
        fence = question.known.pointer.fence if question.known.pointer else 0
        depth = len(view.layers)
        placement, trial = question.wish.placement, question.trial
        placed: list[tuple[Place, Found]] = []
        for row, item in enumerate(question.wanted):
            try:
                found = first_found(fence, view, reply[row * depth : (row + 1) * depth], item)
            except NotRead:
                continue
            except ValueError as error:
                self._complaints.add("list_unreadable", error)
                continue
            question.found[item] = found
            placed.append(((placement, item, trial), found))
        self._cache.put_all(placed)

    def answer(self, question: Question, item: str) -> RelatedList:
        """Answer for one item from the best source that there is."""
        token = os.urandom(TOKEN_BYTES).hex()
        told = self._told(question, item, question.wish.excluded, token)
        self._count(told.status)
        return told

    def answers(
        self, question: Question, items: Sequence[str], *, distinct: bool
    ) -> list[RelatedList]:
        """Answer for each item; those behind the first `MAX_SEEDS` are degraded, and not asked."""
        shown: set[str] = set(question.wish.excluded)
        excluded = shown if distinct else question.wish.excluded
        step = 2 * TOKEN_BYTES
        tokens = os.urandom(TOKEN_BYTES * len(items)).hex()
        told: list[RelatedList] = []
        for item in items[:MAX_SEEDS]:
            token = tokens[step * len(told) : step * (len(told) + 1)]
            told.append(self._told(question, item, excluded, token))
            if distinct:
                shown.update(told[-1].ids)
        for item in items[MAX_SEEDS:]:
            token = tokens[step * len(told) : step * (len(told) + 1)]
            told.append(RelatedList(item, question.wish.placement, 0, "degraded", (), token))
        for status, count in Counter([answer.status for answer in told]).items():
            self._count(status, count)
        return told

    def merged(self, question: Question, items: Sequence[str]) -> RelatedList:
        """One answer for all items: the entries of their lists by summed score, without them.

        The lowest score holds for the sum; the evidence is that of the largest summand. Where
        not every item could be read under the live pointer, the answer is stale.
        """
        wish = question.wish
        asked = list(dict.fromkeys(items))[:MAX_SEEDS] or [""]
        excluded = wish.excluded | set(items)
        parts = [self._part(question, item, MAX_SHOWN, excluded, -math.inf) for item in asked]
        unread = [part for part in parts if part.status not in READ]
        own = [part for part in parts if part.status in OWN]
        best = (unread or parts)[0]
        found, status, entries = best.found, best.status, best.shown.items()
        if own:
            newest = max(part.found.fence for part in own)
            own = [part for part in own if part.found.fence == newest]
            found, status, entries = own[0].found, "stale" if unread else "ok", _summed(own)
        shown = tuple([entry for entry in entries if not entry.score < wish.lowest][: wish.n])
        if status == "ok" and any(entry.evidence == "popular" for entry in shown):
            status = "topped_up"
        self._count(status)
        token = os.urandom(TOKEN_BYTES).hex()
        return RelatedList("", wish.placement, found.generation, status, shown, token)

    def stats(self) -> Mapping[str, int]:
        """Counters since the start: answers by status, reads, polls, their failures, and so on."""
        with self._counting:
            counts = dict(self._counts)
        return counts | {
            "breaker_open": int(self.breaker.open),
            "breaker_opened": self.breaker.opened,
            "cached_items": len(self._cache),
        }

    def close(self) -> None:
        """Close what was put aside; nothing is confirmed from now on."""
        self._confirmed_at = -math.inf
        if self._kept:
            self._kept.close()

    def _recall(self, question: Question, items: Sequence[str], fence: int) -> None:
        placement, trial = question.wish.placement, question.trial
        for item in items[:MAX_SEEDS]:
            cached = self._cache.get((placement, item, trial))
            if cached is not None and cached.fence == fence:
                question.found[item] = cached
            elif not item_ids.fault(item):
                question.wanted[item] = None
        if question.found:
            self._count("cache_hits", len(question.found))

    def _told(
        self, question: Question, item: str, excluded: AbstractSet[str], token: str
    ) -> RelatedList:
        wish = question.wish
        found, status, shown = self._part(question, item, wish.n, excluded, wish.lowest)
        if status == "ok" and POPULAR in shown.letters:
            status = "topped_up"
        return unmade(item, wish.placement, found.generation, status, shown, token)

    def _part(
        self, question: Question, item: str, n: int, excluded: AbstractSet[str], lowest: float
    ) -> Part:
        hidden = question.known.hidden
        found = question.found.get(item)
        status: Status = "ok"
        if found is None or found.stored is None:
            found, status = self._source(question, item)
            if status not in OWN:
                excluded = excluded | {item}
        if found.stored is None:
            return Part(found, status, NO_ENTRIES)
        return Part(found, status, drawn(found.stored, n, hidden, excluded, lowest))

    def _source(self, question: Question, item: str) -> Source:
        """Where the answer comes from when the item's own list was not read."""
        placement = question.wish.placement
        if question.view and placement not in question.view.placements:
            return _best(question, question.view), "unknown_placement"
        if item in question.found or item_ids.fault(item):
            return _best(question, question.view), "unknown_item"
        return self._substitute(question, item)

    def _substitute(self, question: Question, item: str) -> Source:
        placement = question.wish.placement
        cached = self._cache.get((placement, item, question.trial))
        if cached is not None and cached.stored is not None:
            return cached, "stale"
        kept = self._put_aside(placement, item)
        if kept is not None:
            return kept, "stale"
        best = question.best
        fallback = best.get(placement) or next(iter(best.values()), None)
        fallback = fallback or self._put_aside(placement, codec.BEST_SELLERS)
        return (fallback, "fallback") if fallback is not None else (NOTHING.found, NOTHING.status)

    def _put_aside(self, placement: str, item: str) -> Found | None:
        try:
            return self._kept.found(placement, item) if self._kept else None
        except Exception as error:
            # The file may have become unreadable in any way since it was opened.
            self._complaints.add("snapshot_unreadable", error)
            return None

    def _name(self, placement: str) -> None:
        if placement not in self._named and len(self._named) < NAMED_PLACEMENTS:
            self._named.add(placement)
            log.warning(
                "event=unknown_placement shop=%s placement=%.60r", self.keys.shop, placement
            )

    def _count(self, name: str, by: int = 1) -> None:
        with self._counting:
            self._counts[name] += by


def _best(question: Question, view: View | None) -> Found:
    best = question.best
    found = best.get(question.wish.placement) or next(iter(best.values()), None)
    return found or Found(0, view.layers[-1] if view else 0, None)


def drawn(
    stored: StoredList,
    n: int,
    hidden: AbstractSet[str],
    excluded: AbstractSet[str],
    lowest: float,
) -> StoredList:
    """The first n entries that may be shown."""
    shown = stored.leading(n)
    if lowest <= 0:
        if not (hidden or excluded):
            return shown
        ids = shown.ids
        if hidden.isdisjoint(ids) and (not excluded or excluded.isdisjoint(ids)):
            return shown
    dropped = {item for item in stored.ids if item in hidden or item in excluded}
    return stored.first(n, dropped, lowest)


def _summed(parts: Sequence[Part]) -> tuple[RelatedItem, ...]:
    """Entries of all parts, each item once, by the sum of its scores; ties as they first came."""
    largest: dict[str, RelatedItem] = {}
    totals: dict[str, float] = defaultdict(float)
    for part in parts:
        for entry in part.shown.items():
            totals[entry.id] += entry.score
            known = largest.get(entry.id)
            if known is None or entry.score > known.score:
                largest[entry.id] = entry
    ranked = sorted(totals, key=lambda item: -totals[item])
    return tuple([largest[item]._replace(score=totals[item]) for item in ranked])
