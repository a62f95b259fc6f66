"""Co-occurrence is counted once for all who ask for the same."""

import dataclasses

import pytest

from recommender.core.co_occurrence import CoOccurrence, Units
from recommender.core.protocols import co_occurrence_counts
from tests.support.shops import checkerboard, context, interactions, random_vectors


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The half-lives that were counted, in turn."""
    days: list[float] = []
    weighed = CoOccurrence.weighed

    def counting(units: Units, half_life_days: float, users_min: int) -> CoOccurrence:
        days.append(half_life_days)
        return weighed(units, half_life_days, users_min)

    monkeypatch.setattr(CoOccurrence, "weighed", counting)
    return days


def test_each_half_life_is_counted_once(counted: list[float]) -> None:
    shop = context(random_vectors(20), checkerboard(20))
    assert shop.rates("basket", 30.0) is shop.rates("basket", 30.0)
    assert shop.rates("basket", 60.0) is not shop.rates("basket", 30.0)
    assert counted == [30.0, 60.0]


def test_contexts_of_the_same_interactions_share_the_counts(counted: list[float]) -> None:
    events = checkerboard(20)
    shared = co_occurrence_counts(events)
    shops = [
        dataclasses.replace(context(random_vectors(20), events), counted=shared) for _ in range(2)
    ]
    assert shops[0].rates(half_life_days=30.0) is shops[1].rates(half_life_days=30.0)
    assert counted == [30.0]


def test_pairs_of_too_few_users_are_no_behaviour() -> None:
    """Each basket is of a user of its own."""
    events = interactions([[0, 1], [0, 1], [2, 3]], 4)
    shop = dataclasses.replace(context(random_vectors(4), events), users_min=2, counted=None)
    together = shop.rates().rates(shop.catalogue.ids.rows(["i000", "i002"])).toarray() > 0
    assert together.tolist() == [[False, True, False, False], [False] * 4]
