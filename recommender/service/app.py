"""The HTTP service: related lists of several shops as JSON, and search. It only reads."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, Protocol

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from recommender.core.related import RelatedList
from recommender.service import answers, documentation
from recommender.service.api_keys import ApiKeys, digests
from recommender.service.observed import Observed
from recommender.service.questions import (
    MAX_BODY_BYTES,
    Batch,
    Found,
    Refusal,
    SearchQuestion,
    batch_of,
    question_of,
    search_of,
)

MAX_AGE_S = 10
"""How long a cache may show a list unasked; a hidden item may be seen there for as long."""
START_S = 2.0
"""How long a start may wait for Redis. After that, requests are answered without."""


class Lookup(Protocol):
    """What is asked of `recommender.serving.aio.AsyncRelatedItems`."""

    async def get(
        self,
        item_id: str,
        placement: str = ...,
        n: int = ...,
        exclude: Collection[str] = ...,
        *,
        min_score: float = ...,
        key: str = ...,
    ) -> RelatedList:
        """The related list of one item."""
        ...

    async def get_many(  # noqa: PLR0913 - the signature of the lookup
        self,
        item_ids: Sequence[str],
        placement: str = ...,
        n: int = ...,
        exclude: Collection[str] = ...,
        *,
        min_score: float = ...,
        distinct: bool = ...,
        key: str = ...,
    ) -> list[RelatedList]:
        """The related lists of several items, in their order."""
        ...

    async def for_items(
        self,
        item_ids: Sequence[str],
        placement: str = ...,
        n: int = ...,
        exclude: Collection[str] = ...,
        *,
        min_score: float = ...,
        key: str = ...,
    ) -> RelatedList:
        """One list for several items together."""
        ...

    async def wait_ready(self, timeout_s: float = ...) -> bool:
        """Wait until Redis has been read once."""
        ...

    def stats(self) -> Mapping[str, int]:
        """Counters."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


class Search(Protocol):
    """What is asked of `recommender.service.searching.LiveSearch`."""

    async def run(self) -> None:
        """Follow what is live until cancelled."""
        ...

    async def find(self, asked: SearchQuestion) -> Found:
        """The hits of a question. Raises: Refusal."""
        ...

    def close(self) -> None:
        """Let its threads end."""
        ...


def create_app(
    shops: Mapping[str, Lookup],
    api_keys: frozenset[str] = frozenset(),
    searches: Mapping[str, Search] = MappingProxyType({}),
) -> FastAPI:
    """The service for `shops`, which it closes when it ends; with `api_keys`, for their holders.

    Shops that are in `searches` can be searched too.
    Raises: ConfigError for an API key that no header can carry.
    """
    routes = Routes(shops, searches, "private" if api_keys else "public")

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        followers = [asyncio.create_task(search.run()) for search in searches.values()]
        await asyncio.gather(*(lookup.wait_ready(START_S) for lookup in shops.values()))
        yield
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        for search in searches.values():
            search.close()
        for lookup in shops.values():
            await lookup.aclose()

    app = FastAPI(
        title="Related items",
        version="1",
        description=documentation.SERVICE,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.router.route_class = DirectRoute
    for method, path, endpoint, documented in (
        ("GET", "/v1/{shop}/items/{id:path}/related", routes.related, documentation.RELATED),
        ("POST", "/v1/{shop}/related", routes.batch, documentation.BATCH),
        ("GET", "/v1/{shop}/search", routes.search, documentation.SEARCH),
        ("GET", "/healthz", routes.health, documentation.HEALTH),
        ("GET", "/metrics", routes.metrics, documentation.METRICS),
    ):
        app.add_api_route(
            path, endpoint, methods=[method], response_class=Response, openapi_extra=documented
        )
    if api_keys:
        app.add_middleware(ApiKeys, known=digests(api_keys))
    return app


class DirectRoute(APIRoute):
    """A route whose endpoint takes the request as it is: nothing is resolved or validated."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401
        super().__init__(path, endpoint, **options)
        # Without this, an id with a line break in it would be a page that is not found.
        self.path_regex = re.compile(self.path_regex.pattern, re.DOTALL)

    def get_route_handler(self) -> Callable[[Request], Awaitable[Any]]:  # type: ignore[override]
        """The endpoint itself."""
        return self.endpoint


class Routes:
    """The endpoints."""

    def __init__(
        self, shops: Mapping[str, Lookup], searches: Mapping[str, Search], visibility: str
    ) -> None:
        self._shops = shops
        self._searches = searches
        self._observed = Observed(shops)
        self._cache_control = f"{visibility}, max-age={MAX_AGE_S}"

    async def related(self, request: Request) -> Response:
        """The related items of one item."""
        began = time.perf_counter()
        try:
            shop, lookup = self._shop(request)
            asked = question_of(request.scope["query_string"])
        except Refusal as refusal:
            return self._refused(refusal)
        answer = await lookup.get(
            request.path_params["id"],
            asked.placement,
            asked.n,
            asked.exclude,
            min_score=asked.min_score,
            key=asked.key,
        )
        self._observed.answer(shop, answer)
        response = answers.one(
            answer, request.headers.get("if-none-match", ""), self._cache_control
        )
        self._observed.request(time.perf_counter() - began)
        return response

    async def batch(self, request: Request) -> Response:
        """The related items of several items, or of all of them together."""
        began = time.perf_counter()
        try:
            shop, lookup = self._shop(request)
            batch = batch_of(await _body(request))
        except Refusal as refusal:
            return self._refused(refusal)
        lists = await _lists(lookup, batch)
        for answer in lists:
            self._observed.answer(shop, answer)
        response = answers.several(lists)
        self._observed.request(time.perf_counter() - began)
        return response

    async def search(self, request: Request) -> Response:
        """The items that fit a few words."""
        try:
            shop, _ = self._shop(request)
            search = self._search(shop)
            asked = search_of(request.scope["query_string"])
            hits = await search.find(asked)
        except Refusal as refusal:
            return self._refused(refusal)
        return answers.found(asked.query, hits, self._cache_control)

    async def health(self, _request: Request) -> Response:
        """Whether the process answers, and when Redis did."""
        content = json.dumps({"status": "ok", "shops": self._observed.health()})
        return Response(content, media_type=answers.JSON, headers=answers.NO_STORE)

    async def metrics(self, _request: Request) -> Response:
        """Counters in the text format of Prometheus."""
        text = self._observed.text({shop: each.stats() for shop, each in self._shops.items()})
        return Response(text, media_type="text/plain; version=0.0.4", headers=answers.NO_STORE)

    def _shop(self, request: Request) -> tuple[str, Lookup]:
        shop = request.path_params["shop"]
        lookup = self._shops.get(shop)
        if lookup is None:
            raise Refusal(404, f"there is no shop {shop!r:.60}")
        return shop, lookup

    def _search(self, shop: str) -> Search:
        search = self._searches.get(shop)
        if search is None:
            raise Refusal(404, f"shop {shop!r:.60} is not searched: recommender serve --search")
        return search

    def _refused(self, refusal: Refusal) -> Response:
        self._observed.refusal(refusal.status)
        return answers.refusal(refusal.status, str(refusal))


async def _lists(lookup: Lookup, batch: Batch) -> list[RelatedList]:
    asked = batch.question
    if batch.merged:
        merged = await lookup.for_items(
            batch.items,
            asked.placement,
            asked.n,
            asked.exclude,
            min_score=asked.min_score,
            key=asked.key,
        )
        return [merged]
    return await lookup.get_many(
        batch.items,
        asked.placement,
        asked.n,
        asked.exclude,
        min_score=asked.min_score,
        distinct=batch.distinct,
        key=asked.key,
    )


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise Refusal(413, f"body: larger than {MAX_BODY_BYTES} bytes")
    except ClientDisconnect as error:
        raise Refusal(400, "body: cut off") from error
    return bytes(body)
