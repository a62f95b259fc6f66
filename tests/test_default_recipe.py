"""The default recipe on the small shop: lists that look related, and that can be summed."""

import tomllib
from functools import cache
from itertools import combinations

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.core.catalogue import Catalogue
from recommender.core.neighbours import Neighbours
from recommender.core.telemetry import silent
from recommender.core.vectors import joined_content
from recommender.evaluation.metrics import hub_share, score_queries
from recommender.evaluation.systems import related_lists
from recommender.evaluation.user_protocols import leave_one_out
from recommender.pipeline import content_embeddings, read_shop_columns
from recommender.ranking.training_set import near_by_content
from recommender.settings.loading import load
from recommender.settings.tables import RecipeSettings
from tests.support.repository import CONFIG
from tests.support.shop_files import write_small_shop

Built = tuple[Catalogue, dict[str, Neighbours], float, float]

DEEP, USUAL = 100, 36
FIRST = 6


@pytest.fixture(scope="module")
def built(
    tmp_path_factory: pytest.TempPathFactory,
) -> Built:
    """Catalogue and lists; NDCG of answers that are summed from lists of 36 and of 100 entries."""
    folder = tmp_path_factory.mktemp("shop")
    write_small_shop(folder)
    job = load(folder / "recommender.toml", ["recipe.content.text={use='hashing'}"]).job()
    given = tomllib.loads((CONFIG / "recipes" / "default.toml").read_text(encoding="utf-8"))
    given["content"] = {"text": {"use": "hashing"}}
    given["interactions"]["behaviour"]["dimensions"] = 32
    for placement in given["placements"]:
        placement["depth"] = DEEP
    recipe = RecipeSettings.model_validate(given).recipe()
    read, catalogue, events = read_shop_columns(job)
    content = content_embeddings(job, read)
    near = cache(lambda: near_by_content(recipe.index, joined_content(content)))
    window, task = leave_one_out(events, test=False)
    lists = related_lists(recipe, (catalogue, content, near), window.train, silent)
    ndcg = [
        float(score_queries(task.queries, task.shown(lists["next"].keep_first(depth))).ndcg.mean())
        for depth in (USUAL, DEEP)
    ]
    return catalogue, lists, ndcg[0], ndcg[1]


@pytest.mark.parametrize("placement", ["related", "next"])
def test_no_item_is_in_the_first_twelve_of_more_than_a_tenth_of_the_lists(
    built: Built, placement: str
) -> None:
    assert hub_share(built[1][placement].rows) <= 0.1


def test_lists_have_twelve_entries_to_show(
    built: Built,
) -> None:
    for lists in built[1].values():
        assert (lists.found.sum(axis=1) >= 12).mean() > 0.95


def test_no_garden_hose_under_a_phone(
    built: Built,
) -> None:
    catalogue, lists, *_ = built
    phones = [row for row, path in enumerate(catalogue.category) if path == "Electronics > Phones"]
    assert len(phones) > 5
    for row in phones:
        first = lists["related"].rows[row, :3].tolist()
        assert not [other for other in first if catalogue.category[other].startswith("Garden")]


def test_a_deeper_list_makes_no_merged_answer_worse(
    built: Built,
) -> None:
    _, _, usual, deep = built
    assert usual > 0.02
    assert deep > usual - 0.002


@pytest.mark.parametrize("placement", ["related", "next"])
def test_merged_answers_hold_the_best_entries_of_their_lists(built: Built, placement: str) -> None:
    lists = built[1][placement]
    n_items = len(lists.rows)
    asking = np.repeat(np.arange(n_items), lists.found.sum(axis=1))
    related = sp.csr_array((lists.scores[lists.found], (asking, lists.rows[lists.found])))
    drawn = np.random.default_rng(0).choice(n_items, (100, 3))
    kept = []
    for seeds in drawn.tolist():
        for some in (*combinations(seeds, 2), tuple(seeds)):
            summed: NDArray[np.float32] = np.asarray(related[list(some)].sum(axis=0)).ravel()
            summed[list(some)] = 0
            best = set(np.argsort(-summed)[:FIRST].tolist())
            firsts = set(lists.rows[list(some), :FIRST].ravel().tolist())
            kept.append(len(best & firsts) / FIRST)
    assert np.mean(kept) >= 0.75
    assert np.mean(np.array(kept) >= 0.5) > 0.95
