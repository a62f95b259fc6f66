"""Reports: slices, differences query by query, and the quality bar."""

import numpy as np
import pytest

from recommender.evaluation.metrics import Interval, QueryScores, Resamples
from recommender.evaluation.protocols import Queries
from recommender.evaluation.report import (
    QuerySlices,
    by_category,
    by_support,
    shortfalls,
    worst_slice,
)

SIZES = {"all": 1000, "tail": 400, "head": 299, "simulated cold": 50}


def test_the_bar_asks_for_certainty_overall_and_for_no_certain_loss_on_a_large_slice() -> None:
    above, unsure, below = Interval(0.2, 0.1, 0.3), Interval(0, -0.1, 0.1), Interval(-1, -2, -0.5)
    parts = {"all": above, "tail": unsure, "head": below, "simulated cold": unsure}
    debiased = {"EASE": above, "text alone": above}
    assert shortfalls({"EASE": parts}, debiased, SIZES) == ()
    assert shortfalls({"text alone": parts}, debiased, SIZES) == (
        "not above text alone on simulated cold items",
    )
    assert shortfalls({"EASE": parts | {"all": unsure}}, debiased, SIZES) == ()
    unsure_debiased = {"EASE": unsure}
    assert shortfalls({"EASE": parts | {"all": below, "tail": below}}, unsure_debiased, SIZES) == (
        "not above EASE overall in debiased NDCG",
        "below EASE overall",
        "below EASE on tail",
    )
    assert worst_slice(parts, SIZES) == "tail"
    assert worst_slice({"all": above, "head": below}, SIZES) == "all"


def test_differences_are_taken_query_by_query() -> None:
    rng = np.random.default_rng(2)
    ndcg = rng.random(200)
    theirs = QueryScores(ndcg, ndcg, ndcg, ndcg, ndcg)
    ours = QueryScores(ndcg, ndcg + 0.01, ndcg, ndcg, ndcg)
    slices = QuerySlices({"all": np.ones(200, dtype=bool)}, Resamples.of(np.arange(200)))
    better = slices.differences(ours, theirs)["all"]
    assert better.low == pytest.approx(0.01, rel=1e-3)
    assert better.high == pytest.approx(0.01, rel=1e-3)


def test_slices_by_support_and_category() -> None:
    rows = np.repeat(np.arange(5, dtype=np.int32), 120)
    queries = Queries(rows, rows, np.arange(len(rows) + 1), rows)
    parts = by_support(queries, np.array([0, 1, 19, 20, 200], dtype=np.float32))
    assert {name: part.sum() for name, part in parts.items()} == {
        **{"all": 600, "new": 120, "tail": 240, "torso": 120, "head": 120}
    }
    paths = ("Home > Lamps", "Home", "Garden", "", "Toys > Wood")
    few = queries.select(np.arange(len(rows)) < 560)
    assert {name: part.sum() for name, part in by_category(few, paths).items()} == {
        "category: Home": 240,
        "category: Garden": 120,
    }
    assert by_category(queries, ("",) * 5) == {}
