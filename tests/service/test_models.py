"""Requests are validated in one line, and lists are written as JSON."""

import json
import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.core.related import EVIDENCE, Evidence
from recommender.service.models import (
    RelatedQuery,
    RequestRefused,
    SearchRequest,
    parse_batch,
    parse_query,
)


@pytest.mark.parametrize(
    ("written", "n"),
    [("0", 0), ("-5", 0), ("1001", 1000), ("9" * 5000, 1000), ("-" + "9" * 5000, 0), ("007", 7)],
)
def test_absurd_numbers_are_clamped(written: str, n: int) -> None:
    assert parse_query(RelatedQuery, f"n={written}".encode()).n == n


@pytest.mark.parametrize(
    "query",
    [
        *("n=many", "n=", "n=1.5", "n=٣", "n=inf"),
        *("min_score=high", "min_score=nan", "min_score=inf"),
        "&".join(f"exclude={number}" for number in range(101)),
    ],
)
def test_a_malformed_query_is_refused_with_the_name_of_the_parameter(query: str) -> None:
    with pytest.raises(RequestRefused, match=f"^{query.partition('=')[0]}") as refused:
        parse_query(RelatedQuery, query.encode())
    assert refused.value.status == 400
    assert "\n" not in str(refused.value)


def test_the_last_value_of_a_name_counts() -> None:
    found = parse_query(RelatedQuery, b"n=3&n=4&exclude=a&exclude=&placement=")
    assert (found.n, found.exclude, found.placement) == (4, ("a", ""), "")
    assert parse_query(RelatedQuery, b"") == RelatedQuery()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "not a JSON object"),
        (b'{"items": []}', "items: give a list of 1 to 100"),
        (b"{}", "items: give a list"),
        (b'{"items": "a"}', "items: give a list"),
        (b'{"items": [1]}', "items: give a list"),
        (json.dumps({"items": ["a"] * 101}).encode(), "101 are too many"),
        (b'{"items": ["a"], "item": 1}', "'item': unknown parameter; did you mean 'items'?"),
        (b'{"items": ["a"], "n": true}', "n = True"),
        (b'{"items": ["a"], "n": "x"}', "n = 'x'"),
        (b'{"items": ["a"], "min_score": NaN}', "min_score = nan"),
        (b'{"items": ["a"], "min_score": true}', "min_score = True"),
        (b'{"items": ["a"], "min_score": [1]}', "min_score = [1]"),
        (b'{"items": ["a"], "placement": 1}', "placement: give a text"),
        (b'{"items": ["a"], "key": null}', "key: give a text"),
        (b'{"items": ["a"], "distinct": 1}', "distinct: give true or false"),
        (b'{"items": ["a"], "distinct": true, "merged": true}', "ask for one of them"),
        (b'{"items": ["a"], "decay": 0.8}', "decay: ask for merged, too"),
        (b'{"items": ["a"], "events": [{"item": "a"}]}', "item ids, or else events"),
        (b'{"events": []}', "events: give objects with item"),
        (b'{"events": ["a"]}', "events: give objects with item"),
        (b'{"events": [{"item": 1}]}', "events: give objects with item"),
        (b'{"events": [{"item": "a", "age": -1}]}', "age (seconds, from 0 on)"),
        (b'{"events": [{"item": "a", "when": 1}]}', "events: unknown field 'when'"),
        (b'{"events": [{"item": "a"}], "distinct": true}', "a session has one list"),
        *(
            (f'{{"items": ["a"], "merged": true, "decay": {given}}}'.encode(), said)
            for given, said in [
                ("0", "decay = 0: give a number above 0 and at most 1"),
                ("-0.5", "decay = -0.5"),
                ("1.5", "decay = 1.5"),
                ("NaN", "decay = nan"),
                ("true", "decay = True"),
                ('"x"', "decay = 'x'"),
            ]
        ),
    ],
)
def test_a_malformed_body_is_refused_in_one_line(body: bytes, said: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        parse_batch(body)
    assert refused.value.status == 400
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("written", "n"), [("1" + "0" * 30, 1000), ("-5", 0), ('"7"', 7)])
def test_absurd_numbers_of_a_body_are_clamped(written: str, n: int) -> None:
    assert parse_batch(f'{{"items": ["a"], "n": {written}}}'.encode()).n == n


def refusal(body: bytes) -> str:
    """Why a body is refused, empty where it is a request."""
    try:
        parse_batch(body)
    except RequestRefused as refused:
        return str(refused)
    return ""


@given(st.binary(max_size=60))
def test_any_body_is_a_request_or_is_refused_in_one_line(body: bytes) -> None:
    assert len(refusal(body).splitlines()) <= 1


@pytest.mark.parametrize(
    ("query", "n", "price_max"),
    [("q=lamp", 12, math.inf), ("q= lamp &n=0", 1, math.inf), ("q=lamp&n=999&price_max=5", 100, 5)],
)
def test_a_search_is_stripped_and_has_bounds(query: str, n: int, price_max: float) -> None:
    found = parse_query(SearchRequest, query.encode())
    assert (found.q, found.n, found.price_max) == ("lamp", n, price_max)


@pytest.mark.parametrize("query", ["", "q=", "q=%20", "q=" + "x" * 201])
def test_a_search_needs_words(query: str) -> None:
    with pytest.raises(RequestRefused, match=r"^q: give 1 to 200 characters"):
        parse_query(SearchRequest, query.encode())


def test_evidence_of_the_model_is_that_of_lists() -> None:
    assert set(get_args(Evidence)) == set(EVIDENCE)
