"""The lookup for asyncio: the answers of `lookup`, with a task in place of its thread."""

import asyncio
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Unpack

from recommender.core.related import RelatedList
from recommender.serving.bundles import Bundle
from recommender.serving.fields_query import FieldsOptions
from recommender.serving.lookup_settings import LookupSettings
from recommender.serving.network import Loop
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


class AsyncRelatedItems:
    """`RelatedItems` for asyncio; its arguments and its answers are the same.

    It polls in a task of the loop that calls it, from the first call on; another loop, or a forked
    child, gets a new reader. A cancelled call closes its connection.
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
        self._polling = PollingTask(self._settings)

    async def get(
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
        """`RelatedItems.get`."""
        query = checked_query(placement, n, exclude, fields, min_score=min_score, key=key)
        item, reader = checked_item(item_id), self._reader()
        request = await reader.request((item,), query)
        answer = reader.core.answer(request, item)
        if query.fields is None and not request.state.explores:
            return answer
        return reader.recent(answer, request) or await reader.single(answer, request)

    async def get_many(  # noqa: PLR0913
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
        """`RelatedItems.get_many`."""
        query = checked_query(placement, n, exclude, fields, min_score=min_score, key=key)
        items, reader = checked_items(item_ids), self._reader()
        request = await reader.request(items, query)
        reads = query.fields is not None
        answers = reader.core.answers(request, items, distinct=distinct and not reads)
        if not (reads or request.state.explores):
            return answers
        return await reader.finished([(one, request) for one in answers], distinct=distinct)

    async def for_items(  # noqa: PLR0913 - all but one have defaults
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
        """`RelatedItems.for_items`."""
        query = checked_query(placement, n, exclude, fields, min_score=min_score, key=key)
        session = checked_session(item_ids, checked_decay(decay))
        return await self._reader().session(session, query)

    async def page(
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
        """`RelatedItems.page`."""
        item, reader = checked_item(item_id), self._reader()
        queries = [
            checked_query(one, n, exclude, fields, min_score=min_score, key=key)
            for one in checked_placements(placements)
        ]
        return await reader.page(item, queries)

    async def bundle(  # noqa: PLR0913 - all but one have defaults
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
        """`RelatedItems.bundle`."""
        query = checked_bundle_query(placement, exclude, key, store, language)
        item = checked_item(item_id)
        return await self._reader().bundle(item, query, checked_companions(n))

    async def wait_ready(self, timeout_s: float = 5.0) -> bool:
        """`RelatedItems.wait_ready`, for the loop that calls it."""
        return await self._reader().wait_ready(timeout_s)

    def ready(self) -> bool:
        """Whether Redis was read within the last two seconds, and a generation is live there."""
        core = self._reader().core
        return core.fresh and core.state.pointer is not None

    def stats(self) -> Mapping[str, int]:
        """`RelatedItems.stats`, of the loop that called last."""
        return self._polling.reader.stats()

    async def aclose(self) -> None:
        """End the task and its connections; later calls are answered without Redis."""
        await self._polling.aclose()

    def _reader(self) -> Reader:
        if not self._polling.belongs_to(asyncio.get_running_loop()):
            self._polling = PollingTask(self._settings)
        self._polling.start()
        return self._polling.reader


class PollingTask:
    """The reader of one event loop, and the task that polls for it."""

    def __init__(self, settings: LookupSettings) -> None:
        self.reader = Reader(settings, Loop(), self.start)
        self._pid = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def belongs_to(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether this reader is the loop's, or no loop's yet."""
        return self._pid == os.getpid() and (self._loop is None or self._loop is loop)

    def start(self) -> None:
        """Begin to poll, also after somebody cancelled the task."""
        if not self._closed and (self._task is None or self._task.done()):
            self._loop = asyncio.get_running_loop()
            self._task = self._loop.create_task(self.reader.run(), name="recommender-lookup")

    async def aclose(self) -> None:
        """End the task and close the connections."""
        self._closed = True
        self.reader.stop()
        if self._task is not None and not self._task.done():
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self.reader.core.close()
