from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from recommender.build.storefront import IMPRESSION, NEW_ITEMS, new_items, removed_by
from recommender.core.arrays import Rows
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions
from recommender.merchandising.application import snapshot
from recommender.merchandising.rule_set import MerchandisingRule, RuleSet, Selection
from recommender.settings.loading import load
from tests.build.small_jobs import BASKETS
from tests.support.builds import make
from tests.support.shop_files import SETTINGS, orders, write_shop
from tests.support.shops import catalogue, interactions

NONE = np.zeros(0, dtype=np.int32)


def goods(**columns: object) -> Catalogue:
    paths = ("A > X", "A", "B", "B > Y", "", "A")
    plain = replace(catalogue(6), in_stock=np.ones(6, dtype=bool), category=paths)
    return replace(plain, **columns)  # type: ignore[arg-type]


def few(
    items: Catalogue, events: Interactions, events_max: int, removed: Rows = NONE
) -> dict[str, list[str]]:
    return new_items(items, events, removed, events_max=events_max, impressions_max=2)


class TestNewItems:
    def test_what_was_shown_often_is_not_new_and_what_was_shown_least_comes_first(self) -> None:
        bought = interactions([[2, 3]], 6)
        shown = interactions([[0, 1, 5]] * 2 + [[1]], 6)
        together: dict[str, Any] = {
            name: np.concatenate([getattr(bought, name), getattr(shown, name)])
            for name in ("item", "basket", "session", "user", "time")
        }
        kind = np.repeat(np.array([1, 0], dtype=np.int8), [2, 7])
        kinds, weights = (IMPRESSION, "purchase"), (0.0, 1.0)
        events = replace(shown, **together, kind=kind, kinds=kinds, weights=weights)
        assert few(goods(), events, 0) == {"A": ["i000", "i005"], "": ["i004"]}
        assert few(goods(), events, 1)["B"] == ["i002", "i003"]

    def test_they_are_those_with_few_events_by_the_top_of_their_category(self) -> None:
        events = interactions([[0, 2], [0, 2], [0, 1]], 6)
        assert few(goods(), events, 1) == {
            "A": ["i005", "i001"],
            "B": ["i003"],
            "": ["i004"],
        }
        assert few(goods(), events, 0) == {"A": ["i005"], "B": ["i003"], "": ["i004"]}

    def test_the_latest_come_first_and_those_to_come_not_at_all(self) -> None:
        events = interactions([[2, 3]], 6)
        now = int(events.time.max())
        since = np.array([now - 5, now, 0, 0, now + 1, now - 9], dtype=np.int64)
        found = few(goods(available_from=since), events, 0)
        assert found == {"A": ["i001", "i000", "i005"]}

    def test_what_is_not_sold_or_removed_is_not_new(self) -> None:
        events = interactions([[2, 3]], 6)
        stock = np.array([True, False, True, True, True, True])
        sale = np.array([True, True, True, True, False, True])
        removed = np.array([5], dtype=np.int32)
        assert few(goods(in_stock=stock, for_sale=sale), events, 0, removed) == {"A": ["i000"]}

    def test_a_category_has_a_bound(self) -> None:
        n = NEW_ITEMS + 20
        many = replace(catalogue(n), category=("A",) * n, in_stock=np.ones(n, dtype=bool))
        assert len(few(many, interactions([], n), 0)["A"]) == NEW_ITEMS


def test_rules_remove_what_they_exclude_or_replace_anywhere() -> None:
    rules = (
        MerchandisingRule("x", "exclude", Selection(("i001",)), lists_of=Selection(("i002",))),
        MerchandisingRule("p", "exclude", pairs=(("i002", "i003"),)),
        MerchandisingRule("r", "replace", Selection(("i005",)), substitute="i000"),
        MerchandisingRule("b", "boost", Selection(("i004",)), by=2.0),
    )
    assert removed_by(snapshot(RuleSet(rules)), goods()).tolist() == [1, 3, 5]
    assert removed_by({}, goods()).tolist() == []


def test_impressions_of_weight_0_change_no_list(tmp_path: Path) -> None:
    plain = write_shop(tmp_path / "plain", orders(*BASKETS), settings=SETTINGS)
    shown = SETTINGS.replace("[interactions]", "[[interactions]]") + (
        '[[interactions]]\npath = "shown.csv"\nkind = "impression"\n'
        'weights = { impression = 0.0 }\ncolumns = { basket = "", session = "", user = "" }\n'
        "[placements.related]\nexplore = 0.1\n"
        "[storefront]\nnew_events_max = 100\nnew_impressions_max = 1\n"
    )
    with_shown = write_shop(tmp_path / "shown", orders(*BASKETS), settings=shown)
    rows = [f"{item},2026-01-05" for item in "aabc"]
    (tmp_path / "shown" / "shown.csv").write_text("\n".join(["item_id,time", *rows]) + "\n")
    before, after = make(load(plain, []).job()), make(load(with_shown, []).job())
    assert [one.entries.rows.tolist() for one in before[1]()] == [
        one.entries.rows.tolist() for one in after[1]()
    ]
    assert after[0].summary["storefront"]["new_items"] == {"": ["c", "b"]}
