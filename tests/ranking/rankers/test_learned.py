import subprocess
import sys

import numpy as np
import pytest

from recommender.errors import MissingExtra
from recommender.ranking.rankers.examples import Examples
from recommender.ranking.rankers.learned import LearnedRanker
from recommender.ranking.rankers.pair_features import SIMPLE
from recommender.ranking.rankers.questions import Objective


def examples(n_seeds: int, *, vectors_know: bool) -> Examples:
    """Ten candidates a seed, one of them the answer; one of two features tells which."""
    rng = np.random.default_rng(0)
    worth = np.zeros((n_seeds, 10))
    worth[np.arange(n_seeds), rng.integers(0, 10, n_seeds)] = 0.5
    told, noise = worth.ravel(), rng.random(n_seeds * 10)
    known = told if vectors_know else noise
    columns = {name: known if name == "inner product" else noise for name in SIMPLE} | {
        "other": noise if vectors_know else told
    }
    ones = np.ones(n_seeds)
    return Examples(
        names=tuple(columns),
        table=np.stack(list(columns.values()), axis=1).astype(np.float32),
        items=np.tile(np.arange(10, dtype=np.int32), n_seeds),
        targets=told,
        observed=told,
        sizes=np.full(n_seeds, 10),
        question=np.arange(n_seeds),
        weight=ones,
        importance=ones,
        frequency=ones,
        mass=ones,
    )


def halves(everything: Examples) -> tuple[Examples, np.ndarray]:
    return everything, np.arange(everything.n_questions) % 2 == 0


def test_trees_stay_where_they_beat_every_simple_order() -> None:
    fitted = LearnedRanker().grown(*halves(examples(500, vectors_know=False)), True)
    assert fitted.trees
    assert not fitted.order


def test_the_best_simple_order_ranks_where_trees_do_not_beat_it() -> None:
    fitted = LearnedRanker().grown(*halves(examples(500, vectors_know=True)), True)
    assert (fitted.trees, fitted.order) == ("", "inner product")
    assert fitted.calibration.knots[-1] == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("n_seeds", [2, 10])
def test_too_few_examples_grow_no_trees(n_seeds: int) -> None:
    fitted = LearnedRanker().grown(*halves(examples(n_seeds, vectors_know=False)), True)
    assert not fitted.trees
    assert fitted.order in SIMPLE


@pytest.mark.parametrize("objective", ["together", "next"])
def test_a_fitted_order_scores_as_it_did_after_it_was_loaded(objective: Objective) -> None:
    ranker = LearnedRanker(objective=objective)
    fitted = ranker.grown(*halves(examples(500, vectors_know=False)), objective == "together")
    again = ranker.load(fitted.columns())
    assert (again.trees, again.order, again.together) == (fitted.trees, "", objective == "together")
    assert again.base == fitted.base
    assert (again.calibration.knots == fitted.calibration.knots).all()


def test_a_missing_library_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    everything = examples(500, vectors_know=False)
    with pytest.raises(MissingExtra, match="libgomp1"):
        LearnedRanker().grown(*halves(everything), True)


def test_lightgbm_is_loaded_without_what_it_would_like_beside_it() -> None:
    code = (
        "import sys; from recommender.ranking.rankers.fitted_order import load_lightgbm; "
        "load_lightgbm(); "
        "assert 'lightgbm' in sys.modules and not {'sklearn', 'pandas'} & sys.modules.keys(); "
        "from sklearn.base import BaseEstimator"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
