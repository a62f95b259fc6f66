"""Boilerplate: sentences that so many descriptions share that they say nothing about an item."""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import replace

import numpy as np

from recommender.core.catalogue import Catalogue

SAMPLE = 50_000
LEAST_BYTES = 16
"""Shorter sentences are values such as `100 % cotton`."""
DEVIATIONS = 2.0
"""How many standard deviations of a count lie between it and the share that it must exceed."""

_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+")  # noqa: RUF001 - full-width marks


def shared_sentences(catalogue: Catalogue, share: float) -> frozenset[str]:
    """Sentences and paragraphs, in lower case, that more than a `share` of products have.

    The variants of a product count once. A count must exceed the share by two standard deviations,
    so that in a small catalogue only what nearly all share is found, and nothing below nine
    products. Of a large one, a sample is counted. A share of 0 finds none.
    """
    described = np.array([bool(text) for text in catalogue.description], dtype=bool)
    rows = np.flatnonzero(described)
    _, first = np.unique(catalogue.group_codes[rows], return_index=True)
    products = rows[np.sort(first)]
    products = products[:: max(1, len(products) // SAMPLE)]
    counts = Counter[str]()
    for row in products.tolist() if share else ():
        counts.update({one.casefold() for one in _sentences(catalogue.description[row])})
    least = share * len(products)
    return frozenset(
        sentence
        for sentence, count in counts.items()
        if count - DEVIATIONS * count**0.5 > least and len(sentence.encode()) >= LEAST_BYTES
    )


def without_sentences(
    catalogue: Catalogue, sentences: Collection[str]
) -> tuple[Catalogue, dict[str, int]]:
    """The catalogue without these sentences, and from how many descriptions each was left out.

    A description that is an item's only text stays as it is.
    """
    counts = Counter[str]()
    texts = list(catalogue.description)
    for row, text in enumerate(texts):
        if not text or not sentences:
            continue
        parts = _sentences(text)
        kept = [part for part in parts if part.casefold() not in sentences]
        named = catalogue.title[row] or catalogue.brand[row] or catalogue.category[row]
        if len(kept) < len(parts) and (kept or named):
            texts[row] = "\n".join(kept)
            counts.update({part.casefold() for part in parts}.intersection(sentences))
    return replace(catalogue, description=tuple(texts)), dict(counts.most_common())


def _sentences(description: str) -> list[str]:
    return [part.strip() for part in _END.split(description) if part.strip()]
