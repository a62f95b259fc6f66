"""Hashed character n-grams: vectors of texts without any model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommender.core.arrays import FloatMatrix, blocks, unit_rows
from recommender.core.telemetry import Progress
from recommender.errors import ConfigError

BLOCK = 8192


@dataclass(frozen=True, slots=True)
class HashingEncoder:
    """Counts of signed, hashed character 3- to 5-grams, of length one.

    It compares spelling, not meaning. Use it for tests, and where no model may be installed.
    Source: Weinberger et al. 2009, "Feature hashing for large scale multitask learning".
    """

    dimensions: int = 512

    def __post_init__(self) -> None:
        if not 8 <= self.dimensions <= 65_536:
            raise ConfigError(f"hashing: dimensions = {self.dimensions} is not in 8..65536")

    def fingerprint(self) -> str:
        """A name that covers everything that changes the vectors."""
        return f"hashing-char-wb-3-5-{self.dimensions}"

    def encode(self, documents: Sequence[str], progress: Progress) -> FloatMatrix:
        """Vectors (n, dimensions); a blank document has a zero row."""
        from sklearn.feature_extraction.text import HashingVectorizer

        vectorizer = HashingVectorizer(
            analyzer="char_wb", ngram_range=(3, 5), n_features=self.dimensions, norm=None
        )
        encoded = np.zeros((len(documents), self.dimensions), dtype=np.float32)
        with progress("encode texts", len(documents)) as advance:
            for block in blocks(len(documents), BLOCK):
                counts = vectorizer.transform(documents[block]).toarray()
                encoded[block] = unit_rows(counts)
                advance(block.stop - block.start)
        return encoded
