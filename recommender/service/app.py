"""The HTTP service: related lists of several shops as JSON, and search. It only reads.

Endpoints take the request as it is and validate it by one pydantic model. In one run of
`benchmarks.http_load`, a list read from Redis reached .70 of the requests per second of an empty
FastAPI route, and a cached list 1.03. A list read from Redis reached .39 where FastAPI resolved the
parameters, and .34 where a model made the answer too.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from recommender.core.related import RelatedList
from recommender.service import models
from recommender.service.limits import Room
from recommender.service.metrics import ServiceMetrics
from recommender.service.middleware import ApiKeys, HeadAsGet, key_digests
from recommender.service.models import BatchRequest, RelatedQuery, RequestRefused, SearchRequest
from recommender.service.responses import JSON, NO_STORE, error_response, json_response
from recommender.serving.aio import AsyncRelatedItems

if TYPE_CHECKING:  # it imports what only a service with search needs
    from recommender.service.live_search import LiveSearch

CACHEABLE = frozenset({"ok", "topped_up"})
"""Lists of any other status are wrong as soon as Redis can be read, or the item is published."""
MAX_AGE_S = 10
"""How long a cache may answer alone; for as long it may show an item that was hidden."""
MAX_BODY_BYTES = 1 << 20
START_S = 2.0
"""How long a start may wait for Redis. After that, requests are answered without."""
ABOUT = (
    "Related items of a shop's items. A request is always answered by a list where the shop is "
    "known; `status` says where the list came from. A page logs `token` with what it showed and "
    "what was clicked. Where the service has API keys, the header X-API-Key carries one."
)


def create_app(
    shops: Mapping[str, AsyncRelatedItems],
    api_keys: frozenset[str] = frozenset(),
    searches: Mapping[str, "LiveSearch"] = MappingProxyType({}),
) -> FastAPI:
    """The service for `shops`, which it closes when it ends; with `api_keys`, for their holders.

    Shops that are in `searches` can be searched too.
    Raises: ConfigError for an API key that no header can carry.
    """

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
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.router.route_class = DirectRoute
    endpoints = Endpoints(shops, searches, "private" if api_keys else "public")
    _add_routes(app, endpoints)
    app.add_exception_handler(RequestRefused, endpoints.refused)
    if api_keys:
        app.add_middleware(ApiKeys, digests=key_digests(api_keys))
    app.add_middleware(HeadAsGet)
    return app


class Endpoints:
    """The endpoints of the service."""

    def __init__(
        self,
        shops: Mapping[str, AsyncRelatedItems],
        searches: Mapping[str, "LiveSearch"],
        visibility: str,
    ) -> None:
        self._shops = shops
        self._searches = searches
        self._metrics = ServiceMetrics({shop: lookup.stats for shop, lookup in shops.items()})
        self._room = Room()
        self._cacheable = {"cache-control": f"{visibility}, max-age={MAX_AGE_S}"}

    async def related(self, request: Request) -> Response:
        """The related items of one item, best first."""
        began = time.perf_counter()
        shop, lookup = self._shop(request)
        asked = models.parse_query(RelatedQuery, request.scope["query_string"])
        with self._room.place():
            answer = await lookup.get(request.path_params["id"], **vars(asked))
        self._metrics.count_list(shop, answer)
        response = self._list(answer, request.headers.get("if-none-match", ""))
        self._metrics.seconds.observe(time.perf_counter() - began)
        return response

    async def batch(self, request: Request) -> Response:
        """The related items of several items, or of all of them together."""
        began = time.perf_counter()
        shop, lookup = self._shop(request)
        batch = models.parse_batch(await _body(request))
        asked = batch.model_dump(include=set(RelatedQuery.model_fields))
        with self._room.place():
            if batch.merged:
                answers = [await lookup.for_items(batch.items, **asked)]
            else:
                answers = await lookup.get_many(batch.items, distinct=batch.distinct, **asked)
        for answer in answers:
            self._metrics.count_list(shop, answer)
        lists = [models.with_token(models.without_token(answer), answer) for answer in answers]
        response = json_response(f'{{"lists":[{",".join(lists)}]}}')
        self._metrics.seconds.observe(time.perf_counter() - began)
        return response

    async def search(self, request: Request) -> Response:
        """The items that fit a few words, best first."""
        shop, _ = self._shop(request)
        search = self._searches.get(shop)
        if search is None:
            raise RequestRefused(404, f"shop {shop!r:.60} has no search; use serve --search")
        asked = models.parse_query(SearchRequest, request.scope["query_string"])
        with self._room.place():
            answer = await search.find(asked)
        return json_response(json.dumps(answer.model_dump()), headers=self._cacheable)

    async def health(self, _request: Request) -> Response:
        """Whether the process answers, and how long ago Redis did."""
        answer = models.HealthAnswer(status="ok", shops=self._metrics.health())
        return json_response(answer.model_dump_json())

    async def ready(self, _request: Request) -> Response:
        """Whether requests can be answered from Redis: 503 where some shop's cannot."""
        shops = {shop: lookup.ready() for shop, lookup in self._shops.items()}
        ready = all(shops.values())
        answer = models.ReadyAnswer(status="ready" if ready else "not ready", shops=shops)
        return json_response(answer.model_dump_json(), status=200 if ready else 503)

    async def metrics(self, _request: Request) -> Response:
        """The metrics of this process in the text format of Prometheus."""
        headers = NO_STORE | {"content-type": CONTENT_TYPE_PLAIN_0_0_4}
        return Response(self._metrics.exposition(), headers=headers)

    async def refused(self, _request: Request, error: Exception) -> Response:
        """The answer to a request that raised RequestRefused."""
        status = error.status if isinstance(error, RequestRefused) else 500
        self._metrics.refusals.labels(status).inc()
        return error_response(status, str(error))

    def _list(self, answer: RelatedList, known_etags: str) -> Response:
        """One list; 304 without it where `known_etags`, an If-None-Match header, names it."""
        content = models.without_token(answer)
        if answer.status not in CACHEABLE:
            return json_response(models.with_token(content, answer))
        tag = models.etag(answer.generation, content)
        headers = {"etag": tag, **self._cacheable}
        if known_etags and (tag[2:] in known_etags or known_etags.strip() == "*"):
            return Response(status_code=304, headers=headers)
        return json_response(models.with_token(content, answer), headers=headers)

    def _shop(self, request: Request) -> tuple[str, AsyncRelatedItems]:
        shop = request.path_params["shop"]
        lookup = self._shops.get(shop)
        if lookup is None:
            raise RequestRefused(404, f"there is no shop {shop!r:.60}")
        return shop, lookup


class DirectRoute(APIRoute):
    """A route whose endpoint takes the request as it is."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401
        super().__init__(path, endpoint, **options)
        # Without this, an id with a line break in it would be a page that is not found.
        self.path_regex = re.compile(self.path_regex.pattern, re.DOTALL)

    def get_route_handler(self) -> Callable[[Request], Awaitable[Any]]:  # type: ignore[override]
        """The endpoint itself."""
        return self.endpoint


def _add_routes(app: FastAPI, endpoints: Endpoints) -> None:
    """Add all routes with their documentation, which FastAPI serves at /openapi.json."""
    shop = _parameter("path", "shop")
    item = [shop, _parameter("path", "id"), *_query_parameters(RelatedQuery)]
    body = {"required": True, "content": {JSON: {"schema": BatchRequest.model_json_schema()}}}
    unchanged = {"description": "The list is still the one that If-None-Match names"}
    text = {"text/plain": {"schema": {"type": "string"}}}
    app.get(
        "/v1/{shop}/items/{id:path}/related",
        responses=_responses(models.RelatedAnswer, 400, 401, 404, 503) | {304: unchanged},
        openapi_extra={"parameters": [*item, _parameter("header", "If-None-Match")]},
    )(endpoints.related)
    app.post(
        "/v1/{shop}/related",
        responses=_responses(models.BatchAnswer, 400, 401, 404, 413, 503),
        openapi_extra={"parameters": [shop], "requestBody": body},
    )(endpoints.batch)
    app.get(
        "/v1/{shop}/search",
        responses=_responses(models.SearchAnswer, 400, 401, 404, 503),
        openapi_extra={"parameters": [shop, *_query_parameters(SearchRequest)]},
    )(endpoints.search)
    app.get("/healthz", responses=_responses(models.HealthAnswer))(endpoints.health)
    ready = {"model": models.ReadyAnswer, "description": "Not ready"}
    app.get("/readyz", responses=_responses(models.ReadyAnswer) | {503: ready})(endpoints.ready)
    metrics = _responses(None, 401) | {200: {"content": text}}
    app.get("/metrics", responses=metrics)(endpoints.metrics)


def _responses(model: type[BaseModel] | None, *errors: int) -> dict[int | str, dict[str, Any]]:
    responses: dict[int | str, dict[str, Any]] = {200: {"model": model}}
    for status in errors:
        phrase = HTTPStatus(status).phrase
        responses[status] = {"model": models.ErrorAnswer, "description": phrase}
    return responses


def _query_parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    schema = model.model_json_schema()
    required = schema.get("required", ())
    return [
        _parameter("query", name, field) | {"required": name in required}
        for name, field in schema["properties"].items()
    ]


def _parameter(where: str, name: str, schema: Any = None) -> dict[str, Any]:  # noqa: ANN401
    schema = schema or {"type": "string"}
    return {"in": where, "name": name, "required": where == "path", "schema": schema}


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise RequestRefused(413, f"body: larger than {MAX_BODY_BYTES} bytes")
    except ClientDisconnect as error:
        raise RequestRefused(400, "body: cut off") from error
    return bytes(body)
