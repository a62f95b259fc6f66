"""HEAD, the access log, API keys and their rates, before every route."""

import logging
from contextlib import ExitStack

import pytest
from fastapi.testclient import TestClient

from recommender.service.app import create_app
from recommender.service.keys import new_key
from recommender.service.middleware import access_log
from recommender.settings.service import ServiceSettings
from tests.service.fakes import FakeLookup

PATH = "/v1/acme/items/a/related"
BATCH = "/v1/acme/related"


@pytest.mark.parametrize("path", [PATH, "/healthz", "/readyz", "/metrics", "/openapi.json"])
def test_head_is_get_without_a_body(client: TestClient, path: str) -> None:
    answer, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (answer.status_code, b"")
    assert head.headers["content-type"] == answer.headers["content-type"]
    assert int(head.headers["content-length"]) > 0
    assert client.head(BATCH).status_code == 405


def test_api_keys_guard_all_but_the_health(lookup: FakeLookup) -> None:
    (one, kept_one), (two, kept_two) = (new_key(name, ["read"]) for name in ("one", "two"))
    settings = ServiceSettings(wrong_keys_per_minute=0)
    with TestClient(create_app({"acme": lookup}, [kept_one, kept_two], {}, settings)) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 200
        for path in (PATH, "/metrics", "/openapi.json", "/nowhere", "/healthz/", BATCH):
            answer = client.get(path)
            assert answer.status_code == 401
            assert answer.json() == {"detail": "give an API key in the header X-API-Key"}
        for wrong in ("key", f"{one} ,{two}", "", one.swapcase(), kept_one.digest.hex()):
            answer = client.get(PATH, headers={"x-api-key": wrong})
            assert answer.status_code == 401
            assert answer.json() == {"detail": "the API key in the header X-API-Key is unknown"}
        assert client.get(PATH, headers=[("x-api-key", one)] * 2).status_code == 401
        for known in (one, two):
            answer = client.get(PATH, headers={"x-api-key": known})
            assert answer.status_code == 200
            assert answer.headers["cache-control"].startswith("private")
    assert lookup.asked == [("get", "a", "related", 12, (), 0.0, "")] * 2


def test_a_key_has_a_rate_of_its_own(lookup: FakeLookup) -> None:
    made = [new_key(name, ["read"]) for name in ("one", "two")]
    settings = ServiceSettings(requests_per_s=0.01)
    with TestClient(create_app({"acme": lookup}, [k for _, k in made], {}, settings)) as client:
        for key, _ in made:
            headers = {"x-api-key": key}
            assert client.get(PATH, headers=headers).status_code == 200
            answer = client.get(PATH, headers=headers)
            assert answer.status_code == 429
            assert answer.json() == {"detail": "too many requests with this key: try again later"}
            assert 90 <= int(answer.headers["retry-after"]) <= 100
        assert client.get("/readyz").status_code == 200


def test_guessing_is_bounded_and_locks_nobody_out(lookup: FakeLookup) -> None:
    (used, kept_used), (guessed, kept_guessed) = (new_key(name, ["read"]) for name in ("u", "g"))
    app = create_app({"acme": lookup}, [kept_used, kept_guessed])
    with ExitStack() as clients:
        here, there = (
            clients.enter_context(TestClient(app, client=(address, 9)))
            for address in ("192.0.2.1", "192.0.2.2")
        )

        def status(client: TestClient, key: str) -> int:
            return client.get(PATH, headers={"x-api-key": key}).status_code

        assert status(here, used) == 200
        assert [status(here, f"guess-{number}") for number in range(10)] == [401] * 10
        answer = here.get(PATH, headers={"x-api-key": "guess-11"})
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "6")
        assert answer.json() == {"detail": "too many wrong API keys: try again later"}
        # A right guess is refused as well, and a key that was used from there is not.
        assert status(here, guessed) == 429
        assert status(here, used) == 200
        assert status(there, guessed) == 200
        assert here.get(PATH).status_code == 401


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage().rpartition(" ms=")[0]
        for record in caplog.records
        if record.name == access_log.name
    ]


def test_the_access_log_says_nothing_about_visitors(
    lookup: FakeLookup, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, access_log.name)
    key, kept = new_key("web", ["read"])
    settings = ServiceSettings(access_log=True)
    with TestClient(create_app({"acme": lookup}, [kept], {}, settings)) as client:
        headers = {"x-api-key": key}
        client.get(f"{PATH}?key=S3CR3T-visitor", headers=headers)
        client.post(BATCH, json={"items": ["S3CR3T-item"]}, headers=headers)
        client.post(BATCH, content=b"S3CR3T", headers=headers)
        client.get("/v1/S3CR3T%0A/related", headers=headers)
        client.get("/v1/s3cr3t/items/a/related", headers=headers)
        client.get("/metrics", headers=headers)
        client.get("/S3CR3T", headers={"x-api-key": "S3CR3T"})
        client.request("S3CR3T", "/healthz")
    related = "method=GET route=/v1/{shop}/items/{id:path}/related"
    batch = "method=POST route=/v1/{shop}/related"
    assert lines_of(caplog) == [
        f"{related} shop=acme key=web status=200",
        f"{batch} shop=acme key=web status=200",
        f"{batch} shop=acme key=web status=400",
        "method=GET route=/v1/{shop}/related shop=- key=web status=405",
        f"{related} shop=- key=web status=404",
        "method=GET route=/metrics shop=- key=web status=403",
        "method=GET route=- shop=- key=- status=401",
        "method=other route=/healthz shop=- key=- status=405",
    ]


def test_there_is_no_access_log_unless_it_is_wanted(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, access_log.name)
    client.get(PATH)
    assert lines_of(caplog) == []
