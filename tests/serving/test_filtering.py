import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.core.related import RelatedItem, RelatedList, unmade
from recommender.serving import filtering
from recommender.serving.codec import StoredList, View
from recommender.serving.field_columns import FieldColumns
from recommender.serving.filtering import RecentLists, finished, wanted_items
from recommender.serving.item_fields import FieldsReading, ListFields
from recommender.serving.keys import Keys
from recommender.serving.queries import checked_query
from recommender.serving.state import LayeredList, ListRequest, PolledState

ITEMS = [f"i{row}" for row in range(20)]
stocks = st.dictionaries(st.sampled_from(ITEMS), st.integers(0, 3))


@given(
    listed=st.permutations(ITEMS), best=st.permutations(ITEMS), stock=stocks, n=st.integers(0, 8)
)
def test_laws_of_filtered_answers(
    listed: list[str], best: list[str], stock: dict[str, int], n: int
) -> None:
    """A subset in the old order, every entry meets the condition, n where there are enough."""
    listed, best = listed[:12], best[:5]
    query = checked_query("related", n, (), {"where": "stock > 0"}, min_score=0.0, key="")
    stored = StoredList("\t".join(best), b"p" * len(best), b"AA" * len(best))
    state = PolledState(best_sellers={"related": LayeredList(1, 1, stored)})
    request = ListRequest(query, state, View((1,), ("related",)))
    own_list = StoredList("\t".join(listed), b"b" * len(listed), b"_f" * len(listed))
    answer = unmade("seed", "related", 1, "ok", own_list, "")
    assert query.fields is not None
    reading = FieldsReading(query.fields, Keys("s"), {}, 100, lambda _: None)
    wanted = reading.want(request.view, [*wanted_items([(answer, request)], ""), *best])
    assert len(reading.command(wanted)) == 1 + 2 * len(wanted)
    reply = [
        value
        for item in wanted
        for value in (None, json.dumps({"stock": stock[item]}).encode() if item in stock else None)
    ]
    reading.take(wanted, reply)
    found = finished(answer, request, reading, "seed", set())
    again = FieldsReading(query.fields, Keys("s"), {}, 100, lambda _: None)
    again.recall(reading.remembered(listed))
    sold = {item for item, count in stock.items() if count > 0}
    own = [item for item in listed if item in sold]
    others = [item for item in best if item in sold and item not in listed]
    assert list(found.ids) == [*own, *others][:n]
    remembered = finished(
        answer, dataclasses.replace(request, state=PolledState()), again, "seed", set()
    )
    assert remembered.items == found.items[: len(own)]
    if len(own) < n:
        assert sum(found.dropped.values()) == len(listed) - len(own)


def test_a_condition_on_fields_that_were_not_read_is_not_guessed() -> None:
    query = checked_query("related", 3, (), {"where": "price == null"}, min_score=0.0, key="")
    request = ListRequest(query, PolledState(), View((1,), ("related",)))
    answer = RelatedList("a", "related", 1, "ok", (RelatedItem("b", 0.5, "both"),))
    assert query.fields is not None
    reading = FieldsReading(query.fields, Keys("s"), {}, 100, lambda _: None)
    wanted = reading.want(request.view, ["a", "b"])
    unread = finished(answer, request, reading, "a", set())
    assert (unread.ids, unread.status) == ((), "degraded")
    reading.take(wanted, [None] * 4)
    assert finished(answer, request, reading, "a", set()).ids == ("b",)


def test_the_fields_of_a_list_are_kept_for_a_second_and_of_so_many_lists(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("recommender.serving.filtering.time.monotonic", lambda: now)
    monkeypatch.setattr(filtering, "MAX_LISTS", 2)
    kept, found = RecentLists(), ListFields(100.0, {}, FieldColumns([]))
    kept.keep("a", found)
    assert kept.find("a") is found
    assert kept.find("b") is None
    now = 101.5
    assert kept.find("a") is None
    for name in "abc":
        kept.keep(name, ListFields(now, {}, FieldColumns([])))
    assert [kept.find(name) is not None for name in "abc"] == [False, False, True]
