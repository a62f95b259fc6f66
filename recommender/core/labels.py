"""Labels: numbers for the brand or the category of each item."""

from collections.abc import Sequence

import numpy as np

from recommender.core.arrays import Rows, text_codes
from recommender.core.catalogue import PATH_SEPARATOR, Catalogue
from recommender.core.neighbours import NONE
from recommender.errors import ConfigError


def of_brand(catalogue: Catalogue) -> Rows:
    """A number for the brand of each item (n,), `NONE` where it is unknown."""
    return _codes(catalogue.brand)


def of_category(catalogue: Catalogue, level: int) -> Rows:
    """A number for the first `level` parts of each category (n,), `NONE` where it is unknown.

    0 takes the whole path; a path with fewer parts counts as it is.
    """
    if level == 0:
        return _codes(catalogue.category)
    cut = [PATH_SEPARATOR.join(path.split(PATH_SEPARATOR)[:level]) for path in catalogue.category]
    return _codes(cut)


def require_level(level: int, rule: str) -> None:
    """Refuse a level below 0. Raises: ConfigError."""
    if level < 0:
        raise ConfigError(f"{rule}: level = {level} is below 0; 0 is the whole path")


def _codes(texts: Sequence[str]) -> Rows:
    codes, distinct = text_codes(texts)
    blank = np.array([not text for text in distinct], dtype=bool)
    return np.where(blank[codes], NONE, codes).astype(np.int32)
