"""Metrics: as defined, as ir-measures has them, and with honest intervals."""

import math

import ir_measures
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import RR, R, Success, nDCG

from recommender.evaluation.metrics import (
    METRICS,
    Resamples,
    chance_share,
    coverage,
    coverage_curve,
    gini,
    hub_share,
    intra_list_similarity,
    novelty,
    same_label_share,
    score_queries,
)
from recommender.evaluation.protocols import Queries


@given(st.data())
def test_metrics_are_what_their_definitions_say(data: st.DataObject) -> None:
    n_items, k = 12, data.draw(st.integers(1, 10))
    others = st.lists(st.integers(1, n_items - 1), min_size=1, max_size=8, unique=True)
    relevant, shown = data.draw(others), data.draw(others)[:k]
    top = np.full((n_items, k), -1)
    top[0, : len(shown)] = shown
    one = Queries(np.array([0]), np.array([0]), np.array([0, len(relevant)]), np.array(relevant))
    scores = score_queries(one, top, k)
    gains = [1 / math.log2(place + 2) for place, row in enumerate(shown) if row in relevant]
    ideal = sum(1 / math.log2(place + 2) for place in range(min(k, len(relevant))))
    places = [place + 1 for place, row in enumerate(shown) if row in relevant]
    assert scores.ndcg[0] == pytest.approx(sum(gains) / ideal)
    assert scores.recall[0] == pytest.approx(len(gains) / len(relevant))
    assert scores.mrr[0] == pytest.approx(1 / places[0] if places else 0)
    assert scores.hit_rate[0] == bool(gains)


def random_queries(n_queries: int, n_items: int) -> tuple[Queries, np.ndarray]:
    """Queries of items in turn, and lists of ten for every item, some of them short."""
    rng = np.random.default_rng(4)
    relevant = [
        np.sort(rng.choice(n_items, rng.integers(1, 25), replace=False)) for _ in range(n_queries)
    ]
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in relevant])])
    top = np.array([rng.permutation(n_items)[:10] for _ in range(n_items)])
    top[::7, 4:] = -1
    top[5] = -1
    rows = (np.arange(n_queries) % n_items).astype(np.int32)
    return Queries(rows, rows, offsets, np.concatenate(relevant)), top


def test_ranking_metrics_agree_with_ir_measures() -> None:
    queries, top = random_queries(300, 40)
    scores = score_queries(queries, top)
    relevant = [
        ir_measures.Qrel(str(query), f"i{row}", 1)
        for query in range(len(queries))
        for row in queries.relevant[queries.offsets[query] : queries.offsets[query + 1]]
    ]
    shown = [
        ir_measures.ScoredDoc(str(query), f"i{row}", 10.0 - place)
        for query in range(len(queries))
        for place, row in enumerate(top[queries.row[query]])
        if row >= 0
    ]
    measures = {"hit_rate": Success @ 10, "ndcg": nDCG @ 10, "mrr": RR @ 10, "recall": R @ 10}
    theirs = {name: np.zeros(len(queries)) for name in measures}
    of_measure = {measure: name for name, measure in measures.items()}
    for one in ir_measures.iter_calc(list(measures.values()), relevant, shown):
        theirs[of_measure[one.measure]][int(one.query_id)] = one.value
    for name, found in theirs.items():
        assert getattr(scores, name) == pytest.approx(found), name
        assert 0.1 < found.mean() < 1
    assert (*measures, "debiased_ndcg") == METRICS


def test_debiased_ndcg_is_ndcg_where_all_items_sell_alike() -> None:
    queries, top = random_queries(100, 40)
    scores = score_queries(queries, top, support=np.full(40, 9, dtype=np.float32))
    assert scores.debiased_ndcg == pytest.approx(scores.ndcg)


def test_debiased_ndcg_weighs_an_answer_by_the_root_of_its_support() -> None:
    both = Queries(np.array([0]), np.array([0]), np.array([0, 2]), np.array([1, 2]))
    support = np.array([1, 100, 4, 1], dtype=np.float32)
    popular, rare = (
        score_queries(both, np.array([[row, 3]] * 4), k=2, support=support).debiased_ndcg[0]
        for row in (1, 2)
    )
    ideal = 1 / 2 + (1 / 10) / math.log2(3)
    assert popular == pytest.approx(0.1 / ideal)
    assert rare == pytest.approx(0.5 / ideal)


def test_what_the_first_entries_of_lists_are_like() -> None:
    lists = np.array([[1, 2], [2, 0], [1, 0], [1, -1]])
    assert hub_share(lists, k=1) == 0.75
    assert hub_share(lists, k=2) == 0.75
    codes = np.array([0, 0, 1, -1], dtype=np.int32)
    # 0: 1 is of its category, 2 is not; 1: 0 is, 2 is not; 2: neither; 3 has none
    assert same_label_share(lists, codes, k=2) == pytest.approx(2 / 6)


def test_an_entry_is_by_chance_unless_it_shares_more_units_than_expected() -> None:
    seen = sp.csr_array(np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 1, 1]], dtype=np.float32))
    # 0 and 1 share 2 units of 4, 2 * 3 / 4 = 1.5 are expected; 1 and 2 share 1, 1.5 expected
    assert chance_share(np.array([[1], [2], [-1]]), seen) == pytest.approx(0.5)


def test_lists_as_a_whole() -> None:
    alike, one = np.array([[1], [2], [3], [0]]), np.array([[1], [1], [1], [1]])
    assert (coverage(alike, 4), coverage(one, 4)) == (1, 0.25)
    assert coverage_curve(np.array([[1, 2], [1, 3]]), 4, 2) == [0.25, 0.75]
    assert gini(alike, 4) == pytest.approx(0)
    assert gini(one, 4) == pytest.approx(0.75)
    support = np.array([0, 97, 0, 0], dtype=np.float32)
    assert novelty(one, support) < novelty(np.array([[2]] * 4), support)


def test_similarity_within_a_list_is_the_mean_cosine_of_its_pairs() -> None:
    text = np.array([[1, 0], [0, 1], [0.6, 0.8], [0, 0]], dtype=np.float32)
    assert intra_list_similarity(np.array([[0, 1, 2]]), text) == pytest.approx(1.4 / 3)
    assert intra_list_similarity(np.array([[0, 2, 3], [1, -1, -1]]), text) == pytest.approx(0.6)
    assert intra_list_similarity(np.array([[0, -1], [3, 0]]), text) == 0


def test_intervals_hold_the_mean_and_widen_with_clusters() -> None:
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(0.2, 0.1, 50), 5)[:, None]
    (clustered,) = Resamples.of(np.repeat(np.arange(50), 5)).intervals(values)
    (alone,) = Resamples.of(np.arange(250)).intervals(values)
    assert clustered.low < clustered.value < clustered.high
    assert clustered.value == pytest.approx(values.mean())
    assert clustered.high - clustered.low > 1.5 * (alone.high - alone.low)


def test_an_interval_of_a_slice_has_the_width_that_theory_gives_it() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(0.5, 0.1, (4000, 1))
    chosen = np.arange(4000) % 4 == 0
    (part,) = Resamples.of(np.arange(4000)).intervals(values, chosen)
    assert part.value == pytest.approx(values[chosen].mean())
    assert part.high - part.low == pytest.approx(2 * 1.96 * 0.1 / math.sqrt(1000), rel=0.15)
