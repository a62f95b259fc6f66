"""Hashed n-grams: spelling is near, and blocks change nothing."""

import numpy as np
import pytest

from recommender.core.telemetry import part_of, silent
from recommender.errors import ConfigError
from recommender.vectors.content import hashing
from recommender.vectors.content.hashing import HashingEncoder

TITLES = ["garden rake", "garden rakes", "wall clock", "", "clock for the wall"] * 3


def test_spelling_is_near_and_meaning_is_not() -> None:
    texts = ["garden rake", "garden rakes", "soil tool"]
    rake, rakes, tool = HashingEncoder().encode(texts, silent)
    assert rake @ rakes > 0.8
    assert abs(rake @ tool) < 0.3


def test_blocks_change_nothing_and_advance_the_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = HashingEncoder(64).encode(TITLES, silent)
    monkeypatch.setattr(hashing, "BLOCK", 4)
    done: list[int] = []
    assert (HashingEncoder(64).encode(TITLES, part_of(done.append)) == whole).all()
    assert done == [4, 4, 4, 3]


def test_the_fingerprint_names_what_changes_the_vectors() -> None:
    assert HashingEncoder(64).fingerprint() != HashingEncoder(128).fingerprint()
    assert HashingEncoder(64).encode(["a rake"], silent).shape == (1, 64)
    assert np.linalg.norm(HashingEncoder(64).encode(["a rake"], silent)) == pytest.approx(1)


@pytest.mark.parametrize("dimensions", [7, 65_537])
def test_dimensions_have_bounds(dimensions: int) -> None:
    with pytest.raises(ConfigError, match=rf"hashing: dimensions = {dimensions} is not in 8\.\."):
        HashingEncoder(dimensions)
