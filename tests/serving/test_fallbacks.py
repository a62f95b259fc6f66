import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import ResponseError

from recommender.errors import StoreUnavailable
from recommender.serving.core import Core
from recommender.serving.fallbacks import FAILURES, MAX_SET_ASIDE, Breaker, ListCache
from recommender.serving.state import LayeredList, NotAsked

ITEMS = [f"i{number}" for number in range(12)]

# The cache


@pytest.mark.fault("S3")
@given(st.lists(st.tuples(st.sampled_from(ITEMS), st.integers(1, 3))))
def test_the_cache_keeps_its_bound_and_the_newest_fence(puts: list[tuple[str, int]]) -> None:
    cache = ListCache(4)
    for item, fence in puts:
        cache.put_all([(("related", item, False), LayeredList(fence, fence, None))])
        assert len(cache) <= 4
        cached = cache.get(("related", item, False))
        assert cached is not None
        assert cached.fence >= fence


def test_the_longest_unused_leaves_the_cache_first() -> None:
    cache = ListCache(2)
    first, second, third = (("related", item, False) for item in "abc")
    found = LayeredList(1, 1, None)
    cache.put_all([(first, found)])
    cache.put_all([(second, found)])
    cache.get(first)
    cache.put_all([(third, found)])
    assert (cache.get(first), cache.get(second), cache.get(third)) == (found, None, found)


# The breaker


def test_only_failures_in_a_row_open_the_breaker() -> None:
    breaker = Breaker()
    for _ in range(3):
        for _ in range(FAILURES - 1):
            breaker.failed()
        breaker.succeeded()
    states = [breaker.open]
    for _ in range(FAILURES):
        breaker.failed()
    states.append(breaker.open)
    breaker.succeeded()
    states.append(breaker.open)
    breaker.close()
    states.append(breaker.open)
    assert states == [False, True, True, False]
    assert breaker.opened == 1


@pytest.mark.fault(68)
@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (ResponseError("LOADING"), True),
        (StoreUnavailable("the server hung up"), True),
        (NotAsked("no connection was free"), False),
        (ValueError("a defect of ours"), False),
        (RuntimeError("no more threads"), False),
    ],
)
def test_what_this_process_did_is_no_failure_of_the_server(error: Exception, counts: bool) -> None:
    core = Core("acme", cache_items=0, snapshot=None)
    for _ in range(FAILURES):
        core.failed("read_failures", error)
    assert core.breaker.open is counts
    assert core.stats()["read_failures"] == FAILURES


def test_lists_that_are_set_aside_have_a_bound() -> None:
    cache = ListCache(2)
    for number in range(3 * MAX_SET_ASIDE):
        cache.set_aside(("related", f"i{number}", False), 7)
        assert len(cache.too_large) <= MAX_SET_ASIDE
    assert cache.too_large["related", f"i{number}", False] == 7
