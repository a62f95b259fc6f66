"""How far the word of one user goes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.co_occurrence import CoOccurrence
from recommender.errors import ConfigError
from recommender.interactions import Interactions
from recommender.recipe import Trust
from tests.shops import interactions

N_ITEMS = 6
EVERY = np.arange(N_ITEMS, dtype=np.int32)
baskets = st.lists(
    st.tuples(st.integers(-1, 3), st.sets(st.integers(0, N_ITEMS - 1), min_size=1)), max_size=25
)
Drawn = list[tuple[int, set[int]]]


def shop(drawn: Drawn) -> Interactions:
    """Baskets in the order of time, each with its user, -1 for a guest."""
    events = interactions([sorted(items) for _, items in drawn], N_ITEMS)
    user = np.repeat([user for user, _ in drawn], [len(items) for _, items in drawn])
    return replace(events, user=user.astype(np.int32))


def together(events: Interactions, user: int) -> np.ndarray:
    """How many baskets of a user hold each pair (n, n)."""
    seen = events.select(events.user == user).matrix().toarray() > 0
    return seen.T.astype(int) @ seen.astype(int)


@given(baskets, st.integers(1, 4))
def test_no_user_says_more_of_a_pair_than_the_cap(drawn: Drawn, most: int) -> None:
    events = shop(drawn)
    capped = events.capped(most)
    for user in range(4):
        assert together(capped, user).max(initial=0) <= most
        items = {item for one, held in drawn if one == user for item in held}
        assert set(capped.item[capped.user == user].tolist()) == items
    guests = events.select(events.user == -1)
    assert (capped.item[capped.user == -1] == guests.item).all()


@given(baskets)
def test_the_newest_stay_and_a_wide_cap_changes_nothing(drawn: Drawn) -> None:
    events = shop(drawn)
    assert len(events.capped(0)) == len(events.capped(25)) == len(events)
    newest = events.capped(1)
    for user in range(4):
        for item in range(N_ITEMS):
            of = (events.user == user) & (events.item == item)
            kept = (newest.user == user) & (newest.item == item)
            assert newest.basket[kept].tolist() == events.basket[of].tolist()[-1:]


def test_kinds_and_sessions_are_counted_apart() -> None:
    events = shop([(0, {0, 1}), (0, {0, 1}), (0, {0, 1})])
    viewed = replace(
        events,
        kind=np.array([0, 0, 1, 1, 1, 1], np.int8),
        kinds=("purchase", "view"),
        weights=(1.0, 0.2),
        basket=np.array([0, 0, -1, -1, -1, -1], np.int32),
        session=np.array([-1, -1, 0, 0, 1, 1], np.int32),
    )
    capped = viewed.capped(1)
    assert capped.kind.tolist() == [0, 0, 1, 1]
    assert capped.session.tolist() == [-1, -1, 1, 1]


@given(baskets, st.integers(1, 3))
def test_pairs_of_few_users_do_not_count(drawn: Drawn, users_min: int) -> None:
    events = shop(drawn)
    trusting = CoOccurrence.of(events)
    guarded = CoOccurrence.of(events, users_min=users_min)
    users = np.zeros((N_ITEMS, N_ITEMS), int)
    for user in range(4):
        users += together(events, user) > 0
    for _, items in (one for one in drawn if one[0] == -1):
        held = np.isin(EVERY, [*items]).astype(int)
        users += np.outer(held, held)
    assert (guarded.users(EVERY).toarray() == users).all()
    expected = np.where(users >= users_min, trusting.rates(EVERY).toarray(), 0)
    assert guarded.rates(EVERY).toarray() == pytest.approx(expected)


def test_thousands_of_baskets_of_one_user_are_one_word() -> None:
    honest = [(user, {0, 1}) for user in range(3)]
    attacked = shop(honest + [(3, {0, 5})] * 2_000)
    assert CoOccurrence.of(attacked).rates(EVERY)[0, 5] > 0.9
    trusted = attacked.capped(1)
    rates = CoOccurrence.of(trusted).rates(EVERY)
    assert rates[0, 5] < rates[0, 1]
    assert CoOccurrence.of(trusted, users_min=2).rates(EVERY)[0, 5] == 0


@pytest.mark.parametrize("wrong", [{"user_baskets": -1}, {"users_min": 0}])
def test_values_out_of_range(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Trust(**wrong)
