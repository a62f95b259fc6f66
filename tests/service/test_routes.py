"""The routes: their roles, and the OpenAPI document."""

import pytest
from fastapi.testclient import TestClient

from recommender.service.app import create_app
from recommender.service.keys import ROLES, new_key
from tests.service.fakes import FakeLookup

PATH = "/v1/acme/items/a/related"
BATCH = "/v1/acme/related"
KEYED = {"401", "403", "429"}


def test_openapi_describes_every_route(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    described = {
        (method, path): set(operation["responses"])
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert described == {
        ("get", "/v1/{shop}/items/{id}/related"): {"200", "304", "400", *KEYED, "404", "503"},
        ("get", "/v1/{shop}/items/{id}/page"): {"200", "400", *KEYED, "404", "503"},
        ("get", "/v1/{shop}/items/{id}/bundle"): {"200", "400", *KEYED, "404", "503"},
        ("post", "/v1/{shop}/related"): {"200", "400", *KEYED, "404", "413", "503"},
        ("patch", "/v1/{shop}/items"): {"200", "400", *KEYED, "404", "413", "503"},
        ("get", "/v1/{shop}/search"): {"200", "400", *KEYED, "404", "503"},
        ("get", "/healthz"): {"200"},
        ("get", "/readyz"): {"200", "503"},
        ("get", "/metrics"): {"200", *KEYED},
    }
    related = document["paths"]["/v1/{shop}/items/{id}/related"]["get"]
    assert [each["name"] for each in related["parameters"]] == [
        *("shop", "id", "n", "exclude", "min_score", "key", "records", "where", "boost", "store"),
        *("language", "placement", "If-None-Match", "Accept-Language"),
    ]
    assert [each["required"] for each in related["parameters"]] == [True, True, *[False] * 12]


def test_the_examples_of_openapi_are_answered(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    body = document["paths"]["/v1/{shop}/related"]["post"]["requestBody"]["content"]
    content = body["application/json"]
    assert content["schema"] == {"$ref": "#/components/schemas/BatchRequest"}
    schema = document["components"]["schemas"]["BatchRequest"]
    assert schema["oneOf"] == [{"required": ["items"]}, {"required": ["events"]}]
    assert schema["properties"]["events"]["items"] == {"$ref": "#/components/schemas/SessionEvent"}
    assert document["components"]["schemas"]["SessionEvent"]["required"] == ["item"]
    assert schema["additionalProperties"] is False
    assert len(content["examples"]) == 4
    for example in content["examples"].values():
        assert client.post(BATCH, json=example["value"]).status_code == 200


ITEMS = "/v1/acme/items"
NEEDED = {PATH: "read", BATCH: "read", "/v1/acme/search?q=x": "read", "/metrics": "operate"}
NEEDED |= {ITEMS: "merchandise"}
METHODS = {BATCH: "POST", ITEMS: "PATCH"}


@pytest.mark.parametrize("path", NEEDED)
def test_a_route_needs_its_role(lookup: FakeLookup, path: str) -> None:
    keys = {role: new_key(role, [role]) for role in ROLES}
    with TestClient(create_app({"acme": lookup}, [kept for _, kept in keys.values()])) as client:
        for role, (key, _) in keys.items():
            answer = client.request(METHODS.get(path, "GET"), path, headers={"x-api-key": key})
            if role == NEEDED[path]:
                assert answer.status_code in {200, 400, 404}
            else:
                assert answer.status_code == 403
                said = f"the API key '{role}' lacks the role {NEEDED[path]}"
                assert answer.json() == {"detail": said}


def test_openapi_names_the_role_of_each_route(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    needed = {
        path: operation.get("security")
        for path, operations in document["paths"].items()
        for operation in operations.values()
    }
    assert needed == {
        "/v1/{shop}/items/{id}/related": [{"ApiKey": ["read"]}],
        "/v1/{shop}/items/{id}/page": [{"ApiKey": ["read"]}],
        "/v1/{shop}/items/{id}/bundle": [{"ApiKey": ["read"]}],
        "/v1/{shop}/related": [{"ApiKey": ["read"]}],
        "/v1/{shop}/items": [{"ApiKey": ["merchandise"]}],
        "/v1/{shop}/search": [{"ApiKey": ["read"]}],
        "/metrics": [{"ApiKey": ["operate"]}],
        "/healthz": None,
        "/readyz": None,
    }
    assert document["components"]["securitySchemes"]["ApiKey"]["name"] == "X-API-Key"
