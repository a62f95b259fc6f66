import subprocess
import sys

import numpy as np
import pytest

from recommender.errors import MissingExtra
from recommender.ranking.rankers.learned import Examples, LearnedRanker


def examples(n_seeds: int, *, vectors_know: bool) -> Examples:
    """Ten candidates a seed, one of them relevant; one of two features tells which."""
    rng = np.random.default_rng(0)
    grades = np.zeros((n_seeds, 10))
    grades[np.arange(n_seeds), rng.integers(0, 10, n_seeds)] = 0.5
    told, noise = grades.ravel(), rng.random(n_seeds * 10)
    columns = (told, noise) if vectors_know else (noise, told)
    return Examples(
        ("inner product", "other"),
        np.stack(columns, axis=1).astype(np.float32),
        told,
        np.full(n_seeds, 10),
        np.ones(n_seeds),
    )


@pytest.mark.parametrize("vectors_know", [True, False])
def test_trees_stay_where_they_beat_the_item_vectors(vectors_know: bool) -> None:
    everything = examples(500, vectors_know=vectors_know)
    held_out = np.arange(500) < 100
    grown = LearnedRanker().grown(everything.select(~held_out), everything.select(held_out))
    assert bool(grown) is not vectors_know


def test_gain_is_the_discounted_grade_of_the_first_ten() -> None:
    made = Examples(
        ("inner product",),
        np.zeros((13, 1), dtype=np.float32),
        np.array([1.0, 0.5, *[0.0] * 11]),
        np.array([2, 11]),
        np.array([4.0, 1.0]),
    )
    best = made.gain(np.arange(13.0)[::-1])
    assert best == pytest.approx(2 * (1 + 0.5 / np.log2(3)) / 3)
    assert made.gain(np.arange(13.0)) == pytest.approx(2 * (0.5 + 1 / np.log2(3)) / 3)


def test_a_missing_library_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    everything = examples(50, vectors_know=False)
    with pytest.raises(MissingExtra, match="libgomp1"):
        LearnedRanker().grown(everything, everything)


def test_lightgbm_is_loaded_without_what_it_would_like_beside_it() -> None:
    code = (
        "import sys; from recommender.ranking.rankers.learned import _lightgbm; _lightgbm(); "
        "assert 'lightgbm' in sys.modules and not {'sklearn', 'pandas'} & sys.modules.keys(); "
        "from sklearn.base import BaseEstimator"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
