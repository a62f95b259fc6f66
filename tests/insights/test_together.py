"""Two items together, counted from events sorted by item."""

from recommender.insights.together import units_by_kind
from tests.support.shops import interactions


def test_shared_units_users_and_lift_are_counted() -> None:
    events = interactions([[0, 1], [0, 1, 2], [1, 2], [0, 0]], 4)
    (bought,) = units_by_kind(events, 4).values()
    found = bought.together("purchase", 0, 1)
    assert (found.units, found.users, found.units_of_item, found.units_of_other) == (2, 2, 3, 3)
    assert found.lift == 2 * 4 / (3 * 3)
    nothing = bought.together("purchase", 0, 3)
    assert (nothing.units, nothing.users, nothing.units_of_other, nothing.lift) == (0, 0, 0, 0.0)
