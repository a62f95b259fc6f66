"""Search of what is live: loaded off the request path, replaced when another generation is live."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from recommender.errors import RecommenderError
from recommender.insights.search import Filters, Hit, Searcher
from recommender.service.questions import Found, Refusal, SearchQuestion

POLL_S = 1.0
"""How late a new generation or a hidden item is noticed at most, the loading not counted."""
THREADS, MAX_WAITING = 2, 64

_log = logging.getLogger(__name__)

Look = Callable[[], tuple[int, frozenset[str]]]
"""Reads the number of the live generation, and the hidden ids. Raises: RecommenderError."""
Load = Callable[[int], Searcher]
"""Loads the searcher of a generation. Raises: RecommenderError."""


class LiveSearch:
    """Answers from the last generation that could be loaded; 503 until there is one.

    Queries are embedded and scored in threads of their own, at most two at a time.
    """

    def __init__(self, shop: str, look: Look, load: Load, poll_s: float = POLL_S) -> None:
        self._shop, self._look, self._load, self._poll_s = shop, look, load, poll_s
        self._searcher: Searcher | None = None
        self._hidden: frozenset[str] = frozenset()
        self._failed: tuple[int, str] = (0, "the index is being loaded")
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="search")
        self._waiting = 0

    async def run(self) -> None:
        """Follow what is live until cancelled."""
        while True:
            await self._follow()
            await asyncio.sleep(self._poll_s)

    async def find(self, asked: SearchQuestion) -> Found:
        """The hits of a question. Raises: Refusal, 503, where it cannot be answered now."""
        searcher = self._searcher
        if searcher is None:
            raise Refusal(503, f"search: {self._failed[1]}")
        if self._waiting >= MAX_WAITING:
            raise Refusal(503, "search: too many queries are waiting")
        filters = Filters(asked.category, asked.in_stock, asked.price_max, self._hidden)
        loop = asyncio.get_running_loop()
        self._waiting += 1
        try:
            hits = await loop.run_in_executor(
                self._threads, searcher.find, asked.query, asked.n, filters
            )
        finally:
            self._waiting -= 1
        return Found(searcher.generation, tuple(map(_plain, hits)))

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _follow(self) -> None:
        try:
            number, self._hidden = await asyncio.to_thread(self._look)
            have = 0 if self._searcher is None else self._searcher.generation
            if number not in (have, self._failed[0]):
                self._searcher = await asyncio.to_thread(self._load_told, number)
        except RecommenderError as error:
            _log.warning("event=search_not_loaded shop=%s reason=%s", self._shop, error)
            if self._failed[0] == 0:
                self._failed = (0, str(error))

    def _load_told(self, number: int) -> Searcher:
        """Load a generation; one that cannot be loaded is not tried again."""
        try:
            return self._load(number)
        except RecommenderError as error:
            self._failed = (number, str(error))
            raise


def _plain(hit: Hit) -> dict[str, object]:
    return {"id": hit.item, "score": hit.score, "fit": hit.fit, "title": hit.title}
