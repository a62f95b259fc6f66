from dataclasses import replace

import numpy as np

from recommender.build.storefront import NEW_ITEMS, new_items, removed_by
from recommender.core.catalogue import Catalogue
from recommender.merchandising.application import snapshot
from recommender.merchandising.rule_set import MerchandisingRule, RuleSet, Selection
from tests.support.shops import catalogue, interactions

NONE = np.zeros(0, dtype=np.int32)


def goods(**columns: object) -> Catalogue:
    paths = ("A > X", "A", "B", "B > Y", "", "A")
    plain = replace(catalogue(6), in_stock=np.ones(6, dtype=bool), category=paths)
    return replace(plain, **columns)  # type: ignore[arg-type]


class TestNewItems:
    def test_they_are_those_with_few_events_by_the_top_of_their_category(self) -> None:
        events = interactions([[0, 2], [0, 2], [0, 1]], 6)
        assert new_items(goods(), events, 1, NONE) == {
            "A": ["i005", "i001"],
            "B": ["i003"],
            "": ["i004"],
        }
        assert new_items(goods(), events, 0, NONE) == {"A": ["i005"], "B": ["i003"], "": ["i004"]}

    def test_the_latest_come_first_and_those_to_come_not_at_all(self) -> None:
        events = interactions([[2, 3]], 6)
        now = int(events.time.max())
        since = np.array([now - 5, now, 0, 0, now + 1, now - 9], dtype=np.int64)
        found = new_items(goods(available_from=since), events, 0, NONE)
        assert found == {"A": ["i001", "i000", "i005"]}

    def test_what_is_not_sold_or_removed_is_not_new(self) -> None:
        events = interactions([[2, 3]], 6)
        stock = np.array([True, False, True, True, True, True])
        sale = np.array([True, True, True, True, False, True])
        removed = np.array([5], dtype=np.int32)
        assert new_items(goods(in_stock=stock, for_sale=sale), events, 0, removed) == {
            "A": ["i000"]
        }

    def test_a_category_has_a_bound(self) -> None:
        n = NEW_ITEMS + 20
        many = replace(catalogue(n), category=("A",) * n, in_stock=np.ones(n, dtype=bool))
        assert len(new_items(many, interactions([], n), 0, NONE)["A"]) == NEW_ITEMS


def test_rules_remove_what_they_exclude_or_replace_anywhere() -> None:
    rules = (
        MerchandisingRule("x", "exclude", Selection(("i001",)), lists_of=Selection(("i002",))),
        MerchandisingRule("p", "exclude", pairs=(("i002", "i003"),)),
        MerchandisingRule("r", "replace", Selection(("i005",)), substitute="i000"),
        MerchandisingRule("b", "boost", Selection(("i004",)), by=2.0),
    )
    assert removed_by(snapshot(RuleSet(rules)), goods()).tolist() == [1, 3, 5]
    assert removed_by({}, goods()).tolist() == []
