"""Word vectors: vectors of a shop's own words, learned from its texts, for the encoder `static`.

Two words are near each other where they are in texts with the same other words. The vectors are
written to a file that builds read. So the same text always has the same vector, the digest of the
file is in every key, and training again is a decision, as with any other model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import sparse

from recommender.build.job import Job
from recommender.core.arrays import unit_rows
from recommender.core.catalogue import Catalogue, documents
from recommender.core.recipe import Choice
from recommender.errors import ConfigError, DataError
from recommender.pipeline import read_shop_columns
from recommender.vectors.content.word_files import BINARY, WordVectors, words_of, write

SMOOTHING = 0.75
SEED = 0
ITSELF = 0.1
"""Weight of a word as its own neighbour, so that a word in texts of one word has a vector too."""
FEWEST = 3
MOST_WORDS = 100_000


@dataclass(frozen=True, slots=True)
class WordTraining:
    """Singular vectors of the positive pointwise mutual information of words in one text.

    Skip-gram with negative sampling factorises the same matrix by sampling; on some thousand short
    texts the exact solution is better. Frequencies of the other word are smoothed. The length of a
    vector is the inverse document frequency of its word, so a text is a weighted sum.

    Source: Levy, Goldberg, Dagan 2015, "Improving distributional similarity with lessons learned
    from word embeddings".
    """

    dimensions: int = 256
    min_texts: int = 1

    def __post_init__(self) -> None:
        if not 2 <= self.dimensions <= 4096:
            raise ConfigError(f"words: dimensions = {self.dimensions} is not in 2..4096")
        if self.min_texts < 1:
            raise ConfigError(f"words: min_texts = {self.min_texts} is below 1")

    def fit(self, texts: Sequence[str]) -> WordVectors:
        """Vectors of the words in at least `min_texts` different texts, at most 100,000 words.

        Raises: DataError where there are fewer than three.
        """
        held, words = _held(sorted(set(texts)), self.min_texts)
        if len(words) < FEWEST:
            raise DataError(
                f"{len(words)} words are in {self.min_texts} texts or more: too few to learn from"
            )
        from sklearn.utils.extmath import randomized_svd

        size = min(self.dimensions, len(words) - 1)
        left, scale, _ = randomized_svd(_information(held), size, n_iter=7, random_state=SEED)
        rarity = np.log((1 + held.shape[0]) / held.sum(axis=0))
        matrix = unit_rows(left * scale) * rarity[:, None]
        return WordVectors(words, matrix.astype(np.float32))


def train_words(job: Job, training: WordTraining, path: Path) -> WordVectors:
    """Learn word vectors from a shop's texts and write the file.

    Raises: ConfigError where the path does not fit; DataError where there are too few words.
    """
    if path.suffix != BINARY:
        raise ConfigError(f"{path}: name a file that ends in {BINARY}")
    if path.exists():
        raise ConfigError(f"{path} exists, and a recipe may name it: give another file")
    vectors = training.fit(documents(_catalogue(job)))
    write(path, vectors)
    return vectors


def _catalogue(job: Job) -> Catalogue:
    """The catalogue of a job whose word vectors may not exist yet."""
    content = dict.fromkeys(job.recipe.content, Choice("hashing"))
    reading = replace(job, recipe=replace(job.recipe, content=content))
    return read_shop_columns(reading)[1]


def _held(texts: Sequence[str], fewest: int) -> tuple["sparse.csr_array", tuple[str, ...]]:
    """Ones where one of the n texts contains one of the V words (n, V), and the words."""
    sets = [set(words_of(text)) for text in texts]
    counted: dict[str, int] = {}
    for found in sets:
        for word in found:
            counted[word] = counted.get(word, 0) + 1
    common = sorted(counted, key=lambda word: (-counted[word], word))[:MOST_WORDS]
    words = tuple(sorted(word for word in common if counted[word] >= fewest))
    row_of = {word: row for row, word in enumerate(words)}
    kept = [sorted(row_of[word] for word in found if word in row_of) for found in sets]
    ends = np.cumsum([0, *map(len, kept)])
    rows = np.array([row for found in kept for row in found], dtype=np.int64)
    shape = (len(texts), len(words))
    return sparse.csr_array((np.ones(len(rows)), rows, ends), shape=shape), words


def _information(held: "sparse.csr_array") -> "sparse.csr_array":
    """Positive pointwise mutual information (V, V) of words in one text."""
    together = (held.T @ held).tocoo()
    together.data[together.row == together.col] *= ITSELF
    times = np.asarray(together.sum(axis=1)).ravel()
    smoothed = times**SMOOTHING
    chance = smoothed / smoothed.sum()
    row, column = together.row, together.col
    information = np.log(together.data / times[row] / chance[column])
    kept = information > 0
    return sparse.csr_array((information[kept], (row[kept], column[kept])), shape=together.shape)
