"""The answers of a lookup, computed without a network; threads and asyncio share this module.

A reader turns a query into a list request, reads the lists that the request still needs in one
round trip, and lets the core answer from them, or from fallbacks where Redis did not reply.
"""

import logging
import math
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import NamedTuple

from recommender.core import item_id as item_ids
from recommender.core.related import EVIDENCE, RelatedList, Status, unmade
from recommender.errors import ConfigError
from recommender.serving import codec
from recommender.serving.codec import StoredList, View
from recommender.serving.fallbacks import Breaker, CacheKey, ListCache, Snapshot, of_server
from recommender.serving.keys import Keys
from recommender.serving.logs import LookupLog
from recommender.serving.sessions import summed
from recommender.serving.state import (
    MAX_SHOWN,
    NEVER,
    Command,
    LayeredList,
    ListRequest,
    NotRead,
    PolledState,
    Query,
    Reply,
    TooLarge,
    first_layer,
    list_keys,
)

MAX_SEEDS = 100
MAX_AGE_S = 2.0
"""How long a pointer is trusted without a poll that confirms it."""
TOKEN_BYTES = 6
POPULAR = codec.LETTERS[EVIDENCE.index("popular")].encode()
OWN: frozenset[Status] = frozenset({"ok", "stale"})
READ: frozenset[Status] = frozenset({"ok", "unknown_item", "unknown_placement"})

log = logging.getLogger(__name__)


class Selection(NamedTuple):
    """The best source for one item, and its entries that may be shown."""

    source: LayeredList
    status: Status
    shown: StoredList


NO_ENTRIES = StoredList("", b"", b"")
NO_LIST = LayeredList(0, 0, None)


class Core:
    """Answers queries about one shop. Thread-safe; does no input or output but to its snapshot.

    Raises: ConfigError for the shop or for a bound below 0.
    """

    def __init__(self, shop: str, *, cache_items: int, snapshot: Snapshot | None) -> None:
        if cache_items < 0:
            raise ConfigError(f"cache_items {cache_items}: use 0 or more")
        self.keys = Keys(shop)
        self.breaker = Breaker()
        self.state = PolledState(hidden=snapshot.hidden) if snapshot else PolledState()
        self._confirmed_at = -math.inf
        self._snapshot = snapshot
        self._cache = ListCache(cache_items)
        self._log = LookupLog(log, shop)
        self._counting = threading.Lock()
        self._counts: dict[str, int] = defaultdict(int)

    @property
    def fresh(self) -> bool:
        """Whether a poll confirmed the state within `MAX_AGE_S`."""
        return time.monotonic() - self._confirmed_at < MAX_AGE_S

    def confirm(self, state: PolledState, asked_at: float) -> None:
        """Take the result of a poll that began at `asked_at`."""
        self._cache.follow(self.state, state)
        self.state = state
        self._confirmed_at = asked_at
        self.count("polls")
        if state.pointer is None and state.raw is not None:
            other = codec.is_of_other_schema(state.raw)
            self.count("schema_unsupported" if other else "pointer_unreadable")

    def failed(self, event: str, error: BaseException) -> None:
        """Count and log a poll or a read that failed; the server's own may open the breaker."""
        if of_server(error):
            self.breaker.failed()
        self.report(event, error)

    def lost(self) -> None:
        """Read all hidden items at the next poll, which a server that lacks some may answer."""
        self.state = replace(self.state, version=NEVER)

    def report(self, event: str, error: BaseException) -> None:
        """Count and log a failure; a node of a Cluster has a breaker of its own."""
        self.count(event)
        self._log.failure(event, error)

    def request(self, items: Sequence[str], query: Query) -> ListRequest:
        """Request the related lists of `items`, some of which the cache may have."""
        state = self.state
        pointer = state.pointer if self.fresh else None
        if pointer is None:
            return ListRequest(query, state)
        canary = state.uses_canary(query.key)
        view = pointer.canary if canary and pointer.canary else pointer.live
        request = ListRequest(query, state, view, canary)
        if query.placement in view.placements:
            self._take_cached(request, items, pointer.fence)
        else:
            self._log.unknown_placement(query.placement)
        return request

    def command(self, request: ListRequest, view: View) -> Command:
        """The command that reads all lists that a request wants."""
        places = [(request.query.placement, item) for item in request.wanted]
        return ("MGET", *list_keys(self.keys, view, places))

    def take(self, request: ListRequest, view: View, reply: Reply) -> None:
        """Take the reply to `command`; the item of a malformed list counts as not read."""
        self.breaker.succeeded()
        self.count("reads")
        fence = request.state.pointer.fence if request.state.pointer else 0
        depth = len(view.layers)
        placement, canary = request.query.placement, request.canary
        cached: list[tuple[CacheKey, LayeredList]] = []
        for row, item in enumerate(request.wanted):
            try:
                found = first_layer(fence, view, reply[row * depth : (row + 1) * depth], item)
            except NotRead:
                continue
            except TooLarge as error:
                self._cache.set_aside((placement, item, canary), fence)
                self._log.failure("list_too_large", error)
                continue
            except ValueError as error:
                self._log.failure("list_unreadable", error)
                continue
            request.found[item] = found
            cached.append(((placement, item, canary), found))
        self._cache.put_all(cached)

    def answer(self, request: ListRequest, item: str) -> RelatedList:
        """Answer for one item from the best source that is available."""
        answer = self._answer(request, item, request.query.excluded, os.urandom(TOKEN_BYTES).hex())
        self.count(answer.status)
        return answer

    def answers(
        self, request: ListRequest, items: Sequence[str], *, distinct: bool
    ) -> list[RelatedList]:
        """Answer for each item; those after the first `MAX_SEEDS` are degraded and not read."""
        shown: set[str] = set(request.query.excluded)
        excluded = shown if distinct else request.query.excluded
        step = 2 * TOKEN_BYTES
        tokens = os.urandom(TOKEN_BYTES * len(items)).hex()
        answers: list[RelatedList] = []
        for place, item in enumerate(items):
            token = tokens[step * place : step * (place + 1)]
            if place >= MAX_SEEDS:
                answers.append(RelatedList(item, request.query.placement, 0, "degraded", (), token))
                continue
            answers.append(self._answer(request, item, excluded, token))
            if distinct:
                shown.update(answers[-1].ids)
        for status, count in Counter([answer.status for answer in answers]).items():
            self.count(status, count)
        return answers

    def merged(self, request: ListRequest, weights: Mapping[str, float]) -> RelatedList:
        """One answer for all items: the entries of their lists by the weighed sum of scores.

        The query excludes the items. The lowest score applies to the sum; the evidence is that of
        the largest summand. The answer is stale where some item could not be read under the live
        pointer.
        """
        query = request.query
        seeds = list(weights)[:MAX_SEEDS] or [""]
        parts = [
            self._select(request, item, MAX_SHOWN, query.excluded, -math.inf) for item in seeds
        ]
        unread = [part for part in parts if part.status not in READ]
        own = [
            (part, weights[item])
            for item, part in zip(seeds, parts, strict=True)
            if part.status in OWN
        ]
        best = (unread or parts)[0]
        source, status, entries = best.source, best.status, best.shown.items()
        if own:
            newest = max((part.source for part, _ in own), key=lambda source: source.fence)
            now = [(part.shown, by) for part, by in own if part.source.fence == newest.fence]
            source, status, entries = newest, "stale" if unread else "ok", summed(now)
        shown = tuple([entry for entry in entries if not entry.score < query.lowest][: query.n])
        if status == "ok" and any(entry.evidence == "popular" for entry in shown):
            status = "topped_up"
        self.count(status)
        token = os.urandom(TOKEN_BYTES).hex()
        return RelatedList("", query.placement, source.generation, status, shown, token)

    def stats(self) -> Mapping[str, int]:
        """Counters since the start: answers by status, reads, polls, their failures, and so on."""
        with self._counting:
            counts = dict(self._counts)
        breaker = {"breaker_open": int(self.breaker.open), "breaker_opened": self.breaker.opened}
        return counts | breaker | {"cached_items": len(self._cache)}

    def close(self) -> None:
        """Close the snapshot, and trust no pointer from now on."""
        self._confirmed_at = -math.inf
        if self._snapshot:
            self._snapshot.close()

    def _take_cached(self, request: ListRequest, items: Sequence[str], fence: int) -> None:
        placement, canary = request.query.placement, request.canary
        for item in items[:MAX_SEEDS]:
            key = (placement, item, canary)
            cached = self._cache.get(key)
            if cached is not None and cached.fence == fence:
                request.found[item] = cached
            elif not (item_ids.fault(item) or self._cache.too_large.get(key) == fence):
                request.wanted[item] = None
        if request.found:
            self.count("cache_hits", len(request.found))

    def _answer(
        self, request: ListRequest, item: str, excluded: AbstractSet[str], token: str
    ) -> RelatedList:
        query = request.query
        source, status, shown = self._select(request, item, query.n, excluded, query.lowest)
        if status == "ok" and POPULAR in shown.letters:
            status = "topped_up"
        return unmade(item, query.placement, source.generation, status, shown, token)

    def _select(
        self, request: ListRequest, item: str, n: int, excluded: AbstractSet[str], lowest: float
    ) -> Selection:
        found = request.found.get(item)
        status: Status = "ok"
        if found is None or found.stored is None:
            found, status = self._source(request, item)
            if status not in OWN:
                excluded = excluded | {item}
        if found.stored is None:
            return Selection(found, status, NO_ENTRIES)
        shown = found.stored.shown(n, request.state.withheld, excluded, lowest)
        return Selection(found, status, shown)

    def _source(self, request: ListRequest, item: str) -> tuple[LayeredList, Status]:
        """Where the answer comes from when the item's own list was not read."""
        placement = request.query.placement
        if request.view and placement not in request.view.placements:
            return _best_sellers(request), "unknown_placement"
        if item in request.found or item_ids.fault(item):
            return _best_sellers(request), "unknown_item"
        cached = self._cache.get((placement, item, request.canary))
        if cached is not None and cached.stored is not None:
            return cached, "stale"
        saved = self._from_snapshot(placement, item)
        if saved is not None:
            return saved, "stale"
        best = _best_sellers(request)
        if best.stored is None:
            best = self._from_snapshot(placement, codec.BEST_SELLERS) or NO_LIST
        return best, "fallback" if best.stored is not None else "degraded"

    def _from_snapshot(self, placement: str, item: str) -> LayeredList | None:
        try:
            return self._snapshot.list_of(placement, item) if self._snapshot else None
        except Exception as error:
            # The file may have become unreadable in any way since it was opened.
            self._log.failure("snapshot_unreadable", error)
            return None

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        with self._counting:
            self._counts[name] += by


def _best_sellers(request: ListRequest) -> LayeredList:
    """The best sellers of the placement, else of the placement that replaces missing ones."""
    best, view = request.best_sellers, request.view
    found = best.get(request.query.placement) or next(iter(best.values()), None)
    return found or LayeredList(0, view.layers[-1] if view else 0, None)
