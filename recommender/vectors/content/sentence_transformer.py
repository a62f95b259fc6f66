"""sentence-transformers models: from the offline package, a local folder or the local cache."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from recommender.core.arrays import FloatMatrix, blocks, text_codes, unit_rows
from recommender.core.telemetry import Progress
from recommender.errors import ConfigError, DataError, MissingExtra
from recommender.vectors.content import model_folder, openvino_layers
from recommender.vectors.content.light_model import light_model, light_tokens
from recommender.vectors.content.parallel import Encoded, side_by_side
from recommender.vectors.content.text_model import (
    Engine,
    Precision,
    TextModel,
    takes_packs,
    text_model,
)

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

FORMAT = 5
CHUNK = 1024
BATCH = 64

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SentenceTransformerEncoder:
    """A sentence-transformers model on the CPU or GPU at hand.

    `model` is a name on the model hub or a local folder. Without `download` nothing is fetched:
    the default model comes from the package of the extra `offline`, any other from a folder or
    the hub's local cache. Only safetensors are loaded, and no code from a model.

    `precision` bf16 is faster where the processor multiplies it (AVX512-BF16, AMX, a GPU); a
    vector's cosine with that of fp32 is .9999. Pooling and normalising are in fp32 in any case.
    The `engine` openvino (the extra `openvino`) takes the CPU; a GPU is torch's.
    """

    model: str = "all-MiniLM-L6-v2"
    revision: str = "main"
    download: bool = False
    precision: Precision = "fp32"
    engine: Engine = "torch"

    def __post_init__(self) -> None:
        if not self.model:
            raise ConfigError("sentence-transformers: model is empty; name a model or a folder")

    def fingerprint(self) -> str:
        """Digest of the model's files; the precision and the engine are part of it."""
        folder = model_folder.find(self.model, self.revision, download=self.download)
        digest = model_folder.digest(folder)
        how: str = self.precision
        if self.engine == "openvino":
            how = f"openvino-{openvino_layers.FORMAT}-{self.precision}"
        return f"sentence-transformers-{FORMAT}-{how}-{digest}"

    def encode(self, documents: Sequence[str], progress: Progress) -> FloatMatrix:
        """Vectors (n, d); equal documents are encoded once, a blank one has a zero row.

        Vectors do not depend on the number of threads. Raises: DataError where one is not finite.
        """
        return self.encode_with(self.load(), documents, progress)

    def load(self) -> TextModel | SentenceTransformer:
        """The model, kept for the next shard of texts while its files stay the same."""
        folder = model_folder.find(self.model, self.revision, download=self.download)
        return _loaded(folder, model_folder.digest(folder), self.precision, self.engine)

    def light(self) -> TextModel | None:
        """The model without the libraries that `load` imports, None where its folder is not plain.

        Whoever takes it has to see that it tells vectors that are known, before it is trusted.
        """
        if self.engine != "torch":
            return None
        folder = model_folder.find(self.model, self.revision, download=self.download)
        model_folder.check(folder)
        return light_model(folder, self.precision)

    def encode_with(
        self,
        model: TextModel | SentenceTransformer,
        documents: Sequence[str],
        progress: Progress,
    ) -> FloatMatrix:
        """As `encode`, with what `load` gave."""
        codes, distinct = text_codes(documents)
        order = sorted(range(len(distinct)), key=lambda code: -len(distinct[code]))
        order = [code for code in order if distinct[code].strip()]
        texts = [distinct[code] for code in order]
        dimensions = model.get_embedding_dimension() or 0
        encoded = np.zeros((len(distinct), dimensions), dtype=np.float32)
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


def _encoded(model: TextModel | SentenceTransformer, texts: Sequence[str]) -> Iterator[Encoded]:
    """Places (b,) among the texts and their vectors (b, d), of whatever length."""
    if isinstance(model, TextModel):
        yield from side_by_side(model, texts)
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
def _loaded(
    folder: Path, _digest: str, precision: Precision, engine: Engine
) -> TextModel | SentenceTransformer:
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "sentence-transformers is not installed: pip install 'recommender[text]'"
        ) from error
    model_folder.check(folder)
    cast("Callable[[], None]", disable_progress_bar)()
    _log.info("model=%s precision=%s engine=%s", folder, precision, engine)
    model = SentenceTransformer(
        str(folder),
        trust_remote_code=False,
        local_files_only=True,
        model_kwargs={"use_safetensors": True},
        device="cpu" if engine == "openvino" else None,
    )
    if takes_packs(model):
        return text_model(model, precision, engine, light_tokens(folder))
    return model.bfloat16() if precision == "bf16" else model
