"""Prices that cannot be right, hubs and orphans."""

from dataclasses import replace

import numpy as np

from recommender.core.lists import Entries, RelatedLists
from recommender.core.related import EVIDENCE
from recommender.insights.lists import list_findings, unseen
from recommender.insights.prices import price_findings
from tests.support.shops import catalogue

POPULAR, TEXT = EVIDENCE.index("popular"), EVIDENCE.index("text")


def test_zero_negative_and_far_off_prices() -> None:
    price = np.linspace(10, 14, 40, dtype=np.float32)
    price[[0, 1, 2, 3]] = [0, -1, 900, np.nan]
    category = ["Home > Lamps"] * 20 + ["Home > Sofas"] * 20
    price[20:] *= 80
    items = replace(catalogue(40), price=price, category=tuple(category))
    found = {finding.row: finding.detail for finding in price_findings(items, ())}
    assert sorted(found) == [0, 1, 2]
    assert "80 times" in found[2]
    assert "Lamps" in found[2]


def test_a_twin_at_ten_times_the_price() -> None:
    price = np.array([5, 60, np.nan, 7], np.float32)
    items = replace(catalogue(4), price=price)
    found = list(price_findings(items, [(0, 1), (0, 2), (0, 3)]))
    assert [(finding.row, finding.other) for finding in found] == [(1, 0)]


def lists_to(target: int, n_items: int, evidence: int) -> RelatedLists:
    """All lists hold `target`; its own holds the item behind it."""
    rows = np.full(n_items, target, np.int32)
    rows[target] = target + 1
    return RelatedLists(
        "related",
        np.arange(n_items + 1),
        Entries(rows, np.full(n_items, 0.5, np.float32), np.full(n_items, evidence, np.uint8)),
    )


def test_hubs_and_orphans() -> None:
    items = catalogue(60)
    found = list(list_findings(lists_to(7, 60, TEXT), items, 12))
    assert [finding.row for finding in found if finding.kind == "hub"] == [7]
    orphans = {finding.row for finding in found if finding.kind == "orphan"}
    assert orphans == set(range(60)) - {7, 8}
    behind = list(list_findings(lists_to(7, 60, POPULAR), items, 12))
    assert [finding for finding in behind if finding.kind == "hub"] == []


def test_what_cannot_be_bought_yet_is_not_unseen() -> None:
    items = replace(catalogue(3), available_from=np.array([0, 0, 2_000]))
    support = np.array([4, 0, 0], np.float32)
    assert [finding.row for finding in unseen(support, items, newest=1_000)] == [1]
    assert [finding.row for finding in unseen(support, items, newest=3_000)] == [1, 2]
