"""How far the word of one user goes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.poisoning import Attack
from recommender.cli.main import run
from recommender.core.co_occurrence import CoOccurrence
from recommender.core.interactions import Interactions
from recommender.core.recipe import Trust
from recommender.errors import ConfigError
from recommender.settings.loading import load
from tests.support.shop_files import orders, write_shop
from tests.support.shops import interactions

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
    shared: np.ndarray = seen.T.astype(int) @ seen.astype(int)
    return shared


@settings(deadline=None, max_examples=60)
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


@settings(deadline=None, max_examples=60)
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


@settings(deadline=None, max_examples=60)
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


@pytest.mark.fault("S16")
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


def test_fake_baskets_are_those_of_so_many_users_of_their_own() -> None:
    events = shop([(0, {0, 1}), (1, {2, 3})])
    pairs = np.array([[0, 5], [2, 4]])
    attacked = Attack(users=3, baskets=2).on(events, pairs)
    fake = attacked.select(attacked.basket > events.basket.max())
    assert len(fake) == 2 * 3 * 2 * len(pairs)
    assert (fake.time == events.newest).all()
    assert CoOccurrence.of(fake).users(EVERY)[0, 5] == 3
    assert CoOccurrence.of(fake).units.shape[0] == 3 * 2 * len(pairs)
    assert not set(fake.user.tolist()) & set(events.user.tolist())


def test_a_recipe_that_trusts_everyone_is_the_recipe_it_was(tmp_path: Path) -> None:
    config = write_shop(tmp_path, orders(("a", "b"), ("b", "c")))
    recipe = load(config).recipe.recipe()
    assert "trust" not in recipe.plain()
    bounded = load(config, ["recipe.trust.users_min=2"]).recipe.recipe()
    assert bounded.plain()["trust"] == {"users_min": 2}
    assert bounded.digest != recipe.digest
    with pytest.raises(ConfigError, match="did you mean 'user_baskets'"):
        load(config, ["recipe.trust.user_basket=1"])


@pytest.mark.fault("S16")
def test_one_customer_does_not_buy_an_item_a_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    honest = [("a", "b", "c"), ("a", "b", "d"), ("a", "c", "d"), ("d", "e"), ("e", "x")] * 4
    lines = orders(*honest)
    lines += "".join(
        f"f{number},crook,{item},Title of {item},2026-02-01\n"
        for number in range(200)
        for item in ("a", "x")
    )
    config = write_shop(tmp_path, lines)
    first = {}
    for baskets in (0, 1):
        where = ["--config", str(config), "--set", f"recipe.trust.user_baskets={baskets}"]
        assert run(["reindex", *where, "--force"]) == 0
        capsys.readouterr()
        assert run(["related", "a", "-n", "3", "--json", *where]) == 0
        first[baskets] = [entry["id"] for entry in json.loads(capsys.readouterr().out)["items"]]
    assert first[0][0] == "x"
    assert "x" not in first[1]
