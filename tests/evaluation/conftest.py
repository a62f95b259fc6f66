"""The recipe that is evaluated."""

from pathlib import Path

import pytest

from recommender.core.recipe import Recipe
from recommender.settings.loading import load


@pytest.fixture
def recipe() -> Recipe:
    return load(Path("config/examples/demo.toml"), ["recipe.content.text=hashing"]).recipe.recipe()
