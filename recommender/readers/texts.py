"""Texts of items, cleaned, with a mark on those that were cut."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recommender.core.documents import MAX_CHARACTERS, clean


def cleaned(texts: Sequence[str]) -> tuple[list[str], NDArray[np.bool_]]:
    """Clean t texts, and mark (t,) those that lost their end."""
    clean_texts = [clean(text) for text in texts]
    cut = [_is_cut(raw, text) for raw, text in zip(texts, clean_texts, strict=True)]
    return clean_texts, np.array(cut, dtype=bool)


def _is_cut(raw: str, text: str) -> bool:
    full = len(text) >= MAX_CHARACTERS - 1
    return len(raw) > 4 * MAX_CHARACTERS or (full and len(raw) > MAX_CHARACTERS)
