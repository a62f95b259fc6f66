"""Rows 49 and 50: a text API that fails in every way; no answer is lost or stored half."""

import json
from collections.abc import Iterator
from threading import Event
from typing import Any, cast

import pytest

from recommender.core.api_budget import Budget, PaidInMemory, TextApi
from recommender.core.telemetry import silent
from recommender.errors import DataError, ProviderFailed
from recommender.vectors.content import openai
from recommender.vectors.content.openai import (
    BATCH_TOKENS,
    OpenAIEncoder,
    batches,
    estimated_tokens,
)
from recommender.vectors.content.static import HashingEncoder
from tests.support.text_api_server import DIMENSIONS, Handler, Reply, TextServer, answer_to, running

KEY = "sk-S3CR3T-xyz"
TEXTS = [f"text number {number}" for number in range(9)]


def test_batches_hold_all_texts_in_order_within_their_limits() -> None:
    long = "x" * 60_000
    texts = [*TEXTS, *[f"{long}{number}" for number in range(40)]]
    cut = list(batches(texts, 8))
    assert [text for batch in cut for text in batch] == texts
    assert all(len(batch) <= 8 for batch in cut)
    assert all(sum(map(estimated_tokens, batch)) <= BATCH_TOKENS for batch in cut)
    assert list(batches([], 8)) == []
    assert estimated_tokens("日本") == 2


@pytest.fixture
def server() -> Iterator[TextServer]:
    with running() as state:
        yield state


def encoder_at(server: TextServer, **changes: Any) -> OpenAIEncoder:  # noqa: ANN401
    api = {"url": server.url, "key": KEY, "wait_s": 0.01, "concurrency": 1, **changes}
    return OpenAIEncoder(model="m", dimensions=DIMENSIONS, batch_texts=3, api=TextApi(**api))


def ledger(**budget: float) -> PaidInMemory:
    return PaidInMemory(Budget(**budget))  # type: ignore[arg-type]


def changed(**changes: object) -> Reply:
    """The whole answer with some of its first vector's entry changed."""

    def reply(handler: Handler, answer: dict[str, Any]) -> None:
        answer["data"][0].update(changes)
        handler.whole(answer)

    return reply


def refused(status: int, body: bytes = b"{}", **headers: str) -> Reply:
    return lambda handler, _: handler.send(status, body, **headers)


def shuffled(handler: Handler, answer: dict[str, Any]) -> None:
    answer["data"].reverse()
    handler.whole(answer)


def one_less(handler: Handler, answer: dict[str, Any]) -> None:
    answer["data"].pop()
    handler.whole(answer)


def one_more(handler: Handler, answer: dict[str, Any]) -> None:
    answer["data"].append(answer["data"][0])
    handler.whole(answer)


def truncated(handler: Handler, answer: dict[str, Any]) -> None:
    handler.send(200, json.dumps(answer).encode()[:-40])


def hung_up(handler: Handler, _: object) -> None:
    handler.close_connection = True


def hanging(handler: Handler, _: object) -> None:
    handler.server_state.closing.wait(20)


BAD_ANSWERS: dict[str, Reply] = {
    "wrong count": one_less,
    "too many": one_more,
    "wrong dimensions": changed(embedding=[0.5] * 7),
    "NaN as null": changed(embedding=[None] + [0.1] * (DIMENSIONS - 1)),
    "NaN as such": changed(embedding=[float("nan")] * DIMENSIONS),
    "text for a number": changed(embedding=["0.1"] * DIMENSIONS),
    "too large for float32": changed(embedding=[1e39] * DIMENSIONS),
    "too large for any float": changed(embedding=[10**400] * DIMENSIONS),
    "a zero vector": changed(embedding=[0.0] * DIMENSIONS),
    "no vector": changed(embedding=None),
    "an index twice": changed(index=1),
    "an index outside": changed(index=3),
    "no index": changed(index=None),
    "truncated JSON": truncated,
    "no JSON": refused(200, b"<html>"),
    "another JSON": refused(200, b"[1]"),
    "nested too deep": refused(200, b"[" * 100_000),
    "hung up": hung_up,
}
PASSING: dict[str, Reply] = {
    "429": refused(429),
    "429 with Retry-After": refused(429, Retry_After="0"),
    "408": refused(408),
    "500": refused(500),
    "503": refused(503, b"\xff\xfe"),
}


@pytest.mark.fault(49, 50)
@pytest.mark.parametrize("name", [*PASSING, "truncated JSON", "wrong dimensions", "hung up"])
def test_what_fails_once_is_asked_again(server: TextServer, name: str) -> None:
    server.script[2] = (PASSING | BAD_ANSWERS)[name]
    paid = ledger()
    made = encoder_at(server, paid=paid).encode(TEXTS, silent)
    assert made == pytest.approx(HashingEncoder(DIMENSIONS).encode(TEXTS, silent), abs=1e-6)
    assert server.requests == 4
    assert server.sent_twice == TEXTS[3:6]
    assert set(paid.found(TEXTS)) == set(TEXTS)


@pytest.mark.fault(50)
@pytest.mark.parametrize("name", sorted(BAD_ANSWERS.keys() - {"hung up"}))
def test_a_bad_answer_is_refused_whole(name: str) -> None:
    class Caught:
        server_state = TextServer()
        content = b""

        def send(self, _status: int, content: bytes) -> None:
            self.content = content

        def whole(self, answer: object) -> None:
            self.content = json.dumps(answer).encode()

    encoder = OpenAIEncoder(model="m", dimensions=DIMENSIONS)
    body = encoder.request(TEXTS[:3]).body
    caught = Caught()
    BAD_ANSWERS[name](cast("Handler", caught), answer_to(json.loads(body), DIMENSIONS))
    with pytest.raises(DataError):
        encoder.read(caught.content, 3)


@pytest.mark.fault(50)
def test_no_bad_answer_is_ever_stored(server: TextServer) -> None:
    server.reply = one_less
    paid = ledger()
    with pytest.raises(ProviderFailed, match="2 times in vain, the last time: the answer was ref"):
        encoder_at(server, paid=paid, attempts=2).encode(TEXTS[:3], silent)
    assert paid.found(TEXTS) == {}


def test_an_answer_in_another_order_is_put_in_order(server: TextServer) -> None:
    server.reply = shuffled
    made = encoder_at(server).encode(TEXTS, silent)
    assert made == pytest.approx(HashingEncoder(DIMENSIONS).encode(TEXTS, silent), abs=1e-6)
    assert server.requests == 3


@pytest.mark.fault(49, 50)
@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (refused(401, f'{{"error": "wrong key {KEY}"}}'.encode()), r"401 .*wrong key \*\*\*"),
        (refused(400), "400"),
        (refused(404), "404"),
        (refused(429, b'{"code": "insufficient_quota"}'), "insufficient_quota"),
        (refused(429, Retry_After="3600"), "asks to wait 3600 s"),
        (refused(302, Location="http://169.254.169.254/x?k=v"), "redirect to 169.254.169.254: no"),
    ],
)
def test_what_will_not_pass_ends_at_once(server: TextServer, reply: Reply, told: str) -> None:
    server.script[2] = reply
    paid = ledger()
    with pytest.raises(ProviderFailed, match=told) as caught:
        encoder_at(server, paid=paid).encode(TEXTS, silent)
    assert KEY not in str(caught.value)
    assert server.requests == 2
    server.script.clear()
    encoder_at(server, paid=paid).encode(TEXTS, silent)
    assert server.sent_twice == TEXTS[3:6]


@pytest.mark.fault(49)
def test_a_server_that_hangs_is_left(server: TextServer) -> None:
    server.script[1] = hanging
    made = encoder_at(server, timeout_s=0.5).encode(TEXTS[:3], silent)
    assert made.any(axis=1).all()
    assert server.requests == 2


@pytest.mark.fault(49)
def test_retry_after_is_waited_for(server: TextServer, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = list[float]()

    class NoPause(Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0.0)
            return self.is_set()

    client = openai.BatchClient(encoder_at(server), ledger(), ended=NoPause())
    server.script[1] = refused(429, Retry_After="7")
    assert len(list(client.send(TEXTS[:3]))) == 1
    assert pauses == [0.0, pytest.approx(7, abs=0.01)]


@pytest.mark.fault(49)
def test_a_budget_of_calls_is_kept_and_told(server: TextServer) -> None:
    server.reply = refused(500)
    with pytest.raises(ProviderFailed, match="calls_max = 3"):
        encoder_at(server, paid=ledger(calls=3)).encode(TEXTS, silent)
    assert server.requests == 3


@pytest.mark.fault(49)
def test_a_budget_of_money_is_kept_and_told(server: TextServer) -> None:
    tokens = sum(map(estimated_tokens, TEXTS[:3]))
    paid = ledger(money=1.5 * tokens, price=1e6)
    with pytest.raises(ProviderFailed, match="money_max"):
        encoder_at(server, paid=paid).encode(TEXTS, silent)
    assert server.requests == 2
    more = PaidInMemory(Budget(money=1e9), vectors=paid.vectors)
    encoder_at(server, paid=more).encode(TEXTS, silent)
    assert server.sent_twice == []
    assert server.requests == 3


def test_what_is_paid_is_what_the_server_says(server: TextServer) -> None:
    paid = ledger()
    encoder_at(server, paid=paid).encode(TEXTS, silent)
    assert (paid.calls, paid.tokens) == (3, 2 * len(TEXTS))


def test_requests_are_made_at_once_up_to_the_limit(server: TextServer) -> None:
    encoder_at(server, concurrency=3).encode([f"t{number}" for number in range(60)], silent)
    assert 1 < server.most_at_once <= 3
    assert server.keys == {f"Bearer {KEY}"}


def test_dimensions_are_asked_for_where_the_model_has_others(server: TextServer) -> None:
    api = TextApi(url=server.url)
    made = OpenAIEncoder(dimensions=32, api=api).encode(["a b"], silent)
    assert made.shape == (1, 32)
    assert server.bodies[0]["dimensions"] == 32
    encoder_at(server).encode(["a b"], silent)
    assert "dimensions" not in server.bodies[1]
    assert server.keys == {"", f"Bearer {KEY}"}


@pytest.mark.fault(48)
def test_another_model_address_or_dimension_is_another_space() -> None:
    api = TextApi()
    prints = [
        OpenAIEncoder(api=api).fingerprint(),
        OpenAIEncoder(dimensions=512, api=api).fingerprint(),
        OpenAIEncoder(model="text-embedding-3-large", api=api).fingerprint(),
        OpenAIEncoder(api=TextApi(url="https://models.example/v1")).fingerprint(),
        OpenAIEncoder(model="m", dimensions=1536).fingerprint(),
        OpenAIEncoder(model="m", dimensions=1536, shorten=True).fingerprint(),
    ]
    assert len(set(prints)) == len(prints)
    same = OpenAIEncoder(dimensions=1536, batch_texts=7, api=TextApi(key=KEY)).fingerprint()
    assert same == prints[0]
    assert KEY not in repr(OpenAIEncoder(api=TextApi(key=KEY)))


@pytest.mark.fault(49)
def test_answers_in_flight_are_kept_when_another_request_fails(server: TextServer) -> None:
    failed = Event()

    def late(handler: Handler, answer: dict[str, Any]) -> None:
        failed.wait(20)
        handler.whole(answer)

    def failing(handler: Handler, _: object) -> None:
        handler.send(401, b"{}")
        failed.set()

    server.script = {1: late, 2: failing}
    paid = ledger()
    with pytest.raises(ProviderFailed, match="401"):
        encoder_at(server, paid=paid, concurrency=2).encode(TEXTS, silent)
    assert len(paid.vectors) in {3, 6}  # the thread may have begun another batch
    server.script.clear()
    server.reply = lambda handler, answer: handler.whole(answer)
    encoder_at(server, paid=paid).encode(TEXTS, silent)
    assert len(server.sent_twice) == 3
