"""Search of the live generation: loaded outside of requests, replaced when another goes live."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from recommender.errors import DataError, RecommenderError
from recommender.insights.search import Filters, Searcher, searcher_of
from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher
from recommender.service.answers import FoundItem, SearchAnswer
from recommender.service.models import RequestRefused, SearchRequest
from recommender.serving.connection import open_store
from recommender.settings.model import Settings

POLL_S = 1.0
"""How often to look for a new generation and for hidden items."""
THREADS, MAX_WAITING = 2, 64

_log = logging.getLogger(__name__)

ReadLive = Callable[[], tuple[int, frozenset[str]]]
"""Reads the number of the live generation and the hidden ids. Raises: RecommenderError."""
LoadSearcher = Callable[[int], Searcher]
"""Loads the searcher of a generation. Raises: RecommenderError."""


class LiveSearch:
    """Answers from the last generation that could be loaded; 503 until there is one.

    Queries are embedded and scored in two threads.
    """

    def __init__(
        self,
        shop: str,
        read_live: ReadLive,
        load: LoadSearcher,
        poll_s: float = POLL_S,
        release: Callable[[], object] = lambda: None,
    ) -> None:
        self._shop, self._read_live, self._load, self._poll_s = shop, read_live, load, poll_s
        self._searcher: Searcher | None = None
        self._hidden: frozenset[str] = frozenset()
        self._failed: tuple[int, str] = (0, "the index is being loaded")
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="search")
        self._waiting = 0
        self._release = release

    async def run(self) -> None:
        """Follow the live generation until cancelled."""
        while True:
            await self._follow()
            await asyncio.sleep(self._poll_s)

    async def find(self, request: SearchRequest) -> SearchAnswer:
        """Search. Raises: RequestRefused with status 503 where that is not possible now."""
        searcher = self._searcher
        if searcher is None:
            raise RequestRefused(503, f"search: {self._failed[1]}")
        if self._waiting >= MAX_WAITING:
            raise RequestRefused(503, "search: too many queries are waiting")
        filters = Filters(request.category, request.in_stock, request.price_max, self._hidden)
        loop = asyncio.get_running_loop()
        self._waiting += 1
        try:
            hits = await loop.run_in_executor(
                self._threads, searcher.find, request.q, request.n, filters
            )
        finally:
            self._waiting -= 1
        items = [
            FoundItem(id=hit.item, score=hit.score, fit=hit.fit, title=hit.title) for hit in hits
        ]
        return SearchAnswer(query=request.q, generation=searcher.generation, items=items)

    def close(self) -> None:
        """End the threads, and release what they read from."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._release()

    async def _follow(self) -> None:
        try:
            number, self._hidden = await asyncio.to_thread(self._read_live)
            loaded = 0 if self._searcher is None else self._searcher.generation
            if number not in (loaded, self._failed[0]):
                self._searcher = await asyncio.to_thread(self._load_once, number)
        except RecommenderError as error:
            _log.warning("event=search_not_loaded shop=%s reason=%s", self._shop, error)
            if self._failed[0] == 0:
                self._failed = (0, str(error))

    def _load_once(self, number: int) -> Searcher:
        """Load a generation; one that cannot be loaded is not tried again."""
        try:
            return self._load(number)
        except RecommenderError as error:
            self._failed = (number, str(error))
            raise


def live_search(settings: Settings, url: str) -> LiveSearch:
    """A search that follows the live generation of a shop, whose store is at `url`.

    Raises: StoreUnavailable.
    """
    artifacts, api = settings.artifact_store(), settings.text_api.text_api()
    store = open_store(url)

    def read_live() -> tuple[int, frozenset[str]]:
        live = Publisher(store, settings.shop).live()
        if live is None:
            raise DataError(f"nothing is published for shop {settings.shop} yet")
        return live.id, frozenset(Hidden(store, settings.shop).hidden())

    def load(number: int) -> Searcher:
        return searcher_of(artifacts, number, api)

    return LiveSearch(settings.shop, read_live, load, release=store.close)
