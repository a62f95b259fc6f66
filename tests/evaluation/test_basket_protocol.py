"""The basket protocol: splits that do not leak, queries and metrics as defined."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.cli.main import run
from recommender.errors import DataError
from recommender.evaluation import baselines
from recommender.evaluation.baskets import (
    DAY_S,
    Queries,
    cold_folds,
    draw_queries,
    window,
)
from recommender.evaluation.intervals import bootstrap, paired
from recommender.evaluation.metrics import coverage, gini, judge, novelty
from recommender.experiments import top_lists
from recommender.interactions import Interactions
from recommender.progress import silent
from recommender.settings_file import load
from recommender.text_encoders.hashing import HashingEncoder
from recommender.vectors import Embeddings
from tests.shop_files import orders, write_shop, write_small_shop
from tests.shops import catalogue, checkerboard, interactions


def dated(baskets: list[list[int]], days: list[int], n_items: int) -> Interactions:
    """Baskets that were bought at noon of a day each."""
    made = interactions(baskets, n_items)
    times = np.repeat(np.array(days) * DAY_S + DAY_S // 2, [len(basket) for basket in baskets])
    return replace(made, time=times.astype(np.int64))


def test_a_basket_belongs_to_the_time_of_its_first_event() -> None:
    events = dated([[0, 1], [1, 2], [2, 3], [3, 4]], [1, 5, 8, 12], 5)
    times = events.time.copy()
    times[1] = 20 * DAY_S
    split = window(replace(events, time=times), until=10 * DAY_S, days=3)
    assert split.train.basket.tolist() == [0, 0, 1, 1]
    assert [basket.tolist() for basket in split.baskets] == [[2, 3]]


def test_large_baskets_are_left_out_and_counted() -> None:
    events = dated([[0, 1], list(range(101)), [5, 6]], [1, 9, 9], 120)
    split = window(events, until=10 * DAY_S, days=3)
    assert split.left_out == 1
    assert [basket.tolist() for basket in split.baskets] == [[5, 6]]


@pytest.mark.parametrize("days", [[1, 1], [9, 9]])
def test_both_sides_of_the_cut_are_needed(days: list[int]) -> None:
    with pytest.raises(DataError, match="baskets with times on both sides"):
        window(dated([[0, 1], [1, 2]], days, 3), until=10 * DAY_S, days=3)


def test_what_was_tested_on_cannot_be_learned_from() -> None:
    recipe = load(Path("config/examples/demo.toml"), ["recipe.text=hashing"]).recipe.recipe()
    events = checkerboard(20, 200)
    times = np.where(events.basket < 150, DAY_S, 9 * DAY_S)
    before = replace(events, time=times.astype(np.int64))
    noise = np.random.default_rng(3).permutation(20).astype(np.int32)
    disturbed = np.where(before.basket < 150, before.item, noise[before.item])
    after = replace(before, item=disturbed)
    items = catalogue(20)
    matrix = HashingEncoder(64).encode(items.title, silent)
    text = Embeddings.of_rows(matrix, np.ones(20, dtype=np.float32))
    learned = []
    for shop in (before, after):
        split = window(shop, until=10 * DAY_S, days=3)
        tops = top_lists(recipe, items, split.train, text, silent)
        columns = {name: array.tobytes() for name, array in split.train.columns().items()}
        learned.append((columns, tops["related"].tobytes()))
    assert learned[0] == learned[1]
    assert not (before.item == after.item).all()


def test_queries_ask_at_most_five_items_of_every_basket() -> None:
    baskets = tuple(np.array(rows, dtype=np.int32) for rows in (range(9), [3], [4, 7]))
    queries = draw_queries(baskets)
    assert np.bincount(queries.basket).tolist() == [5, 0, 2]
    for place, row in enumerate(queries.row.tolist()):
        relevant = queries.relevant[queries.offsets[place] : queries.offsets[place + 1]].tolist()
        assert row not in relevant
        assert len(relevant) == (8 if queries.basket[place] == 0 else 1)
    assert (draw_queries(baskets).row == queries.row).all()


@given(st.data())
def test_metrics_are_what_their_definitions_say(data: st.DataObject) -> None:
    n_items, k = 12, data.draw(st.integers(1, 10))
    others = st.lists(st.integers(1, n_items - 1), min_size=1, max_size=8, unique=True)
    relevant, shown = data.draw(others), data.draw(others)[:k]
    top = np.full((n_items, k), -1)
    top[0, : len(shown)] = shown
    one = Queries(np.array([0]), np.array([0]), np.array([0, len(relevant)]), np.array(relevant))
    scores = judge(one, top, k)
    gains = [1 / math.log2(place + 2) for place, row in enumerate(shown) if row in relevant]
    ideal = sum(1 / math.log2(place + 2) for place in range(min(k, len(relevant))))
    places = [place + 1 for place, row in enumerate(shown) if row in relevant]
    assert scores.ndcg[0] == pytest.approx(sum(gains) / ideal)
    assert scores.recall[0] == pytest.approx(len(gains) / len(relevant))
    assert scores.mrr[0] == pytest.approx(1 / places[0] if places else 0)
    assert scores.hit_rate[0] == bool(gains)


def test_lists_as_a_whole() -> None:
    alike, one = np.array([[1], [2], [3], [0]]), np.array([[1], [1], [1], [1]])
    assert (coverage(alike), coverage(one)) == (1, 0.25)
    assert gini(alike) == pytest.approx(0)
    assert gini(one) == pytest.approx(0.75)
    support = np.array([0, 97, 0, 0], dtype=np.float32)
    assert novelty(one, support) < novelty(np.array([[2]] * 4), support)


def test_intervals_hold_the_mean_and_widen_with_clusters() -> None:
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(0.2, 0.1, 50), 5)
    clustered = bootstrap(values, np.repeat(np.arange(50), 5).astype(np.int32))
    alone = bootstrap(values, np.arange(250).astype(np.int32))
    assert clustered.low < clustered.value < clustered.high
    assert clustered.high - clustered.low > 1.5 * (alone.high - alone.low)
    better = paired(values + 0.01, values, np.arange(250).astype(np.int32))
    assert better.low == pytest.approx(0.01)
    assert better.high == pytest.approx(0.01)


def test_baselines_count_what_is_bought_together() -> None:
    events = interactions([[0, 1], [0, 1], [0, 2], [2, 3], [2, 4], [2, 5]], 6)
    assert baselines.co_occurrence_counts(events, 2)[0].tolist() == [1, 2]
    assert baselines.best_sellers(events, 1)[:3].ravel().tolist() == [2, 2, 0]
    cosine = baselines.co_occurrence_cosine(events, 1)
    assert cosine[0].tolist() == [1]
    assert (baselines.co_occurrence_counts(interactions([[0], [1]], 3), 2) == -1).all()


def test_the_command_judges_the_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_small_shop(tmp_path)
    assert run(["evaluate", "--config", str(config)]) == 0
    said = capsys.readouterr().out
    assert "validation window" in said
    assert max(map(len, said.splitlines())) <= 100
    assert run(["evaluate", "--config", str(config), "--test", "--json", "--folds", "2"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["protocol"]["window"] == "test"
    ours = told["recipes"]["related"]["slices"]["all"]
    assert ours["n"] == told["data"]["queries"] > 100
    ndcg = ours["metrics"]["ndcg"]
    best = told["recipes"]["best sellers"]["slices"]["all"]["metrics"]["ndcg"]
    assert ndcg["low"] < ndcg["value"] < ndcg["high"]
    assert ndcg["value"] > best["value"]
    cold = {
        name: one["slices"]["simulated cold"]["metrics"]["ndcg"]["value"]
        for name, one in told["recipes"].items()
    }
    assert cold["co-occurrence count"] == 0
    assert cold["als-alone"] == 0
    assert cold["related"] > 0
    assert set(cold) == {
        *("best sellers", "co-occurrence count", "co-occurrence cosine", "related"),
        *("text-alone", "als-alone", "plain-concatenation"),
    }


def test_folds_make_every_tenth_of_what_sells_cold() -> None:
    support = np.array([0] * 50 + [19] * 50 + [20] * 100, dtype=np.float32)
    folds = cold_folds(support, 3)
    assert [len(fold) for fold in folds] == [10, 10, 10]
    assert len(np.unique(np.concatenate(folds))) == 30
    assert min(fold.min() for fold in folds) >= 100


def test_a_shop_without_times_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_shop(tmp_path, orders(("a", "b"), ("a", "b")).replace("time", "when"))
    assert run(["evaluate", "--config", str(config)]) == 4
    assert "baskets with times on both sides" in capsys.readouterr().err
