"""Ties are broken by a hash of the item's id: no order of rows decides what is published."""

import random
from pathlib import Path

import pytest

from recommender.core.ids import tie_order
from tests.build.small_jobs import job, lists_by_item
from tests.support.shop_files import SETTINGS, write_shop

N_ITEMS = 40
SEEDS = (1, 2, 3)
SOURCES = """
candidates = ["nearest", "co-occurrence", "best-sellers", "same-category", "by-category"]
"""


def shop(folder: Path, seed: int) -> Path:
    """A shop full of ties: few titles and categories, and each item sold with one other, once."""
    rows = [f"p{n:03d},Knife {n // 2},Kitchen > {n % 2}" for n in range(N_ITEMS)]
    orders = [f"{n // 2},p{n:03d}" for n in range(N_ITEMS)]
    random.Random(seed).shuffle(rows)
    return write_shop(
        folder,
        "\n".join(["order_id,item_id", *orders]) + "\n",
        catalogue="\n".join(["item_id,title,category", *rows]) + "\n",
        settings=SETTINGS.replace('candidates = ["nearest"]\n', SOURCES),
    )


def test_the_order_of_the_catalogue_changes_no_list(tmp_path: Path) -> None:
    made = []
    for seed in SEEDS:
        shop(tmp_path / str(seed), seed)
        made.append(lists_by_item(job(tmp_path / str(seed), "recipe.index.use=exact")))
    assert all(lists == made[0] for lists in made), f"seeds {SEEDS}"
    assert len(made[0]) == N_ITEMS


def test_best_sellers_of_equal_sales_are_not_those_of_the_lowest_ids(tmp_path: Path) -> None:
    shop(tmp_path, 1)
    settings = ["recipe.placements.0.candidates=[{use='best-sellers', size=8}]"]
    lists = lists_by_item(job(tmp_path, "recipe.index.use=exact", *settings))
    first = {item for listed in lists.values() for item in listed[:5]}
    assert max(first) > f"p{N_ITEMS // 2:03d}"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_ids_is_that_of_their_hashes(seed: int) -> None:
    ids = [f"p{n:03d}" for n in range(200)]
    shuffled = random.Random(seed).sample(ids, len(ids))
    ordered = [shuffled[place] for place in tie_order(shuffled)]
    assert ordered == [ids[place] for place in tie_order(ids)] != ids
    assert ordered[:3] == ["p002", "p045", "p157"]
