"""sentence-transformers models: from the offline package, a local folder or the local cache."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recommender.core.arrays import FloatMatrix, blocks, text_codes, unit_rows
from recommender.core.telemetry import Progress, silent
from recommender.errors import ConfigError, DataError
from recommender.vectors.content import model_folder
from recommender.vectors.content.bert import BertModel, Places, Precision
from recommender.vectors.content.bert_folder import read_bert
from recommender.vectors.content.static import tokens_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

FORMAT = 6
CHUNK = 1024
BATCH = 64
PROBES = ("a red kettle", "oak chair with arms, for the garden", "mug")
LEAST_COSINE: Mapping[Precision, float] = {"fp32": 0.9999, "bf16": 0.999}
"""Of two vectors of one text, by different machines or code; a misread model is further off."""
TOLERANCE = 1e-3

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SentenceTransformerEncoder:
    """A sentence-transformers model on the CPU or GPU at hand.

    `model` is a name on the model hub or a local folder. Without `download` nothing is fetched:
    the default model comes from the package of the extra `offline`, any other from a folder or
    the hub's local cache. Only safetensors are loaded, and no code from a model.

    `precision` bf16 is faster where the processor multiplies it (AVX512-BF16, AMX, a GPU); the
    cosine of a vector with that of fp32 is about .9999.

    `engine` has no effect. For one release, "torch" is accepted with a warning.
    """

    model: str = "all-MiniLM-L6-v2"
    revision: str = "main"
    download: bool = False
    precision: Precision = "fp32"
    engine: str = ""

    def __post_init__(self) -> None:
        if not self.model:
            raise ConfigError("sentence-transformers: model is empty; name a model or a folder")
        if self.engine == "torch":
            _log.warning("recipe.text.engine has no effect any more; remove it from the recipe")
        elif self.engine:
            raise ConfigError(
                f"sentence-transformers: engine = {self.engine!r} is gone, OpenVINO was slower "
                "than torch; remove engine from the recipe"
            )

    def fingerprint(self) -> str:
        """Digest of the model's files; the precision is part of it."""
        folder = model_folder.find(self.model, self.revision, download=self.download)
        digest = model_folder.digest(folder)
        return f"sentence-transformers-{FORMAT}-{self.precision}-{digest}"

    def encode(self, documents: Sequence[str], progress: Progress) -> FloatMatrix:
        """Vectors (n, d); equal documents are encoded once, a blank one has a zero row.

        On the CPU, the vectors of a plain BERT folder do not depend on the number of threads.
        Raises: DataError where one is not finite.
        """
        return self.encode_with(self.load(), documents, progress)

    def load(self) -> BertModel | SentenceTransformer:
        """The model, kept for the next shard of texts while its files stay the same."""
        folder = model_folder.find(self.model, self.revision, download=self.download)
        return _loaded(folder, model_folder.digest(folder), self.precision)

    def read(self) -> BertModel | None:
        """The model without the imports that `load` needs, None where its folder is not plain.

        Compare its vectors with known ones before you trust it.
        """
        folder = model_folder.find(self.model, self.revision, download=self.download)
        model_folder.check(folder)
        return read_bert(folder, self.precision)

    def tokens(self, words: Sequence[str]) -> list[tuple[int, int]]:
        """How many tokens each word (w,) has, and how many of these are unknown.

        A model without tokenizer.json knows every word as one token.
        """
        folder = model_folder.find(self.model, self.revision, download=self.download)
        file = next(iter(sorted(folder.rglob("tokenizer.json"))), None)
        return [(1, 0)] * len(words) if file is None else tokens_of(file, words)

    def encode_with(
        self,
        model: BertModel | SentenceTransformer,
        documents: Sequence[str],
        progress: Progress,
    ) -> FloatMatrix:
        """As `encode`, with a model that `load` or `read` returned."""
        codes, distinct = text_codes(documents)
        order = sorted(range(len(distinct)), key=lambda code: -len(distinct[code]))
        order = [code for code in order if distinct[code].strip()]
        texts = [distinct[code] for code in order]
        encoded = np.zeros((len(distinct), _dimensions(model)), dtype=np.float32)
        with progress("encode texts", len(order)) as advance:
            for places, vectors in _encoded(model, texts):
                self._require_finite(vectors, [texts[place] for place in places])
                encoded[np.array(order)[places]] = unit_rows(vectors)
                advance(len(places))
        return encoded[codes]

    def _require_finite(self, vectors: FloatMatrix, texts: Sequence[str]) -> None:
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            text = texts[int(np.argmin(finite))]
            raise DataError(
                f"model {self.model} gives a vector that is not finite for {text!r:.80}"
            )


def require_same(folder: Path, texts: Sequence[str], expected: FloatMatrix) -> None:
    """Refuse a model folder whose vectors (n, d) are not those expected. Raises: DataError."""
    given = SentenceTransformerEncoder(model=str(folder.resolve())).encode(texts, silent)
    apart = float(np.abs(given - expected).max(initial=0))
    if not apart <= TOLERANCE:
        raise DataError(f"model {folder}: vectors differ by {apart:.4f} from those expected")


def _dimensions(model: BertModel | SentenceTransformer) -> int:
    if isinstance(model, BertModel):
        return model.dimensions
    return model.get_embedding_dimension() or 0


def _encoded(
    model: BertModel | SentenceTransformer, texts: Sequence[str]
) -> Iterator[tuple[Places, FloatMatrix]]:
    """Places (b,) among the texts and their vectors (b, d), of whatever length.

    Raises: DataError where the model fails.
    """
    try:
        yield from _blocks(model, texts)
    except Exception as error:  # whatever torch raises where parts of a model do not fit
        reason = str(error).strip().partition("\n")[0]
        raise DataError(
            f"the text model fails on a text: {type(error).__name__}: {reason:.300}"
        ) from error


def _blocks(
    model: BertModel | SentenceTransformer, texts: Sequence[str]
) -> Iterator[tuple[Places, FloatMatrix]]:
    if isinstance(model, BertModel):
        yield from model.encode(texts)
        return
    for block in blocks(len(texts), CHUNK):
        vectors = model.encode(
            list(texts[block]),
            batch_size=BATCH,
            show_progress_bar=False,
            convert_to_tensor=True,
        )
        yield np.arange(block.start, block.stop), vectors.float().cpu().numpy()


@lru_cache(maxsize=1)
def _loaded(folder: Path, _digest: str, precision: Precision) -> BertModel | SentenceTransformer:
    model_folder.check(folder)
    _log.info("model=%s precision=%s", folder, precision)
    model = model_folder.load(folder)
    if model.device.type == "cpu":
        bert = read_bert(folder, precision)
        if bert is not None and _agrees(bert, model, precision):
            return bert
    return model.bfloat16() if precision == "bf16" else model


def _agrees(bert: BertModel, model: SentenceTransformer, precision: Precision) -> bool:
    """Whether two models return the same vectors of a few texts."""
    encoder = SentenceTransformerEncoder(precision=precision)
    ours, own = (encoder.encode_with(one, PROBES, silent) for one in (bert, model))
    cosine = float((ours * own).sum(axis=1).min())
    if not cosine >= LEAST_COSINE[precision]:
        _log.warning("bert=refused cosine=%.4f: sentence-transformers is used", cosine)
        return False
    return True
