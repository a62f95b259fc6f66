"""What is live in one shop, loaded outside of requests and replaced when that changes."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from recommender.artifacts.store import ArtifactStore
from recommender.console.answers import Answers
from recommender.console.loaded import (
    LoadedGeneration,
    load_lists,
    with_explainers,
    with_meaning,
)
from recommender.errors import DataError, RecommenderError
from recommender.live.live_state import readable_state
from recommender.publishing.embedded import save
from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher
from recommender.serving.codec import Pointer
from recommender.serving.connection import Store, open_store
from recommender.settings.model import Settings
from recommender.settings.tables import EMBEDDED

POLL_S = 1.0
"""How often to look for another generation and for hidden items."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the last poll saw: the pointer, hidden and unavailable items, and what is loaded.

    `fault` says why the store or the artifacts cannot be read, "" if they can; `search_fault` why
    the search knows words alone, `why_fault` why nothing can be explained.
    """

    pointer: Pointer | None = None
    hidden: frozenset[str] = frozenset()
    unavailable: frozenset[str] = frozenset()
    loaded: LoadedGeneration | None = None
    fault: str = ""
    search_fault: str = ""
    why_fault: str = ""


@dataclass
class LiveShop:
    """One shop of the console. A thread follows what is live from the first question on.

    `url` is that of its store.
    """

    settings: Settings
    url: str
    poll_s: float = POLL_S
    artifacts: ArtifactStore = field(init=False)
    answers: Answers = field(default_factory=Answers, init=False)
    _seen: Seen = field(default_factory=Seen, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _end: threading.Event = field(default_factory=threading.Event, init=False)

    def __post_init__(self) -> None:
        self.artifacts = self.settings.artifact_store()

    @property
    def name(self) -> str:
        """The name of the shop."""
        return self.settings.shop

    def seen(self) -> Seen:
        """What the last poll saw. Starts to follow the shop when it is first asked."""
        if self._thread is None:
            self._start()
        return self._seen

    def wait(self, ready: Callable[[Seen], bool], timeout_s: float) -> bool:
        """Wait until the shop is as asked for, or for `timeout_s`; whether it is."""
        deadline = threading.Event()
        for _ in range(max(1, round(timeout_s / 0.02))):
            if ready(self.seen()):
                return True
            deadline.wait(0.02)
        return False

    @contextmanager
    def connection(self) -> Iterator[Store]:
        """A connection to the store. Raises: StoreUnavailable."""
        with open_store(self.url) as store:
            yield store

    @contextmanager
    def publisher(self) -> Iterator[Publisher]:
        """A publisher of the shop. Raises: StoreUnavailable."""
        with self.connection() as store:
            yield Publisher(store, self.name, lease_s=self.settings.store.lease_s)

    def save(self, store: Store) -> None:
        """Save an embedded store to disk after a change."""
        if self.settings.store.url == EMBEDDED:
            save(store)

    def close(self) -> None:
        """End the threads."""
        self._end.set()
        self.answers.close()
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._follow, name=f"console-{self.name}", daemon=True
                )
                self._thread.start()

    def _follow(self) -> None:
        while not self._end.is_set():
            try:
                self._poll()
            except RecommenderError as error:
                if str(error) != self._seen.fault:
                    _log.warning("event=console_poll_failed shop=%s reason=%s", self.name, error)
                self._seen = replace(self._seen, fault=str(error))
            self._end.wait(self.poll_s)

    def _poll(self) -> None:
        with self.publisher() as shop:
            hidden = Hidden(shop.store, self.name)
            pointer = shop.stored.live()
            if pointer is None:
                raise DataError(f"nothing is published for shop {self.name} yet")
            signs = frozenset(hidden.hidden()), frozenset(hidden.unavailable())
            known = self._seen.pointer
            self._seen = replace(self._seen, hidden=signs[0], unavailable=signs[1])
            if known == pointer:
                return
            live = readable_state(self.artifacts, shop)
        loaded = load_lists(live)
        self._seen = Seen(pointer, *signs, loaded)
        self._load_more(loaded)

    def _load_more(self, loaded: LoadedGeneration) -> None:
        """Load the text model for the search, then what explains the lists."""
        try:
            loaded = with_meaning(loaded, self.settings.text_api.text_api())
            self._seen = replace(self._seen, loaded=loaded)
        except RecommenderError as error:
            self._seen = replace(self._seen, search_fault=str(error))
        try:
            loaded = with_explainers(loaded, self.settings)
            self._seen = replace(self._seen, loaded=loaded)
        except RecommenderError as error:
            self._seen = replace(self._seen, why_fault=str(error))


Shops = Mapping[str, LiveShop]
