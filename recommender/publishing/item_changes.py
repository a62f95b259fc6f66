"""Live changes of items: price, stock, availability and attributes between builds.

A change lies over the record of an item (`Keys.change`). An item that becomes unavailable is
withheld from all answers, in the set that `Hidden` keeps.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, cast

from recommender.errors import DataError, StoreUnavailable
from recommender.publishing.change_fields import (
    Change,
    checked_change,
    encode_change,
    is_available,
    laid_over,
    next_bound,
    readable_change,
)
from recommender.publishing.folded_changes import FoldedItem, still_live
from recommender.publishing.hidden import Hidden
from recommender.publishing.scripts import REPLACE, Scripts
from recommender.publishing.servers import StoredLists, server_of
from recommender.serving.connection import Store, store_errors
from recommender.serving.keys import Keys, unescaped
from recommender.serving.records import decode_change

BATCH = 500
ROUNDS = 100
"""How often a change is tried while others change the same items."""
TRIM_S = 3600.0
"""How often traces are trimmed, which takes a look at all of them."""

Stored = Mapping[str, Any]
"""All changes of one item, as they are stored."""


class Refusal(NamedTuple):
    """A change that was refused: its place in the call, its id as far as it has one, and why."""

    place: int
    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many changes altered something, how many were older or known, and which were refused."""

    applied: int = 0
    ignored: int = 0
    refused: tuple[Refusal, ...] = ()

    def counts(self) -> dict[str, int]:
        """How many of each there are."""
        refused = len(self.refused)
        return {"applied": self.applied, "ignored": self.ignored, "refused": refused}

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(
            self.applied + other.applied,
            self.ignored + other.ignored,
            self.refused + other.refused,
        )


class ItemChanges:
    """The live changes of one shop's items. Thread-safe; works at full memory from version 7 on.

    Raises: ConfigError for the shop; all its actions raise StoreUnavailable. A call that fails
    halfway can be repeated.
    """

    def __init__(self, store: Store, shop: str) -> None:
        self._store, self._keys = store, Keys(shop)
        self._hidden, self._stored = Hidden(store, shop), StoredLists(store)
        self._trimmed_at = -TRIM_S

    def update(self, changes: Iterable[object]) -> Outcome:
        """Apply changes: mappings with an `id`, perhaps a `version` or a `time`, and fields.

        A change without either has the time of the server. What is wrong with one does not stop
        the others.
        """
        self.settle()
        outcome, begun, given = Outcome(), 0, iter(changes)
        while batch := list(islice(given, BATCH)):
            outcome += self._update(begun, batch)
            begun += len(batch)
        return outcome

    def stored(self, ids: Sequence[str]) -> dict[str, Stored]:
        """The changes of items, empty for one that has none or something malformed."""
        with self._errors("reading"):
            return {item: _decoded(raw) for item, raw in self._read(ids).items()}

    def all(self) -> dict[str, Stored]:
        """The changes of all items that have some. Goes through all keys."""
        found: dict[str, Stored] = {}
        prefix = len(self._keys.change(""))
        with self._errors("reading"):
            for keys in self._stored.matching(self._keys.change("*"), BATCH):
                ids = [unescaped(key.decode()[prefix:]) for key in keys]
                found |= {item: _decoded(raw) for item, raw in self._read(ids).items()}
        return {item: stored for item, stored in found.items() if stored}

    def leave(self, folded: Mapping[str, FoldedItem]) -> int:
        """Remove the fields that a build has; of how many items. What changed since stays."""
        left, given = 0, iter(folded)
        while batch := list(islice(given, BATCH)):
            now_s, after = self._now_ms() / 1000, dict[str, Stored]()
            values: dict[str, tuple[bytes, bytes]] = {}
            with self._errors("changing"):
                for item, raw in self._read(batch).items():
                    before = _decoded(raw)
                    after[item] = still_live(before, folded[item], now_s)
                    if raw and after[item] != before:
                        encoded = encode_change(after[item]) if after[item] else b""
                        values[self._keys.change(item)] = raw, encoded
                script = Scripts.on(self._store).prefix + REPLACE
                replaced = self._stored.replace(script, values) if values else set()
            left += len(replaced)
            self._mark({i: one for i, one in after.items() if self._keys.change(i) in replaced})
        return left

    def clear(self, ids: Iterable[str]) -> int:
        """Remove all changes of items, which are available again; how many had some."""
        cleared, given = 0, iter(dict.fromkeys(ids))
        while batch := list(islice(given, BATCH)):
            with self._errors("clearing"):
                cleared += sum(map(bool, self._read(batch).values()))
                self._stored.unlink([self._keys.change(item) for item in batch])
            self._mark({item: {} for item in batch})
        return cleared

    def clear_all(self) -> int:
        """Remove the changes of all items; how many had some. Goes through all keys."""
        cleared = 0
        with self._errors("clearing"):
            for keys in self._stored.matching(self._keys.change("*"), BATCH):
                cleared += len(keys)
                self._stored.unlink(keys)
        self._mark({item: {} for item in self._hidden.unavailable()})
        return cleared

    def settle(self) -> None:
        """Mark the items whose times of availability began or ended since the last call."""
        due = self._keys.due
        while True:
            now_ms = self._now_ms()
            with self._errors("reading"):
                found = cast(
                    "list[tuple[bytes, float]]",
                    self._store.zrangebyscore(due, 0, now_ms / 1000, 0, BATCH, withscores=True),
                )
            if not found:
                return
            known = self.stored([item.decode() for item, _ in found])
            self._mark(known)
            self._plan(known, now_ms)
            with self._errors("changing"):
                self._store.zremrangebyscore(due, 0, found[-1][1])

    def _update(self, begun: int, batch: Sequence[object]) -> Outcome:
        now_ms = self._now_ms()
        waiting: dict[str, list[tuple[int, Change]]] = {}
        refused: list[Refusal] = []
        for place, given in enumerate(batch, begun):
            try:
                change = checked_change(given, now_ms)
            except DataError as error:
                item = given.get("id", "") if isinstance(given, Mapping) else ""
                refused.append(Refusal(place, str(item)[:128], str(error)))
            else:
                waiting.setdefault(change.id, []).append((place, change))
        outcome, known = Outcome(refused=tuple(refused)), dict[str, Stored]()
        for _ in range(ROUNDS):
            if not waiting:
                break
            done, made = self._round(waiting)
            outcome += made
            known |= done
            waiting = {item: changes for item, changes in waiting.items() if item not in done}
        self._mark(known)
        self._plan(known, now_ms)
        if waiting:
            raise StoreUnavailable(
                f"shop {self._keys.shop}: item {min(waiting)!r:.80} is changed by others all the "
                "time; apply these changes again"
            )
        return outcome

    def _round(
        self, waiting: Mapping[str, Sequence[tuple[int, Change]]]
    ) -> tuple[dict[str, Stored], Outcome]:
        """Try to apply the changes of each item; what is stored now, where nobody was faster."""
        after: dict[str, Stored] = {}
        outcomes: dict[str, Outcome] = {}
        values: dict[str, tuple[bytes, bytes]] = {}
        with self._errors("changing"):
            for item, raw in self._read(list(waiting)).items():
                before = _decoded(raw)
                after[item], outcomes[item] = _applied(before, waiting[item])
                if after[item] != before:
                    values[self._keys.change(item)] = raw or b"", encode_change(after[item])
            script = Scripts.on(self._store).prefix + REPLACE
            replaced = self._stored.replace(script, values) if values else set()
        for item in list(after):
            key = self._keys.change(item)
            if key in values and key not in replaced:
                del after[item], outcomes[item]
        return after, sum(outcomes.values(), Outcome())

    def _mark(self, known: Mapping[str, Stored]) -> None:
        """Mark items as available or not, as their changes say.

        Others may change the same items meanwhile. So what was marked is read again, and marked
        again where it says something else by now: whoever marks last has read after that.
        """
        appeared = False
        while known:
            now_s = self._now_ms() / 1000
            marked: dict[str, bool] = {}
            for available in (False, True):
                ids = [item for item in known if is_available(known[item], now_s) is available]
                marked |= dict.fromkeys(self._hidden.mark(ids, available=available), available)
            appeared = appeared or True in marked.values()
            known = {
                item: stored
                for item, stored in self.stored(list(marked)).items()
                if is_available(stored, now_s) is not marked[item]
            }
        if appeared and time.monotonic() - self._trimmed_at > TRIM_S:
            self._trimmed_at = time.monotonic()
            self._hidden.trim()

    def _plan(self, known: Mapping[str, Stored], now_ms: int) -> None:
        """Note when the availability of items will begin or end next."""
        bounds = {item: next_bound(stored, now_ms / 1000) for item, stored in known.items()}
        planned = {item: bound for item, bound in bounds.items() if bound is not None}
        if planned:
            with self._errors("changing"):
                self._store.zadd(self._keys.due, planned)

    def _read(self, ids: Sequence[str]) -> dict[str, bytes | None]:
        if not ids:
            return {}
        values = self._stored.read([self._keys.change(item) for item in ids])
        return dict(zip(ids, values, strict=True))

    def _now_ms(self) -> int:
        with self._errors("reading the time"):
            seconds, microseconds = server_of(self._store, self._keys.hidden).time()
        return seconds * 1000 + microseconds // 1000

    @contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        what = f"shop {self._keys.shop}: {action} the changes of items failed"
        with store_errors(what, "see to the server and apply them again"):
            yield


def _applied(before: Stored, changes: Sequence[tuple[int, Change]]) -> tuple[Stored, Outcome]:
    """The changes of one item one after another."""
    stored, outcome = before, Outcome()
    for place, change in changes:
        try:
            after = laid_over(stored, change)
        except DataError as error:
            outcome += Outcome(refused=(Refusal(place, change.id, str(error)),))
            continue
        outcome += Outcome(applied=1) if after != stored else Outcome(ignored=1)
        stored = after
    return stored, outcome


def _decoded(raw: bytes | None) -> Stored:
    """What is stored; what something else wrote counts as nothing."""
    if raw is None:
        return {}
    try:
        stored = decode_change(raw)
    except (ValueError, RecursionError):
        return {}
    return stored if readable_change(stored) else {}
