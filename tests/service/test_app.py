"""The routes, with a lookup that needs no Redis."""

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any, get_args
from unittest.mock import patch

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from recommender.core.related import RelatedItem, Status
from recommender.service.answers import (
    BatchAnswer,
    BundleAnswer,
    ErrorAnswer,
    HealthAnswer,
    RelatedAnswer,
)
from recommender.service.app import START_S, create_app
from recommender.service.limits import Room
from recommender.serving.sessions import Event
from tests.service.fakes import ENTRIES, FakeLookup

PATH = "/v1/acme/items/a/related"
BATCH = "/v1/acme/related"


def test_a_list_is_json(client: TestClient) -> None:
    answer = client.get(PATH)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "item": "a",
        "placement": "related",
        "generation": 8,
        "status": "ok",
        "items": [
            {"id": entry.id, "score": entry.score, "evidence": entry.evidence} for entry in ENTRIES
        ],
        "token": "token-1",
    }


def test_the_query_reaches_the_lookup(client: TestClient, lookup: FakeLookup) -> None:
    query = "n=2&placement=also&exclude=b&exclude=c%2Cd&min_score=0.5&key=%C3%BC"
    assert len(client.get(f"{PATH}?{query}").json()["items"]) == 2
    assert lookup.asked == [("get", "a", "also", 2, ("b", "c,d"), 0.5, "ü")]


@pytest.mark.parametrize(
    ("written", "item"),
    [
        ("a%2Fb", "a/b"),
        ("a/b", "a/b"),
        ("a/related", "a/related"),
        ("%2F", "/"),
        ("%C3%BC%20%7B1%7D%25", "ü {1}%"),
        ("%F0%9F%8D%92", "🍒"),
        ("%00", "\x00"),
        ("a%0Ab%0D", "a\nb\r"),
        ("%FF", "\ufffd"),
        ("", ""),
        ("..%2F..%2Fetc", "../../etc"),
        ("rec:%7Bacme%7D:live", "rec:{acme}:live"),
        ("x" * 5000, "x" * 5000),
    ],
)
def test_any_id_is_asked_for_as_it_is(
    client: TestClient, lookup: FakeLookup, written: str, item: str
) -> None:
    answer = client.get(f"/v1/acme/items/{written}/related")
    assert answer.status_code == 200
    assert answer.json()["item"] == item
    assert lookup.asked[0][1] == item


@pytest.mark.fault(73)
@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            "filter=x",
            "'filter': unknown parameter; there are boost, exclude, key, language, min_score, n, "
            "placement, records, store, where",
        ),
        ("exclud=b", "'exclud': unknown parameter; did you mean 'exclude'?"),
        ("placement=" + "p" * 41, "placement: give at most 40 characters"),
        ("exclude=" + "x" * 129, "exclude: give at most 128 characters"),
        ("key=" + "k" * 1001, "key: give at most 1000 characters"),
        ("&".join(["n=1"] * 201), "query: Max number of fields exceeded"),
    ],
)
def test_what_a_query_may_not_have_is_named(
    client: TestClient, lookup: FakeLookup, query: str, said: str
) -> None:
    answer = client.get(f"{PATH}?{query}")
    assert (answer.status_code, answer.json()["detail"]) == (400, said)
    assert lookup.asked == []


@pytest.mark.fault(65, "S4")
def test_a_batch_says_a_bounded_placement_and_has_a_bound_of_entries(
    client: TestClient, lookup: FakeLookup
) -> None:
    items = ["i" * 128] * 100
    for field, sent in (("placement", "p" * 10_000), ("items", ["i" * 129]), ("key", "k" * 1001)):
        refused = client.post(BATCH, json={"items": items, field: sent})
        assert refused.status_code == 400
        assert refused.json()["detail"].startswith(f"{field}: give at most")
    lookup.items = tuple(RelatedItem(f"{number:0128d}", 0.5, "both") for number in range(1000))
    answer = client.post(BATCH, json={"items": items, "n": 1000, "placement": "p" * 40})
    assert sum(len(each["items"]) for each in answer.json()["lists"]) == 5000
    assert len(answer.content) < 2 * 2**20
    merged = client.post(BATCH, json={"items": items, "n": 1000, "merged": True})
    assert len(merged.json()["lists"][0]["items"]) == 1000


@pytest.mark.fault(74)
def test_a_shop_is_ready_while_its_store_is_read(client: TestClient, lookup: FakeLookup) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ready", "shops": {"acme": True}},
    )
    lookup.status = "stale"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "shops": {"acme": False}}
    assert answer.headers["retry-after"] == "1"
    assert client.get("/healthz").status_code == 200


@pytest.mark.fault(67)
def test_too_many_requests_at_once_are_asked_to_come_later(
    client: TestClient, lookup: FakeLookup
) -> None:
    with patch("recommender.service.app.Room", return_value=Room(0)):
        full = create_app({"acme": lookup})
    with TestClient(full) as client:
        for answer in (client.get(PATH), client.post(BATCH, json={"items": ["a"]})):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert client.get("/healthz").status_code == 200


def test_a_malformed_query_is_refused_in_one_line(client: TestClient) -> None:
    answer = client.get(f"{PATH}?n=many")
    assert answer.status_code == 400
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {"detail": "n = 'many': give a whole number"}


@pytest.mark.parametrize("shop", ["other", "ACME", "%7Bacme%7D", "acme%0A"])
def test_another_shop_is_not_found(client: TestClient, shop: str) -> None:
    assert client.get(f"/v1/{shop}/items/a/related").status_code == 404
    assert client.post(f"/v1/{shop}/related", json={"items": ["a"]}).status_code == 404


def test_a_batch_has_a_list_for_each_item(client: TestClient, lookup: FakeLookup) -> None:
    question = {"items": ["a", "ü"], "n": 1, "exclude": ["z"], "distinct": True}
    answer = client.post(BATCH, json=question)
    assert answer.headers["cache-control"] == "no-store"
    assert [each["item"] for each in answer.json()["lists"]] == ["a", "ü"]
    assert [len(each["items"]) for each in answer.json()["lists"]] == [1, 1]
    assert lookup.asked == [("get_many", ("a", "ü"), "related", 1, ("z",), True)]


def test_a_merged_batch_has_one_list(client: TestClient, lookup: FakeLookup) -> None:
    answer = client.post(BATCH, json={"items": ["a", "b"], "merged": True, "n": 10**30})
    assert len(answer.json()["lists"]) == 1
    assert lookup.asked == [("for_items", ("a", "b"), "related", 1000, (), None)]


def test_a_history_decays(client: TestClient, lookup: FakeLookup) -> None:
    history = {"items": ["a", "b"], "merged": True, "decay": 0.8, "placement": "next"}
    assert client.post(BATCH, json=history).status_code == 200
    assert lookup.asked == [("for_items", ("a", "b"), "next", 12, (), 0.8)]


def test_a_malformed_body_is_refused_in_one_line(client: TestClient) -> None:
    answer = client.post(BATCH, content=b'{"items": []}')
    assert answer.status_code == 400
    assert answer.json() == {"detail": "items: give a list of 1 to 100 item ids"}


@pytest.mark.fault(65)
def test_a_body_has_a_limit(client: TestClient) -> None:
    assert client.post(BATCH, content=b" " * ((1 << 20) + 1)).status_code == 413
    room = b'{"items": ["a"]}' + b" " * ((1 << 20) - 16)
    assert client.post(BATCH, content=room).status_code == 200


def test_a_body_that_is_cut_off_is_no_error(lookup: FakeLookup) -> None:
    sent: list[Mapping[str, Any]] = []
    arriving: list[dict[str, object]] = [
        {"type": "http.request", "body": b'{"items"', "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, object]:
        return arriving.pop(0)

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": BATCH,
        "root_path": "",
        "query_string": b"",
        "headers": [],
    }
    asyncio.run(create_app({"acme": lookup})(scope, receive, send))
    assert sent[0]["status"] == 400
    assert lookup.asked == []


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None
)
@given(body=st.binary(max_size=60), query=st.text(max_size=40))
def test_no_request_is_an_error_of_the_service(client: TestClient, body: bytes, query: str) -> None:
    assert client.post(BATCH, content=body).status_code in {200, 400}
    asked = client.get(PATH, params={"n": query, "min_score": query, "key": query})
    assert asked.status_code in {200, 400}


@pytest.mark.parametrize("status", get_args(Status))
def test_only_an_items_own_list_may_be_cached(status: Status) -> None:
    with TestClient(create_app({"acme": FakeLookup(status)})) as client:
        headers = client.get(PATH).headers
    if status in {"ok", "topped_up"}:
        assert headers["cache-control"] == "public, max-age=10"
        assert headers["etag"].startswith('W/"8-')
    else:
        assert headers["cache-control"] == "no-store"
        assert "etag" not in headers


def test_what_is_known_is_not_sent_again(client: TestClient, lookup: FakeLookup) -> None:
    first = client.get(PATH)
    tag = first.headers["etag"]
    for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        again = client.get(PATH, headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert again.headers["cache-control"] == first.headers["cache-control"]
    assert client.get(PATH, headers={"if-none-match": '"8-0"'}).status_code == 200
    lookup.status = "stale"
    assert client.get(PATH, headers={"if-none-match": tag}).status_code == 200


def test_the_tag_changes_with_everything_but_the_token(
    client: TestClient, lookup: FakeLookup
) -> None:
    def tag(path: str = PATH) -> str:
        return client.get(path).headers["etag"]

    first = tag()
    assert tag() == first
    tags = {first, tag("/v1/acme/items/b/related"), tag(f"{PATH}?n=1"), tag(f"{PATH}?placement=p")}
    lookup.generation = 9
    tags.add(tag())
    lookup.items = (RelatedItem("b", 0.75, "both"),)
    tags.add(tag())
    assert len(tags) == 6


@settings(deadline=None, max_examples=50)
@given(item=st.text(max_size=20), entry=st.text(max_size=20))
def test_whatever_an_id_holds_the_answer_is_json(item: str, entry: str) -> None:
    lookup = FakeLookup(items=(RelatedItem(entry, 0.5, "rule"),))
    with TestClient(create_app({"acme": lookup})) as client:
        answer = client.post(BATCH, content=json.dumps({"items": [item]}))
    (shown,) = answer.json()["lists"]
    assert (shown["item"], shown["items"][0]["id"]) == (item, entry)


def test_a_lone_surrogate_is_answered(client: TestClient) -> None:
    answer = client.post(BATCH, content=b'{"items": ["\\ud800"]}')
    assert answer.json()["lists"][0]["item"] == "\ud800"


def test_a_start_waits_a_little_for_redis(client: TestClient, lookup: FakeLookup) -> None:
    assert client.get(PATH).status_code == 200
    assert lookup.waited_s == START_S


def test_lookups_are_closed_with_the_service(lookup: FakeLookup) -> None:
    with TestClient(create_app({"acme": lookup})):
        assert not lookup.closed
    assert lookup.closed


def test_health_says_when_redis_was_read(client: TestClient, lookup: FakeLookup) -> None:
    def health() -> dict[str, object]:
        answer = client.get("/healthz")
        assert answer.status_code == 200
        shown: dict[str, object] = answer.json()["shops"]["acme"]
        return shown

    assert health() == {"last_status": None, "read_seconds_ago": None}
    lookup.status = "fallback"
    client.get(PATH)
    assert health() == {"last_status": "fallback", "read_seconds_ago": None}
    lookup.status = "unknown_item"
    client.get(PATH)
    assert health() == {"last_status": "unknown_item", "read_seconds_ago": 0.0}


def test_metrics_count_answers_refusals_and_time(client: TestClient) -> None:
    client.get(PATH)
    client.post(BATCH, json={"items": ["a", "b"]})
    client.get(f"{PATH}?n=x")
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(answer.text))
    assert {family.name: family.type for family in families} == {
        "recommender_answers": "counter",
        "recommender_refusals": "counter",
        "recommender_request_seconds": "histogram",
        "recommender_lookup": "unknown",
    }
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }
    assert found["recommender_answers_total", "acme", "ok"] == 3
    assert found["recommender_answers_total", "acme", "degraded"] == 0
    assert found["recommender_refusals_total", "400"] == 1
    assert found["recommender_request_seconds_bucket", "+Inf"] == 2
    assert found["recommender_request_seconds_count",] == 2
    assert found["recommender_lookup", "acme", "asked"] == 2
    buckets = [value for name, value in found.items() if name[0].endswith("_bucket")]
    assert len(buckets) == 11
    assert buckets == sorted(buckets)
    assert not any(name[0].endswith("_created") for name in found)


def test_apps_of_one_process_count_apart(client: TestClient) -> None:
    client.get(PATH)
    with TestClient(create_app({"acme": FakeLookup()})) as other:
        assert (
            'recommender_answers_total{shop="acme",status="ok"} 0.0' in other.get("/metrics").text
        )


def test_answers_are_those_of_openapi(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    answer = client.get(PATH).json()
    RelatedAnswer.model_validate(answer, strict=True)
    assert set(schemas["RelatedAnswer"]["properties"]) == {*answer, "dropped", "heading"}
    assert set(schemas["RelatedEntry"]["properties"]) == {
        *answer["items"][0],
        *("record", "explore"),
    }
    whole = client.get(f"{PATH}?records=true&where=stock%20%3E%200").json()
    RelatedAnswer.model_validate(whole, strict=True)
    assert whole["items"][0]["record"] == {"id": "b", "title": "\u2028<b>"}
    assert whole["dropped"] == {"stock > 0": 3}
    BatchAnswer.model_validate(client.post(BATCH, json={"items": ["a", "b"]}).json(), strict=True)
    HealthAnswer.model_validate(client.get("/healthz").json(), strict=True)
    ErrorAnswer.model_validate(client.get(f"{PATH}?n=x").json(), strict=True)


def test_a_page_asks_for_several_placements(client: TestClient, lookup: FakeLookup) -> None:
    answer = client.get("/v1/acme/items/a/page?placements=related&placements=next&n=600")
    lists = BatchAnswer.model_validate(answer.json(), strict=True).lists
    assert [one.placement for one in lists] == ["related", "next"]
    assert lookup.asked == [("page", "a", ("related", "next"), 500)]
    assert [one.heading for one in lists] == ["<related>", "<next>"]
    assert answer.headers["content-language"] == "en"


def test_a_session_has_events_in_place_of_items(client: TestClient, lookup: FakeLookup) -> None:
    events = [{"item": "a", "kind": "cart", "age": 4.5}, {"item": "b"}]
    answer = client.post(BATCH, json={"events": events, "placement": "next"})
    assert len(answer.json()["lists"]) == 1
    asked = (Event("a", "cart", 4.5), Event("b", "view", None))
    assert lookup.asked == [("for_items", asked, "next", 12, (), None)]


class TestBundles:
    def test_a_bundle_is_json_with_its_price(self, client: TestClient, lookup: FakeLookup) -> None:
        answer = client.get("/v1/acme/items/a/bundle?n=2&store=berlin&placement=with")
        bundle = BundleAnswer.model_validate(answer.json(), strict=True)
        assert [entry.id for entry in bundle.items] == ["a", "b", "c/ü {1}"]
        assert bundle.items[1].record == {"id": "b", "price_minor": 100}
        assert (bundle.full_price_minor, bundle.price_minor, bundle.discount) == (400, 300, 0.25)
        assert set(answer.json()) == set(BundleAnswer.model_fields)
        assert lookup.asked == [("bundle", "a", 2, "with", "berlin")]
        assert answer.headers["cache-control"] == "no-store"

    def test_where_there_is_none_the_reason_is_said(self, client: TestClient) -> None:
        answer = client.get("/v1/acme/items/lone/bundle").json()
        assert (answer["items"], answer["reason"]) == ([], "alone")
        assert answer["dropped"] == {"stock": 2}

    def test_its_parameters_are_checked(self, client: TestClient) -> None:
        refused = client.get("/v1/acme/items/a/bundle?where=x")
        assert refused.status_code == 400
        assert "'where': unknown parameter" in refused.json()["detail"]


class TestLanguages:
    def test_a_header_or_a_parameter_picks_the_language(self, client: TestClient) -> None:
        german = client.get(f"{PATH}?records=true", headers={"accept-language": "de"})
        assert german.headers["content-language"] == "de"
        assert german.headers["vary"] == "accept-language"
        english = client.get(f"{PATH}?records=true&language=en", headers={"accept-language": "de"})
        assert english.headers["content-language"] == "en"

    def test_an_answer_without_texts_does_not_vary(self, client: TestClient) -> None:
        answer = client.get(PATH, headers={"accept-language": "de"})
        assert "vary" not in answer.headers
        assert "content-language" not in answer.headers

    def test_a_copy_that_is_still_right_varies_too(self, client: TestClient) -> None:
        path = f"{PATH}?records=true"
        tag = client.get(path, headers={"accept-language": "de"}).headers["etag"]
        same = client.get(path, headers={"accept-language": "de", "if-none-match": tag})
        assert (same.status_code, same.headers["vary"]) == (304, "accept-language")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (f"{PATH}?where=price%20%3D%203", "where: character 7: .*to compare, write =="),
        (f"{PATH}?boost=f(x)", "boost: character 1: use fields, numbers"),
        (f"{PATH}?records=maybe", "records: give true or false"),
        ("/v1/acme/items/a/page", "placements: give 1 to 20 names"),
        ("/v1/acme/items/a/page?" + "&".join(["placements=a"] * 21), "placements: give 1 to 20"),
        ("/v1/acme/items/a/page?placement=a", "'placement': unknown .* did you mean 'placements'"),
    ],
)
def test_what_cannot_be_asked_of_fields_is_refused(
    client: TestClient, path: str, said: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == 400
    assert re.match(said, answer.json()["detail"]), answer.json()
