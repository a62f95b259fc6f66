"""Encoding paths: speed and fidelity of the precisions in which this machine encodes text."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender import registry
from recommender.core.arrays import FloatMatrix
from recommender.core.cpu import multiplies_bf16
from recommender.core.recipe import Choice
from recommender.core.telemetry import silent

SENTENCE_TRANSFORMERS = "sentence-transformers"
FAITHFUL = 0.999
NEAREST = 10

_WHAT = ("lamp", "chair", "mug", "bowl", "blanket", "kettle", "candle", "cushion", "basket", "rake")
_LIKE = ("red", "blue", "ivory", "oak", "steel", "ceramic", "cotton", "vintage", "small", "large")
_FOR = ("the kitchen", "kids", "the garden", "a desk", "two", "gifts", "winter", "the bath")


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How close vectors (n, d) are to reference vectors.

    `nearest_kept` is the mean share of the ten nearest texts that are the same as by the reference.
    """

    mean_cosine: float
    least_cosine: float
    nearest_kept: float

    @classmethod
    def of(cls, vectors: FloatMatrix, reference: FloatMatrix) -> "Fidelity":
        """Compare more than ten rows of length one."""
        cosines = np.einsum("nd,nd->n", vectors, reference)
        kept = [
            len(np.intersect1d(one, two)) / NEAREST
            for one, two in zip(_nearest(vectors), _nearest(reference), strict=True)
        ]
        return cls(float(cosines.mean()), float(cosines.min()), float(np.mean(kept)))


@dataclass(frozen=True, slots=True)
class EncodingPath:
    """Parameters of `recipe.content.text`, with their measured speed and fidelity."""

    parameters: Mapping[str, Any]
    texts_per_s: float
    fidelity: Fidelity

    @property
    def name(self) -> str:
        """The values of the parameters."""
        return ", ".join(map(str, self.parameters.values()))


def possible() -> Iterator[dict[str, str]]:
    """Parameters of the paths that this machine supports, the reference first."""
    for precision in ("fp32", "bf16") if multiplies_bf16() else ("fp32",):
        yield {"precision": precision}


def measured(choice: Choice, texts: Sequence[str], rounds: int = 3) -> list[EncodingPath]:
    """Measure every possible path of a recipe's text encoder on some texts, the reference first.

    The speed is that of the fastest of the `rounds`, after the model was loaded.
    Raises: ConfigError or MissingExtra if the model is not available.
    """
    paths: list[EncodingPath] = []
    reference: FloatMatrix | None = None
    for parameters in possible():
        encoder = registry.text_encoder(Choice(choice.use, {**choice.parameters, **parameters}))
        vectors = encoder.encode(texts, silent)
        seconds = []
        for _ in range(rounds):
            started = time.perf_counter()
            encoder.encode(texts, silent)
            seconds.append(time.perf_counter() - started)
        reference = vectors if reference is None else reference
        speed = len(texts) / min(seconds)
        paths.append(EncodingPath(parameters, speed, Fidelity.of(vectors, reference)))
    return paths


def proposed(paths: Sequence[EncodingPath]) -> EncodingPath:
    """The fastest path with a mean cosine of at least .999."""
    faithful = [path for path in paths if path.fidelity.mean_cosine >= FAITHFUL]
    return max(faithful, key=lambda path: path.texts_per_s)


def sample_texts(number: int, words: int = 9, seed: int = 0) -> list[str]:
    """Different synthetic product texts of about `words` words."""
    rng = np.random.default_rng(seed)
    texts = []
    for item in range(number):
        phrases: list[str] = []
        while len(" ".join(phrases).split()) < words - 1:
            what, like, one_for = (str(rng.choice(of)) for of in (_WHAT, _LIKE, _FOR))
            phrases.append(f"{like} {what} for {one_for}")
        texts.append(f"{' '.join(' '.join(phrases).split()[: words - 1])} {item}")
    return texts


def _nearest(vectors: FloatMatrix) -> NDArray[np.intp]:
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    nearest: NDArray[np.intp] = np.argpartition(-scores, NEAREST, axis=1)[:, :NEAREST]
    return nearest
