"""What OpenAPI says of the routes; the endpoints read their requests themselves."""

from typing import Any

from recommender.core.related import EVIDENCE, STATUSES
from recommender.service.questions import MAX_BATCH, MAX_HITS, MAX_N, MAX_QUERY, PLAIN

SERVICE = (
    "Related items of a shop's items. A question is always answered by a list where the shop is "
    "known; `status` says where the list came from. A page logs `token` with what it showed and "
    "what was clicked. Where the service has API keys, the header X-API-Key carries one."
)

_TEXT = {"type": "string"}
_IDS = {"type": "array", "items": _TEXT, "maxItems": MAX_BATCH}
_N = {"type": "integer", "default": PLAIN.n, "description": f"clamped to 0..{MAX_N}"}
_PLACEMENT = _TEXT | {"default": PLAIN.placement}
_MIN_SCORE = {"type": "number", "default": PLAIN.min_score}
_KEY = _TEXT | {"default": "", "description": "of the visitor: chooses who sees a canary"}

_LIST: dict[str, Any] = {
    "type": "object",
    "properties": {
        "item": _TEXT,
        "placement": _TEXT,
        "generation": {"type": "integer", "description": "the build that answered, 0: none"},
        "status": {"type": "string", "enum": list(STATUSES)},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "id": _TEXT,
                    "score": {"type": "number"},
                    "evidence": {"type": "string", "enum": list(EVIDENCE)},
                },
            },
        },
        "token": _TEXT,
    },
}
_LIST_EXAMPLE = {
    "item": "1098066",
    "placement": "related",
    "generation": 8,
    "status": "ok",
    "items": [{"id": "7152455", "score": 0.8125, "evidence": "both"}],
    "token": "s1JcVb0xTqe",
}


def _parameter(where: str, name: str, schema: dict[str, Any], example: object) -> dict[str, Any]:
    return {
        "in": where,
        "name": name,
        "required": where == "path",
        "schema": schema,
        "example": example,
    }


def _json(description: str, schema: dict[str, Any], example: object) -> dict[str, Any]:
    content = {"application/json": {"schema": schema, "example": example}}
    return {"description": description, "content": content}


def _refusal(description: str, example: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"detail": _TEXT}}
    return _json(description, schema, {"detail": example})


_REFUSALS = {
    "400": _refusal("a malformed question", "n = 'many': give a whole number"),
    "401": _refusal("no API key", "give an API key in the header X-API-Key"),
    "404": _refusal("no such shop", "there is no shop 'acme'"),
}
_SHOP = _parameter("path", "shop", _TEXT, "acme")

RELATED: dict[str, Any] = {
    "summary": "Related items of one item",
    "parameters": [
        _SHOP,
        _parameter("path", "id", _TEXT, "1098066"),
        _parameter("query", "n", _N, 12),
        _parameter("query", "placement", _PLACEMENT, "related"),
        _parameter("query", "exclude", _IDS, ["7152455"]) | {"style": "form", "explode": True},
        _parameter("query", "min_score", _MIN_SCORE, 0.2),
        _parameter("query", "key", _KEY, "visitor-4711"),
        _parameter("header", "If-None-Match", _TEXT, 'W/"8-0f3a"'),
    ],
    "responses": {
        "200": _json("a list", _LIST, _LIST_EXAMPLE),
        "304": {"description": "the list that If-None-Match names is still the answer"},
    }
    | _REFUSALS,
}

SEARCH: dict[str, Any] = {
    "summary": "Items that fit a few words",
    "parameters": [
        _SHOP,
        _parameter("query", "q", _TEXT | {"maxLength": MAX_QUERY}, "red christmas lights")
        | {"required": True},
        _parameter("query", "n", _N | {"description": f"clamped to 1..{MAX_HITS}"}, 12),
        _parameter("query", "category", _TEXT, "Garden > Tools"),
        _parameter("query", "in_stock", {"type": "boolean", "default": False}, True),
        _parameter("query", "price_max", {"type": "number"}, 9.99),
    ],
    "responses": {
        "200": _json(
            "the items, best first",
            {
                "type": "object",
                "properties": {
                    "query": _TEXT,
                    "generation": {"type": "integer"},
                    "items": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "id": _TEXT,
                                "score": {"type": "number"},
                                "fit": {"type": "string", "enum": ["words", "meaning", "both"]},
                                "title": _TEXT,
                            },
                        },
                    },
                },
            },
            {
                "query": "red christmas lights",
                "generation": 8,
                "items": [
                    {"id": "22941", "score": 0.875, "fit": "both", "title": "CHRISTMAS LIGHTS"}
                ],
            },
        ),
        "503": _refusal("not loaded yet, or too busy", "search: the index is being loaded"),
    }
    | _REFUSALS,
}

BATCH: dict[str, Any] = {
    "summary": "Related items of several items, or of all of them together",
    "parameters": [_SHOP],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["items"],
                    "additionalProperties": False,
                    "properties": {
                        "items": _IDS | {"minItems": 1},
                        "placement": _PLACEMENT,
                        "n": _N,
                        "exclude": _IDS,
                        "min_score": _MIN_SCORE,
                        "key": _KEY,
                        "distinct": {
                            "type": "boolean",
                            "description": "no item stands in two of the lists",
                        },
                        "merged": {
                            "type": "boolean",
                            "description": "one list for all of the items, such as a basket",
                        },
                    },
                },
                "example": {"items": ["1098066", "866140"], "n": 4, "distinct": True},
            }
        },
    },
    "responses": {
        "200": _json(
            "a list for each item in their order, or one",
            {"type": "object", "properties": {"lists": {"type": "array", "items": _LIST}}},
            {"lists": [_LIST_EXAMPLE]},
        ),
        "413": _refusal("a body that is too large", "body: larger than 1048576 bytes"),
    }
    | _REFUSALS,
}

HEALTH: dict[str, Any] = {
    "summary": "Whether the process answers, and how long ago Redis did",
    "responses": {
        "200": _json(
            "it answers",
            {"type": "object"},
            {"status": "ok", "shops": {"acme": {"last_status": "ok", "read_seconds_ago": 0.4}}},
        )
    },
}

METRICS: dict[str, Any] = {
    "summary": "Counters in the text format of Prometheus",
    "responses": {
        "200": {
            "description": "counters of this process",
            "content": {
                "text/plain": {"example": 'recommender_answers_total{shop="acme",status="ok"} 4711'}
            },
        },
        "401": _REFUSALS["401"],
    },
}
