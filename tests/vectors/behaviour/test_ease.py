"""EASE: the closed form, and nothing for items without a unit."""

import numpy as np
import pytest
import scipy.sparse as sp

from recommender.vectors.behaviour.ease import REGULARISATION, ease_weights


def test_weights_are_those_of_the_closed_form() -> None:
    seen = np.random.default_rng(0).random((300, 20)) < 0.2
    precision = np.linalg.inv(seen.T.astype(float) @ seen + REGULARISATION * np.eye(20))
    expected = precision / -np.diag(precision)
    np.fill_diagonal(expected, 0)
    found = ease_weights(sp.csr_array(seen.astype(np.float32)))
    assert found == pytest.approx(expected, abs=1e-6)


def test_items_without_a_unit_say_nothing() -> None:
    seen = np.array([[1, 1, 0, 0], [1, 0, 0, 1]], dtype=np.float32)
    weights = ease_weights(sp.csr_array(seen))
    assert not weights[2].any()
    assert not weights[:, 2].any()
    assert weights[0, 1] > 0
    assert not ease_weights(sp.csr_array((0, 3), dtype=np.float32)).any()
