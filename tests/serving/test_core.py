import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.serving import codec
from recommender.serving.codec import Pointer, View
from recommender.serving.core import Core
from recommender.serving.queries import checked_query
from recommender.serving.state import PolledState

ITEMS = [f"i{number}" for number in range(12)]
VIEW = View((1,), ("related",))


@given(
    lists=st.dictionaries(
        st.sampled_from(ITEMS), st.lists(st.sampled_from(ITEMS), unique=True), min_size=1
    ),
    lowest=st.sampled_from([0.0, 1.0, 1.5]),
)
def test_a_merged_list_sums_what_its_items_have(lists: dict[str, list[str]], lowest: float) -> None:
    core = Core("acme", cache_items=10, snapshot=None)
    core.confirm(PolledState(pointer=Pointer(1, VIEW)), time.monotonic())
    query = checked_query("related", 100, list(lists), min_score=lowest, key="")
    request = core.request(list(lists), query)
    scores = {item: [1 - rank / 64 for rank in range(len(ids))] for item, ids in lists.items()}
    values = [
        codec.encode_list(item, lists[item], scores[item], [0] * len(lists[item]))
        for item in request.wanted
    ]
    core.take(request, VIEW, values)
    merged = core.merged(request, dict.fromkeys(lists, 1.0))
    sums: dict[str, float] = {}
    for item, ids in lists.items():
        for rank, related in enumerate(ids):
            sums[related] = sums.get(related, 0.0) + scores[item][rank]
    shown = {item: total for item, total in sums.items() if total >= lowest}
    assert {entry.id: entry.score for entry in merged.items} == {
        item: total for item, total in shown.items() if item not in lists
    }
    ranked = [entry.score for entry in merged.items]
    assert ranked == sorted(ranked, reverse=True)


def test_what_nobody_confirms_is_not_believed() -> None:
    core = Core("acme", cache_items=10, snapshot=None)
    query = checked_query("related", 5, (), min_score=0, key="")
    core.confirm(PolledState(pointer=Pointer(1, VIEW)), time.monotonic())
    request = core.request(["a"], query)
    core.take(request, VIEW, [codec.encode_list("a", ["b"], [0.5], [0])])
    assert core.answer(request, "a").status == "ok"
    core.confirm(core.state, time.monotonic() - 2.5)
    assert core.answer(core.request(["a"], query), "a").status == "stale"


@pytest.mark.parametrize("after", [(None, 1), (3, 2, 1)], ids=["restarted", "failed-over"])
def test_a_fence_that_is_used_again_after_data_was_lost_has_other_lists(
    after: tuple[int | None, ...],
) -> None:
    core = Core("acme", cache_items=10, snapshot=None)
    query = checked_query("related", 5, (), min_score=0, key="")
    one = PolledState(b"1", Pointer(1, VIEW))
    core.confirm(one, time.monotonic())
    core.take(core.request(["a"], query), VIEW, [codec.encode_list("a", ["b"], [0.5], [0])])
    assert not core.request(["a"], query).wanted
    for fence in after:
        pointer = None if fence is None else Pointer(fence, VIEW)
        raw = None if pointer is None else b"%d" % pointer.fence
        core.confirm(PolledState(raw, pointer), time.monotonic())
    request = core.request(["a"], query)
    assert [*request.wanted] == ["a"]
    assert core.answer(request, "a").status == "stale"


def test_stale_copies_of_two_pointers_are_not_merged() -> None:
    core = Core("acme", cache_items=10, snapshot=None)
    query = checked_query("related", 5, (), min_score=0, key="")
    for fence, item in ((1, "a"), (2, "b")):
        core.confirm(PolledState(pointer=Pointer(fence, VIEW)), time.monotonic())
        request = core.request([item], query)
        core.take(request, VIEW, [codec.encode_list(item, [f"of-{item}"], [0.5], [0])])
    core.confirm(PolledState(), time.monotonic())
    merged = core.merged(core.request(["a", "b"], query), {"a": 1.0, "b": 1.0})
    assert (merged.status, merged.ids) == ("stale", ("of-b",))
