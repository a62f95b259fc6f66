"""What holds for every list: nothing that is not for sale, and one item of each title."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.core.recipe import Choice, Placement
from recommender.core.vectors import Origins
from recommender.ranking.chooser import OF_TITLES, Chooser, prepare, stages_of
from recommender.ranking.evidence import EvidenceScale
from recommender.ranking.filters.placement import bought_together
from recommender.ranking.rankers.identity import Identity
from recommender.vectors.index.exact import Exact
from tests.ranking.test_chooser import random_vectors
from tests.support.shops import context, interactions

N_ITEMS, DEPTH = 60, 8
TITLES = [f"Knife {row % 20}" for row in range(N_ITEMS)]
DRESSED = ["knife 0", "KNIFE  0", "Knife \uff10", "  Knife 0 "]


def shop(titles: list[str], for_sale: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Catalogue:
    ids = ItemIds(tuple(f"i{row:02d}" for row in range(len(titles))))
    return dataclasses.replace(Catalogue.of_titles(ids, titles), for_sale=for_sale)


def chooser(
    items: Catalogue,
    *,
    one_per_title: bool = True,
    filters: tuple[Choice, ...] = (),
    baskets: Sequence[Sequence[int]] = ((0, 1),),
) -> Chooser:
    placement = Placement(
        "related",
        Choice("gated"),
        filters=filters,
        shown=DEPTH,
        depth=DEPTH,
        one_per_title=one_per_title,
    )
    vectors = random_vectors(len(items))
    events = interactions([list(basket) for basket in baskets], len(items))
    index = Exact().build(vectors.targets)
    return prepare(placement, context(vectors, events, items), index, Identity())


def listed(made: Chooser) -> list[list[int]]:
    found = made.choose(np.arange(len(made.catalogue), dtype=np.int32))
    return [rows[rows >= 0].tolist() for rows in found.rows]


def test_a_list_has_one_item_of_each_title_and_is_as_long_as_before() -> None:
    items = shop(TITLES, np.ones(N_ITEMS, dtype=bool))
    before, after = (listed(chooser(items, one_per_title=one)) for one in (False, True))
    for row, (plain, collapsed) in enumerate(zip(before, after, strict=True)):
        titles = [TITLES[other] for other in collapsed]
        assert len(set(titles) | {TITLES[row]}) == len(collapsed) + 1
        assert len(collapsed) == len(plain) == DEPTH
        best = [other for other in plain if TITLES[other] != TITLES[row]]
        assert collapsed[0] == best[0]
    assert before != after


def test_what_is_left_out_is_counted_as_far_as_the_list_reaches() -> None:
    titles = ["Pan", *["Knife"] * 3, *(f"Fork {n}" for n in range(9))]
    made = chooser(shop(titles, np.ones(13, dtype=bool)))
    scale = EvidenceScale(Origins({}), {})
    dropped = made.chosen(np.arange(13, dtype=np.int32), scale).dropped[:, OF_TITLES]
    assert stages_of(made.placement)[OF_TITLES] == "same-title"
    assert dropped.max() == 2
    for row, full in enumerate(listed(chooser(made.catalogue, one_per_title=False))):
        knives = sum(titles[other] == "Knife" for other in full)
        assert dropped[row] >= (knives if titles[row] == "Knife" else max(knives - 1, 0))


@pytest.mark.parametrize("title", DRESSED)
def test_titles_are_one_where_case_width_and_space_alone_differ(title: str) -> None:
    items = shop(["Knife 0", title, "", "", "Fork"], np.ones(5, dtype=bool))
    lists = listed(chooser(items))
    assert sorted(lists[0]) == [2, 3, 4]
    assert 3 in lists[2]


@pytest.mark.parametrize("filters", [(), (Choice("one-per-group"),)])
def test_what_is_not_for_sale_is_in_no_list_whatever_the_recipe(
    filters: tuple[Choice, ...],
) -> None:
    sold = np.arange(N_ITEMS) % 3 > 0
    items = shop([f"Knife {row}" for row in range(N_ITEMS)], sold)
    items = dataclasses.replace(items, in_stock=sold & (np.arange(N_ITEMS) % 2 == 0))
    shown = {row for rows in listed(chooser(items, filters=filters)) for row in rows}
    assert shown <= set(np.flatnonzero(sold).tolist())
    assert shown & set(np.flatnonzero(~items.in_stock).tolist())


def test_titles_whose_items_are_bought_together_name_no_product() -> None:
    """Two yoghurts of one title are two flavours."""
    items = shop(TITLES, np.ones(N_ITEMS, dtype=bool))
    flavours = [(row, row + 20) for row in range(20)]
    assert listed(chooser(items, baskets=flavours)) == listed(chooser(items, one_per_title=False))
    strangers = [(row, (row + 1) % N_ITEMS) for row in range(N_ITEMS)]
    apart = listed(chooser(items, baskets=strangers))
    assert all(len({TITLES[other] for other in one}) == len(one) for one in apart)


@pytest.mark.parametrize(("n_pairs", "together"), [(9, False), (10, True)])
def test_few_pairs_say_nothing_of_titles(n_pairs: int, together: bool) -> None:
    codes = np.array([0, 0, *range(1, 40)], dtype=np.int32)
    units = [(0, 1)] * n_pairs + [(row, row + 1) for row in range(2, 40)]
    seen = interactions([list(unit) for unit in units], len(codes)).matrix()
    assert bought_together(codes, seen) is together
