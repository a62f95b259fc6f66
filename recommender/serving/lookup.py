"""What a storefront calls: related items from Redis, and never an exception on a bad day."""

import logging
import math
import os
import random
import re
import threading
import time
import weakref
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from recommender.core.related import RelatedList
from recommender.errors import ConfigError, StoreUnavailable
from recommender.serving.cluster.shards import Shards
from recommender.serving.connection import POLL_TIMEOUT_S, cluster_url
from recommender.serving.core import Core, Kept, Question
from recommender.serving.keys import Keys
from recommender.serving.polled_state import Known, poll
from recommender.serving.query import Wish, checked_item, checked_items, checked_wish
from recommender.serving.transport import Wire, Wires

POLL_INTERVAL_S = 0.5
PROBE_INTERVAL_S = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Setup:
    """How lookups of one shop read. Raises: ConfigError for a malformed value."""

    url: str
    shop: str
    deadline_s: float
    cache_items: int
    snapshot: Path | None
    client_name: str

    def __post_init__(self) -> None:
        if not (self.deadline_s > 0 and math.isfinite(self.deadline_s)):
            raise ConfigError(f"lookup deadline {self.deadline_s!r} s: use a number above 0")
        if not re.fullmatch(r"[!-~]+", self.client_name):
            raise ConfigError(f"client name {self.client_name!r:.60}: use ASCII without spaces")

    def core(self) -> Core:
        """Make a core that knows nothing yet but its snapshot. Raises: ConfigError."""
        return Core(self.shop, cache_items=self.cache_items, kept=self._kept())

    def _kept(self) -> Kept | None:
        if self.snapshot is None:
            return None
        from recommender.serving.snapshot import Snapshot

        try:
            return Snapshot(self.snapshot, Keys(self.shop))
        except Exception as error:
            # A shop that starts without its spare wheel still drives.
            log.warning("event=snapshot_unreadable shop=%s reason=%.200s", self.shop, error)
            return None


def next_poll_s(core: Core) -> float:
    """How long to rest before the next poll, which probes while the breaker is open."""
    return PROBE_INTERVAL_S * random.uniform(0.8, 1.2) if core.breaker.open else POLL_INTERVAL_S


class RelatedItems:
    """The related lists of one shop. Thread-safe, and safe to use on both sides of a fork.

    A thread of its own keeps connections, pointer and hidden items at hand, so that a question
    costs one round trip and ends `deadline_s` after it began. After a failure it answers from its
    `cache_items` newest lists, then from the `snapshot` file, then with best sellers; a status
    says which. Where `get` and the like are given a `key`, such as a session's, it decides
    whether a canary is read.

    Raises: ConfigError for a malformed setting. Questions raise TypeError for arguments of a
    wrong type, and nothing else.
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
        self._setup = Setup(
            url, shop, deadline_s, cache_items, Path(snapshot) if snapshot else None, client_name
        )
        self._readers: dict[int, _Reader] = {}
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
    ) -> RelatedList:
        """At most n related items of one item, best first, without those to `exclude`."""
        wish = checked_wish(placement, n, exclude, min_score=min_score, key=key)
        item = checked_item(item_id)
        reader = self._reader()
        return reader.core.answer(reader.ask((item,), wish), item)

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
    ) -> list[RelatedList]:
        """`get` for each item, in one round trip; with `distinct` no item is in two of the lists.

        Items behind the first 100 are answered degraded, without items.
        """
        wish = checked_wish(placement, n, exclude, min_score=min_score, key=key)
        items = checked_items(item_ids)
        reader = self._reader()
        return reader.core.answers(reader.ask(items, wish), items, distinct=distinct)

    def for_items(
        self,
        item_ids: Collection[str],
        placement: str = "related",
        n: int = 12,
        exclude: Collection[str] = (),
        *,
        min_score: float = 0.0,
        key: str = "",
    ) -> RelatedList:
        """One list for a basket: entries of the items' lists by summed score, without the items.

        The list's own item is "". Items behind the first 100 count for nothing.
        """
        wish = checked_wish(placement, n, exclude, min_score=min_score, key=key)
        items = checked_items(item_ids)
        reader = self._reader()
        return reader.core.merged(reader.ask(items, wish), items)

    def wait_ready(self, timeout_s: float = 5.0) -> bool:
        """Wait at a process's start, off the request path, until Redis has been read once.

        Without it, questions in the first milliseconds may be answered degraded: connecting can
        take longer than their deadline. False where Redis could not be read within `timeout_s`;
        the lookup goes on trying, and may be asked all the same.
        """
        return self._reader().wait_ready(time.monotonic() + timeout_s)

    def stats(self) -> Mapping[str, int]:
        """Counters of this process: answers by status, cache hits, reads, the breaker's state."""
        return self._reader().stats()

    def close(self) -> None:
        """End the thread and its connections; later questions get what is at hand without Redis."""
        self._closed = True
        self._reader().close()

    def _reader(self) -> "_Reader":
        reader = self._readers.get(os.getpid())
        return reader or self._new_reader()

    def _new_reader(self) -> "_Reader":
        reader = _Reader(self._setup)
        # The first of several threads wins; the others' readers were never started.
        kept = self._readers.setdefault(os.getpid(), reader)
        if kept is reader:
            weakref.finalize(self, reader.stop).atexit = False
            if self._closed:
                reader.stop()
            reader.start()
        return kept


class _Reader:
    """The core, the connections and the polling thread of one process."""

    def __init__(self, setup: Setup) -> None:
        self.core = setup.core()
        self._deadline_s = setup.deadline_s
        self._wires = _wires(setup, self.core)
        self._control: Wire | None = None
        self._pid = os.getpid()
        self._stopped = False
        self._polled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recommender-lookup", daemon=True)

    def start(self) -> None:
        """Begin to poll. Where the system gives no thread, questions get what is at hand."""
        with suppress(RuntimeError):
            self._thread.start()

    def stop(self) -> None:
        """Let the thread end soon, without waiting for it; a forked child leaves it alone."""
        if os.getpid() == self._pid:
            self._stopped = True
            self._wires.close()
            self._wires.wanted.set()

    def close(self) -> None:
        """Stop, and wait for the thread as long as a poll may take."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join(POLL_TIMEOUT_S)
        self.core.close()

    def wait_ready(self, until: float) -> bool:
        """Wait for polls, which come at their own pace, until one has read Redis."""
        while not self._stopped:
            polled = self._polled
            if self.core.fresh:
                return True
            if not polled.wait(until - time.monotonic()):
                return False
        return False

    def ask(self, items: Sequence[str], wish: Wish) -> Question:
        """Read what the cache does not know of `items`, before the deadline."""
        until = time.monotonic() + self._deadline_s
        core = self.core
        if not core.fresh and self._reading:
            self._await_poll(until)
        question = core.question(items, wish)
        view = question.view
        if question.wanted and view is not None and self._reading:
            try:
                core.take(question, view, self._wires.call(core.command(question, view), until))
            except Exception as error:
                # What can fail between here and a list is no closed set, and none of it may
                # take a product page down.
                core.failed("read_failures", error)
        return question

    def stats(self) -> Mapping[str, int]:
        """The counters of the core, and those of the connections."""
        return {**self.core.stats(), **self._wires.counts()}

    @property
    def _reading(self) -> bool:
        return not (self._stopped or self.core.breaker.open)

    def _await_poll(self, until: float) -> None:
        polled = self._polled
        if self.core.fresh:
            return
        self._wires.wanted.set()
        if not polled.wait(until - time.monotonic()):
            self.core.failed("read_failures", StoreUnavailable("no poll before the deadline"))

    def _run(self) -> None:
        while not self._stopped:
            self._poll()
            self._rest(time.monotonic() + next_poll_s(self.core))
        self._hang_up()

    def _rest(self, until: float) -> None:
        """Connect for requests that wait until the next poll is due or somebody waits for it."""
        wanted = self._wires.wanted
        while not self._stopped and wanted.wait(until - time.monotonic()):
            wanted.clear()
            if self.core.breaker.open:
                continue
            if not self.core.fresh:
                return
            try:
                self._wires.top_up()
            except Exception as error:
                self.core.failed("poll_failures", error)
                return

    def _poll(self) -> None:
        try:
            self._wires.sweep()
            self._control = self._control or self._wires.connected()
            asked_at = time.monotonic()
            known, took_s = self._read(self._control)
            self._wires.top_up()
        except Exception as error:
            self._hang_up()
            self.core.failed("poll_failures", error)
        else:
            self.core.learn(known, asked_at)
            if self.core.breaker.open and took_s <= self._deadline_s:
                self.core.breaker.close()
        finally:
            polled, self._polled = self._polled, threading.Event()
            polled.set()

    def _read(self, wire: Wire) -> tuple[Known, float]:
        """What is known then, and the seconds that the first reply took."""
        polling = poll(self.core.keys, self.core.known)
        command = next(polling)
        asked_at, took_s = time.monotonic(), 0.0
        while True:
            reply = self._wires.reply(wire, command, time.monotonic() + POLL_TIMEOUT_S)
            took_s = took_s or time.monotonic() - asked_at
            try:
                command = polling.send(reply)
            except StopIteration as done:
                return done.value, took_s

    def _hang_up(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None


def _wires(setup: Setup, core: Core) -> Wires | Shards:
    """The connections to the server, or to the Cluster, that the url names."""
    cluster = cluster_url(setup.url)
    if cluster is None:
        return Wires(setup.url, timeout_s=POLL_TIMEOUT_S, client_name=setup.client_name)
    return Shards(
        cluster,
        core.keys.live,
        deadline_s=setup.deadline_s,
        client_name=setup.client_name,
        lost=core.lost,
    )
