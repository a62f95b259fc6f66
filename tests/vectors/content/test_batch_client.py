"""How texts become batches, and which pauses servers ask for. Row 49 is in test_openai.py."""

import pytest

from recommender.vectors.content.batch_client import (
    BATCH_TOKENS,
    _asked_wait,
    batches,
    estimated_tokens,
)

TEXTS = [f"text number {number}" for number in range(9)]


def test_batches_hold_all_texts_in_order_within_their_limits() -> None:
    long = "x" * 60_000
    texts = [*TEXTS, *[f"{long}{number}" for number in range(40)]]
    cut = list(batches(texts, 8))
    assert [text for batch in cut for text in batch.texts] == texts
    assert all(len(batch.texts) <= 8 and batch.tokens <= BATCH_TOKENS for batch in cut)
    assert estimated_tokens("日本") == 2


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
    ],
)
def test_waits_that_servers_ask_for(headers: dict[str, str], wait: float | None) -> None:
    assert _asked_wait(headers) == wait
