"""Live changes of items from a Redis stream, applied in batches.

An entry has the field `change`: a change as JSON. It is acknowledged and deleted after it was
applied, so that one that was read by a process that died is applied later, by it or by another.
"""

import json
import logging
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from redis.exceptions import ResponseError

from recommender.errors import StoreUnavailable
from recommender.publishing.item_changes import ItemChanges, Outcome
from recommender.serving.connection import Store, store_errors
from recommender.serving.keys import Keys

GROUP, FIELD = "recommender", b"change"
BATCH = 500
WAIT_MS = 1000
"""How long to wait for entries, and so for a signal to end."""
IDLE_MS = 60_000
"""After this time, entries that another consumer read and did not acknowledge are taken over."""
RETRY_S = 1.0
MAX_LOGGED = 5
"""How many refused entries of a batch are logged one by one."""

Entry = tuple[bytes, Mapping[bytes, bytes]]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Inbox:
    """The stream of changes of one shop, read as one `consumer` of its group.

    Raises: ConfigError for the shop.
    """

    store: Store
    shop: str
    consumer: str

    def follow(self, stop: threading.Event) -> Counter[str]:
        """Apply entries until `stop` is set; how many were applied, ignored and refused.

        A store that cannot be used is tried again.

        Raises: StoreUnavailable where it cannot be used at the start.
        """
        self._begin()
        changes, counts, behind = ItemChanges(self.store, self.shop), Counter[str](), True
        while not stop.is_set():
            try:
                entries = self._entries(behind=behind)
                changes.settle()
                if entries:
                    counts.update(self._apply(changes, entries).counts())
                behind = behind and bool(entries)
            except StoreUnavailable as error:
                log.warning("event=inbox_waits shop=%s reason=%.200s", self.shop, error)
                behind = True
                stop.wait(RETRY_S)
                self._begin_again()
        return counts

    def _begin(self) -> None:
        with self._errors("opening"):
            try:
                self.store.xgroup_create(self._key, GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise

    def _begin_again(self) -> None:
        """Open the group where the store may have lost it."""
        try:
            self._begin()
        except StoreUnavailable as error:
            log.debug("event=inbox_waits shop=%s reason=%.200s", self.shop, error)

    def _entries(self, *, behind: bool) -> list[Entry]:
        """The next entries: those that this consumer read before and did not acknowledge first."""
        with self._errors("reading"):
            if behind:
                return self._read("0")
            return self._taken_over() or self._read(">")

    def _read(self, after: str) -> list[Entry]:
        reply = self.store.xreadgroup(
            GROUP, self.consumer, {self._key: after}, count=BATCH, block=WAIT_MS
        )
        found = cast("list[tuple[bytes, list[Entry]]]", reply or [])
        return [entry for _, entries in found for entry in entries]

    def _taken_over(self) -> list[Entry]:
        reply = self.store.xautoclaim(
            self._key, GROUP, self.consumer, min_idle_time=IDLE_MS, count=BATCH
        )
        return cast("list[Entry]", reply[1])

    def _apply(self, changes: ItemChanges, entries: Sequence[Entry]) -> Outcome:
        """Apply entries, then acknowledge them, the refused ones too."""
        names = [name.decode() for name, _ in entries]
        given = [
            _change(name, fields or {}) for name, (_, fields) in zip(names, entries, strict=True)
        ]
        outcome = changes.update(given)
        for refusal in outcome.refused[:MAX_LOGGED]:
            log.warning(
                "event=inbox_refused shop=%s entry=%s reason=%.300s",
                *(self.shop, names[refusal.place], refusal.reason),
            )
        if len(outcome.refused) > MAX_LOGGED:
            more = len(outcome.refused) - MAX_LOGGED
            log.warning("event=inbox_refused shop=%s more=%d", self.shop, more)
        with self._errors("acknowledging"):
            self.store.xack(self._key, GROUP, *names)
            self.store.xdel(self._key, *names)
        return outcome

    @property
    def _key(self) -> str:
        return Keys(self.shop).inbox

    @contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        what = f"shop {self.shop}: {action} the inbox {self._key} failed"
        with store_errors(what, "see to the server; delete the key if something else wrote it"):
            yield


def _change(name: str, fields: Mapping[bytes, bytes]) -> object:
    """The change of an entry; without a version or a time it has that of the entry."""
    try:
        change = json.loads(fields.get(FIELD, b""))
    except (ValueError, RecursionError):
        change = None
    if not isinstance(change, dict):
        return fields.get(FIELD)
    if "version" not in change and "time" not in change:
        change["time"] = int(name.partition("-")[0])
    return change
