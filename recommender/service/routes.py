"""The routes of the service: the role that each needs, and what OpenAPI says about it."""

import re
from collections.abc import Awaitable, Callable
from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from recommender.service import answers
from recommender.service.item_updates import ItemsPatch, PatchAnswer
from recommender.service.keys import Role
from recommender.service.middleware import KEY_SCOPE
from recommender.service.models import (
    BatchRequest,
    BundleQuery,
    PageQuery,
    RelatedQuery,
    RequestRefused,
    SearchRequest,
)
from recommender.service.responses import JSON

if TYPE_CHECKING:
    from recommender.service.app import Endpoints

Endpoint = Callable[[Request], Awaitable[Response]]

BATCHES = {
    "a page": {"items": ["1098066", "866140"], "distinct": True, "n": 6},
    "a basket": {"items": ["1098066", "866140"], "merged": True},
    "a history": {
        "items": ["1098066", "866140"],
        "merged": True,
        "decay": 0.8,
        "placement": "next",
    },
    "a session": {
        "events": [
            {"item": "1098066", "kind": "view", "age": 40},
            {"item": "866140", "kind": "purchase", "age": 86400},
        ],
        "placement": "next",
    },
}
"""Examples of a batch, by what it is for."""
SCHEME = "ApiKey"


class DirectRoute(APIRoute):
    """A route whose endpoint takes the request as it is."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401
        super().__init__(path, endpoint, **options)
        # Without this, an id with a line break in it would be a page that is not found.
        self.path_regex = re.compile(self.path_regex.pattern, re.DOTALL)

    def get_route_handler(self) -> Callable[[Request], Awaitable[Any]]:  # type: ignore[override]
        """The endpoint itself."""
        return self.endpoint


class Service(FastAPI):
    """An application whose OpenAPI document also has what no endpoint declares."""

    def openapi(self) -> dict[str, Any]:
        """The document, with the schema of a batch and the header of the API key."""
        document = super().openapi()
        components = document.setdefault("components", {})
        schema = BatchRequest.model_json_schema(ref_template="#/components/schemas/{model}")
        components.setdefault("schemas", {}).update(schema.pop("$defs"))
        components["schemas"][BatchRequest.__name__] = schema
        components["securitySchemes"] = {
            SCHEME: {"type": "apiKey", "in": "header", "name": "X-API-Key"}
        }
        return document


def add_routes(app: FastAPI, endpoints: "Endpoints") -> None:
    """Add all routes with their documentation, which FastAPI serves at /openapi.json."""
    shop = _parameter("path", "shop")
    item = [shop, _parameter("path", "id"), *_query_parameters(RelatedQuery)]
    content = {
        "schema": {"$ref": f"#/components/schemas/{BatchRequest.__name__}"},
        "examples": {name: {"value": batch} for name, batch in BATCHES.items()},
    }
    language = _parameter("header", "Accept-Language")
    unchanged = {"description": "The list is still the one that If-None-Match names"}
    _add(
        *(app, "GET", "/v1/{shop}/items/{id:path}/related", "read", endpoints.related),
        responses=_responses(answers.RelatedAnswer, 400, 404, 503) | {304: unchanged},
        extra={"parameters": [*item, _parameter("header", "If-None-Match"), language]},
    )
    page = [shop, _parameter("path", "id"), *_query_parameters(PageQuery)]
    _add(
        *(app, "GET", "/v1/{shop}/items/{id:path}/page", "read", endpoints.page),
        responses=_responses(answers.BatchAnswer, 400, 404, 503),
        extra={"parameters": [*page, language]},
    )
    bundle = [shop, _parameter("path", "id"), *_query_parameters(BundleQuery)]
    _add(
        *(app, "GET", "/v1/{shop}/items/{id:path}/bundle", "read", endpoints.bundle),
        responses=_responses(answers.BundleAnswer, 400, 404, 503),
        extra={"parameters": [*bundle, language]},
    )
    _add(
        *(app, "POST", "/v1/{shop}/related", "read", endpoints.batch),
        responses=_responses(answers.BatchAnswer, 400, 404, 413, 503),
        extra={
            "parameters": [shop, language],
            "requestBody": {"required": True, "content": {JSON: content}},
        },
    )
    _add(
        *(app, "GET", "/v1/{shop}/search", "read", endpoints.search),
        responses=_responses(answers.SearchAnswer, 400, 404, 503),
        extra={"parameters": [shop, *_query_parameters(SearchRequest)]},
    )
    change = {"schema": ItemsPatch.model_json_schema()}
    _add(
        *(app, "PATCH", "/v1/{shop}/items", "merchandise", endpoints.change_items),
        responses=_responses(PatchAnswer, 400, 404, 413, 503),
        extra={
            "parameters": [shop],
            "requestBody": {"required": True, "content": {JSON: change}},
        },
    )
    text = {"text/plain": {"schema": {"type": "string"}}}
    _add(
        *(app, "GET", "/metrics", "operate", endpoints.metrics),
        responses={200: {"content": text}},
    )
    app.get("/healthz", responses=_responses(answers.HealthAnswer))(endpoints.health)
    ready = {"model": answers.ReadyAnswer, "description": "Not ready"}
    app.get("/readyz", responses=_responses(answers.ReadyAnswer) | {503: ready})(endpoints.ready)


def _add(  # noqa: PLR0913
    app: FastAPI,
    method: str,
    path: str,
    role: Role,
    endpoint: Endpoint,
    *,
    responses: dict[int | str, dict[str, Any]],
    extra: dict[str, Any] | None = None,
) -> None:
    """Add a route for keys with a role; without API keys, only what reads is open to all."""

    @wraps(endpoint)
    async def allowed(request: Request) -> Response:
        key = request.scope.get(KEY_SCOPE)
        if key is not None and role not in key.roles:
            raise RequestRefused(403, f"the API key {key.name!r} lacks the role {role}")
        if key is None and role == "merchandise":
            raise RequestRefused(403, f"only an API key with the role {role} may do this")
        return await endpoint(request)

    app.add_api_route(
        path,
        allowed,
        methods=[method],
        responses=_responses(None, 401, 403, 429) | responses,
        # In OpenAPI 3.1, the values of a scheme that is no OAuth are the roles that are needed.
        openapi_extra={"security": [{SCHEME: [role]}], **(extra or {})},
    )


def _responses(model: type[BaseModel] | None, *errors: int) -> dict[int | str, dict[str, Any]]:
    responses: dict[int | str, dict[str, Any]] = {200: {"model": model}}
    for status in errors:
        phrase = HTTPStatus(status).phrase
        responses[status] = {"model": answers.ErrorAnswer, "description": phrase}
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
