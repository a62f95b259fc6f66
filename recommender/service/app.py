"""The HTTP service: related lists of several shops as JSON, search, and changes of items.

Endpoints take the request as it is and validate it by one pydantic model. In one run of
`benchmarks.http_load`, a list read from Redis reached .70 of the requests per second of an empty
FastAPI route, and a cached list 1.03. A list read from Redis reached .39 where FastAPI resolved the
parameters, and .34 where a model made the answer too.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from recommender.core.related import RelatedList
from recommender.service import answers, item_updates, models
from recommender.service.docs_page import add_docs_page
from recommender.service.item_updates import UpdateItems
from recommender.service.keys import ApiKey, KeyRing
from recommender.service.limits import DEFAULTS, Room
from recommender.service.metrics import ServiceMetrics
from recommender.service.middleware import AccessLog, ApiKeys, HeadAsGet
from recommender.service.models import (
    BundleQuery,
    PageQuery,
    RelatedQuery,
    RequestRefused,
    SearchRequest,
)
from recommender.service.rates import RateLimit
from recommender.service.responses import (
    NO_STORE,
    bundle_json,
    error_response,
    etag,
    in_language,
    json_response,
    with_token,
    without_token,
)
from recommender.service.routes import DirectRoute, Service, add_routes
from recommender.serving.aio import AsyncRelatedItems
from recommender.serving.sessions import Event
from recommender.settings.service import ServiceSettings

if TYPE_CHECKING:  # it imports what only a service with search needs
    from recommender.service.live_search import LiveSearch

CACHEABLE = frozenset({"ok", "topped_up"})
"""Lists of any other status are wrong as soon as Redis can be read, or the item is published."""
MAX_AGE_S = 10
"""How long a cache may answer alone; for as long it may show an item that was hidden."""
START_S = 2.0
"""How long a start may wait for Redis. After that, requests are answered without."""
ABOUT = (
    "Related items of a shop's items. A request is always answered by a list where the shop is "
    "known; `status` says where the list came from. A page logs `token` with what it showed and "
    "what was clicked. Where the service has API keys, the header X-API-Key carries one."
)


def create_app(
    shops: Mapping[str, AsyncRelatedItems],
    api_keys: Iterable[ApiKey] = (),
    searches: Mapping[str, "LiveSearch"] = MappingProxyType({}),
    settings: ServiceSettings = DEFAULTS,
    updates: Mapping[str, UpdateItems] = MappingProxyType({}),
) -> FastAPI:
    """The service for `shops`, which it closes when it ends; with `api_keys`, for their holders.

    Shops that are in `searches` can be searched too, and those in `updates` take changes of items
    from holders of API keys.
    Raises: ConfigError if two API keys have one name.
    """
    keys = KeyRing(api_keys)

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

    app = Service(
        title="Related items",
        version="1",
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.router.route_class = DirectRoute
    endpoints = Endpoints(shops, searches, updates, settings, "private" if keys else "public")
    add_routes(app, endpoints)
    add_docs_page(app)
    app.add_exception_handler(RequestRefused, endpoints.refused)
    if keys:
        rate = RateLimit(settings.requests_per_s, settings.requests_per_s)
        wrong = RateLimit(settings.wrong_keys_per_minute / 60, settings.wrong_keys_per_minute)
        app.add_middleware(ApiKeys, keys=keys, rate=rate, wrong=wrong)
    if settings.access_log:
        app.add_middleware(AccessLog)
    app.add_middleware(HeadAsGet)
    return app


class Endpoints:
    """The endpoints of the service."""

    def __init__(
        self,
        shops: Mapping[str, AsyncRelatedItems],
        searches: Mapping[str, "LiveSearch"],
        updates: Mapping[str, UpdateItems],
        settings: ServiceSettings,
        visibility: str,
    ) -> None:
        self._shops = shops
        self._searches, self._updates = searches, updates
        self._metrics = ServiceMetrics({shop: lookup.stats for shop, lookup in shops.items()})
        self._room = Room(settings.requests)
        self._body_bytes = settings.body_bytes
        self._cacheable = {"cache-control": f"{visibility}, max-age={MAX_AGE_S}"}

    async def related(self, request: Request) -> Response:
        """The related items of one item, best first."""
        began = time.perf_counter()
        shop, lookup = self._shop(request)
        asked = vars(models.parse_query(RelatedQuery, request.scope["query_string"]))
        with self._room.place():
            answer = await lookup.get(request.path_params["id"], **_preferring(request, asked))
        self._metrics.count_list(shop, answer)
        response = self._list(answer, request.headers.get("if-none-match", ""))
        self._metrics.seconds.observe(time.perf_counter() - began)
        return response

    async def page(self, request: Request) -> Response:
        """The related items of one item in several placements; no item is in two of the lists."""
        shop, lookup = self._shop(request)
        asked = vars(models.parse_query(PageQuery, request.scope["query_string"]))
        with self._room.place():
            answers = await lookup.page(request.path_params["id"], **_preferring(request, asked))
        return self._lists(shop, answers)

    async def bundle(self, request: Request) -> Response:
        """The item with two or three that are bought with it, and their price together."""
        _, lookup = self._shop(request)
        asked = vars(models.parse_query(BundleQuery, request.scope["query_string"]))
        with self._room.place():
            bundle = await lookup.bundle(request.path_params["id"], **_preferring(request, asked))
        headers = NO_STORE | in_language(bundle.language)
        return json_response(bundle_json(bundle), headers=headers)

    async def batch(self, request: Request) -> Response:
        """The related items of several items, or of all of them or a session together."""
        began = time.perf_counter()
        shop, lookup = self._shop(request)
        batch = models.parse_batch(await _body(request, self._body_bytes))
        asked = _preferring(request, batch.model_dump(include=set(RelatedQuery.model_fields)))
        with self._room.place():
            if batch.merged:
                given = [Event(one.item, one.kind, one.age) for one in batch.events] or batch.items
                merged = await lookup.for_items(given, decay=batch.decay, **asked)
                answers = [merged]
            else:
                answers = await lookup.get_many(batch.items, distinct=batch.distinct, **asked)
        response = self._lists(shop, answers)
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

    async def change_items(self, request: Request) -> Response:
        """Change price, stock and other fields of items until the next build knows them."""
        shop, _ = self._shop(request)
        update = self._updates.get(shop)
        if update is None:
            raise RequestRefused(404, f"shop {shop!r:.60} takes no changes here")
        items = item_updates.parse_patch(await _body(request, self._body_bytes))
        with self._room.place():
            answer = await item_updates.patched(update, items)
        return json_response(answer.model_dump_json())

    async def health(self, _request: Request) -> Response:
        """Whether the process answers, and how long ago Redis did."""
        answer = answers.HealthAnswer(status="ok", shops=self._metrics.health())
        return json_response(answer.model_dump_json())

    async def ready(self, _request: Request) -> Response:
        """Whether requests can be answered from Redis: 503 where some shop's cannot."""
        shops = {shop: lookup.ready() for shop, lookup in self._shops.items()}
        ready = all(shops.values())
        answer = answers.ReadyAnswer(status="ready" if ready else "not ready", shops=shops)
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

    def _lists(self, shop: str, answers: Sequence[RelatedList]) -> Response:
        for answer in answers:
            self._metrics.count_list(shop, answer)
        lists = [with_token(without_token(answer), answer) for answer in answers]
        language = next((answer.language for answer in answers if answer.language), "")
        headers = NO_STORE | in_language(language)
        return json_response(f'{{"lists":[{",".join(lists)}]}}', headers=headers)

    def _list(self, answer: RelatedList, known_etags: str) -> Response:
        """One list; 304 without it where `known_etags`, an If-None-Match header, names it."""
        content = without_token(answer)
        language = in_language(answer.language) if answer.language else {}
        if answer.status not in CACHEABLE:
            return json_response(with_token(content, answer), headers=NO_STORE | language)
        tag = etag(answer.generation, content)
        headers = {"etag": tag, **self._cacheable, **language}
        if known_etags and (tag[2:] in known_etags or known_etags.strip() == "*"):
            return Response(status_code=304, headers=headers)
        return json_response(with_token(content, answer), headers=headers)

    def _shop(self, request: Request) -> tuple[str, AsyncRelatedItems]:
        shop = request.path_params["shop"]
        lookup = self._shops.get(shop)
        if lookup is None:
            raise RequestRefused(404, f"there is no shop {shop!r:.60}")
        return shop, lookup


def _preferring(request: Request, asked: dict[str, Any]) -> dict[str, Any]:
    """What is asked, in the languages that the client prefers unless the query names some."""
    header = request.headers.get("accept-language", "")
    return asked | {"language": header} if header and not asked["language"] else asked


async def _body(request: Request, most: int) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise RequestRefused(413, f"body: larger than {most} bytes")
    except ClientDisconnect as error:
        raise RequestRefused(400, "body: cut off") from error
    return bytes(body)
