import gc
import sys
import time
from dataclasses import replace
from unittest.mock import patch

import pytest

from recommender.core.related import RelatedItem, RelatedList
from recommender.serving.queries import checked_query
from recommender.serving.recent_answers import RecentAnswers
from recommender.serving.state import ListRequest, PolledState

ANSWER = RelatedList("a", "related", 1, "ok", (RelatedItem("b", 0.5, "both"),), "first")
MADE = replace(ANSWER, records=({"id": "b"},), dropped={"stock > 0": 2})


def request(where: str = "stock > 0", state: PolledState | None = None) -> ListRequest:
    query = checked_query("related", 3, (), {"where": where}, min_score=0.0, key="")
    return ListRequest(query, state or STATE)


STATE = PolledState()


def test_an_answer_is_found_again_with_a_token_of_its_own() -> None:
    recent = RecentAnswers(10)
    recent.keep(ANSWER, request(), MADE, time.monotonic())
    found = recent.find(replace(ANSWER, token="second"), request())
    assert found is not None
    assert (found.items, found.records, found.dropped) == (MADE.items, MADE.records, MADE.dropped)
    assert found.token == "second"


@pytest.mark.parametrize(
    ("answer", "asked"),
    [
        (replace(ANSWER, item="z"), request()),
        (replace(ANSWER, status="stale"), request()),
        (ANSWER, request("stock > 1")),
        (ANSWER, request(state=PolledState(version=9))),
    ],
)
def test_another_question_or_state_finds_nothing(answer: RelatedList, asked: ListRequest) -> None:
    recent = RecentAnswers(10)
    recent.keep(ANSWER, request(), MADE, time.monotonic())
    assert recent.find(answer, asked) is None


def test_an_answer_is_kept_for_a_second() -> None:
    recent = RecentAnswers(10)
    with patch("recommender.serving.recent_answers.time.monotonic", side_effect=[5.9, 6.1]):
        recent.keep(ANSWER, request(), MADE, 5.0)
        assert recent.find(ANSWER, request()) is not None
        assert recent.find(ANSWER, request()) is None


def test_no_more_answers_are_kept_than_the_bound() -> None:
    recent = RecentAnswers(2)
    for item in "abc":
        recent.keep(replace(ANSWER, item=item), request(), MADE, time.monotonic())
    assert recent.find(ANSWER, request()) is None
    assert recent.find(replace(ANSWER, item="c"), request()) is not None


def test_earlier_states_of_the_shop_are_let_go() -> None:
    recent, states = RecentAnswers(10), [PolledState(version=version) for version in range(3)]
    held = sys.getrefcount(states[0])
    read_at = time.monotonic() + 3600  # collecting the garbage of a large process takes seconds
    for item, state in zip("abc", states, strict=True):
        recent.keep(replace(ANSWER, item=item), request(state=state), MADE, read_at)
    gc.collect()
    now_held = sys.getrefcount(states[0])
    assert now_held == held
    assert recent.find(replace(ANSWER, item="a"), request(state=states[0])) is None
    assert recent.find(replace(ANSWER, item="c"), request(state=states[2])) is not None
