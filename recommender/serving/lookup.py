"""The lookup of a storefront: related items from Redis, and never an exception on a bad day."""

import os
import threading
import weakref
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Unpack

from recommender.core.related import RelatedList
from recommender.serving.bundles import Bundle
from recommender.serving.connection import POLL_TIMEOUT_S
from recommender.serving.fields_query import FieldsOptions
from recommender.serving.lookup_settings import LookupSettings
from recommender.serving.network import Threads, completed
from recommender.serving.queries import (
    checked_bundle_query,
    checked_companions,
    checked_decay,
    checked_item,
    checked_items,
    checked_placements,
    checked_query,
)
from recommender.serving.reader import Reader
from recommender.serving.sessions import Given, checked_session

INHERITED: list["PollingReader"] = []
"""The readers of parent processes: a forked child must not close their connections."""


class RelatedItems:
    """The related lists of one shop. Thread-safe, and safe to use on both sides of a fork.

    A background thread keeps connections, pointer and hidden items ready, so that a call costs one
    round trip and ends `deadline_s` after it began. After a failure it answers from its
    `cache_items` newest lists, then from the `snapshot` file, then with best sellers; a status
    says which. The `key` of a call, such as a session id, decides whether a canary is read.

    Raises: ConfigError for a malformed setting. Calls raise TypeError for arguments of a wrong
    type, and nothing else.
    """

    def __init__(
        self,
        url: str,
        shop: str,
        *,
        deadline_s: float = 0.05,
        cache_items: int = 10_000,
        snapshot: str | Path | None = None,
        client_name: str = "recommender-lookup",
    ) -> None:
        self._settings = LookupSettings(url, shop, deadline_s, cache_items, snapshot, client_name)
        self._readers: dict[int, PollingReader] = {}
        self._closed = False
        self._reader()

    def get(
        self,
        item_id: str,
        placement: str = "related",
        n: int = 12,
        exclude: Collection[str] = (),
        *,
        min_score: float = 0.0,
        key: str = "",
        **fields: Unpack[FieldsOptions],
    ) -> RelatedList:
        """At most n related items of one item, best first, without those to `exclude`.

        `records=True` shows the fields of each; `where` and `boost` filter and weigh by them.
        """
        query = checked_query(placement, n, exclude, fields, min_score=min_score, key=key)
        item, reader = checked_item(item_id), self._reader()
        request = completed(reader.request((item,), query))
        answer = reader.core.answer(request, item)
        if query.fields is None and not request.state.explores:
            return answer
        return reader.recent(answer, request) or completed(reader.single(answer, request))

    def get_many(  # noqa: PLR0913
        self,
        item_ids: Collection[str],
        placement: str = "related",
        n: int = 12,
        exclude: Collection[str] = (),
        *,
        min_score: float = 0.0,
        distinct: bool = False,
        key: str = "",
        **fields: Unpack[FieldsOptions],
    ) -> list[RelatedList]:
        """`get` for each item, in one round trip; with `distinct` no item is in two of the lists.

        Items after the first 100 are answered degraded, without items.
        """
        query = checked_query(placement, n, exclude, fields, min_score=min_score, key=key)
        items, reader = checked_items(item_ids), self._reader()
        request = completed(reader.request(items, query))
        reads = query.fields is not None
        answers = reader.core.answers(request, items, distinct=distinct and not reads)
        if not (reads or request.state.explores):
            return answers
        return completed(reader.finished([(one, request) for one in answers], distinct=distinct))

    def for_items(  # noqa: PLR0913 - all but one have defaults
        self,
        item_ids: Collection[Given],
        placement: str = "related",
        n: int = 12,
        exclude: Collection[str] = (),
        *,
        min_score: float = 0.0,
        key: str = "",
        decay: float | None = None,
        **fields: Unpack[FieldsOptions],
    ) -> RelatedList:
        """One list for a basket or a session: entries by the sum of scores, without its items.

        Items are ids or events (`Event`, or a tuple or mapping of item, kind and age in seconds).
        With `decay` d, each item counts d times as much as the one before, most recent first; the
        default is 1 for ids, and for events that of the shop, whose kinds also have weights. The
        list's own item is "". Items after the 100 most recent are ignored.
        """
        query = checked_query(placement, n, exclude, fields, min_score=min_score, key=key)
        session = checked_session(item_ids, checked_decay(decay))
        return completed(self._reader().session(session, query))

    def page(
        self,
        item_id: str,
        placements: Collection[str],
        n: int = 12,
        exclude: Collection[str] = (),
        *,
        min_score: float = 0.0,
        key: str = "",
        **fields: Unpack[FieldsOptions],
    ) -> list[RelatedList]:
        """The lists of one item in several placements, for a product page, in one round trip.

        Each has the `heading` that the shop's settings give its placement. No item is in two of the
        lists: the first placement that has it shows it. Placements after the first 20 are not
        answered.
        """
        item, reader = checked_item(item_id), self._reader()
        queries = [
            checked_query(one, n, exclude, fields, min_score=min_score, key=key)
            for one in checked_placements(placements)
        ]
        return completed(reader.page(item, queries))

    def bundle(  # noqa: PLR0913 - all but one have defaults
        self,
        item_id: str,
        n: int = 3,
        exclude: Collection[str] = (),
        *,
        placement: str = "",
        key: str = "",
        store: str = "",
        language: str = "",
    ) -> Bundle:
        """The item with two or three that are bought with it and with each other, and their price.

        Any two score enough by the shop's terms, all are in stock (of the `store`), and have prices
        of one currency. `n` is the most companions. An answer without items says why. The default
        placement is that of the shop's bundles, `bought_together`.
        """
        query = checked_bundle_query(placement, exclude, key, store, language)
        item = checked_item(item_id)
        return completed(self._reader().bundle(item, query, checked_companions(n)))

    def wait_ready(self, timeout_s: float = 5.0) -> bool:
        """Wait at the start of a process, outside requests, until Redis has been read once.

        Without it, calls in the first milliseconds may be answered degraded, because connecting
        can take longer than their deadline. Returns False where Redis could not be read within
        `timeout_s`; the lookup keeps trying, and can be called all the same.
        """
        return completed(self._reader().wait_ready(timeout_s))

    def stats(self) -> Mapping[str, int]:
        """Counters of this process: answers by status, cache hits, reads, the breaker's state."""
        return self._reader().stats()

    def close(self) -> None:
        """End the thread and its connections; later calls are answered without Redis."""
        self._closed = True
        self._polling_reader().close()

    def _reader(self) -> Reader:
        return self._polling_reader().reader

    def _polling_reader(self) -> "PollingReader":
        return self._readers.get(os.getpid()) or self._new_reader()

    def _new_reader(self) -> "PollingReader":
        INHERITED.extend(self._readers.values())
        new = PollingReader(self._settings)
        # The first of several threads wins; the readers of the others were never started.
        winner = self._readers.setdefault(os.getpid(), new)
        if winner is new:
            weakref.finalize(self, new.stop).atexit = False
            if self._closed:
                new.stop()
            new.start()
        return winner


class PollingReader:
    """The reader of one process, and the thread that polls for it."""

    def __init__(self, settings: LookupSettings) -> None:
        self.reader = Reader(settings, Threads(), self.start)
        self._pid = os.getpid()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def start(self) -> None:
        """Begin to poll, also where the thread ended by itself.

        Where the system refuses a thread, calls are answered without Redis until it allows one.
        """
        with self._starting, suppress(RuntimeError):
            if self._stopped or (self._thread is not None and self._thread.is_alive()):
                return
            thread = threading.Thread(target=self._run, name="recommender-lookup", daemon=True)
            thread.start()
            self._thread = thread

    def stop(self) -> None:
        """Let the thread end soon, without waiting for it; a forked child does nothing."""
        self._stopped = True
        if os.getpid() == self._pid:
            self.reader.stop()

    def close(self) -> None:
        """Stop, and wait for the thread as long as a poll may take."""
        self.stop()
        if self._thread is not None:
            self._thread.join(POLL_TIMEOUT_S)
        self.reader.core.close()

    def _run(self) -> None:
        completed(self.reader.run())
