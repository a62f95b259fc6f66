"""sentence-transformers models: from the offline package, a local folder or the local cache."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from recommender.arrays import FloatMatrix, blocks, text_codes, unit_rows
from recommender.errors import ConfigError, DataError, MissingExtra
from recommender.progress import Progress
from recommender.text_encoders import model_folder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

CHUNK = 1024

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SentenceTransformerEncoder:
    """A sentence-transformers model on the CPU or GPU at hand, in fp32.

    `model` is a name on the model hub or a local folder. Without `download` nothing is fetched:
    the default model comes from the package of the extra `offline`, any other from a folder or
    the hub's local cache. Only safetensors are loaded, and no code from a model.
    """

    model: str = "all-MiniLM-L6-v2"
    revision: str = "main"
    download: bool = False
    batch_size: int = 64

    def __post_init__(self) -> None:
        if not self.model:
            raise ConfigError("sentence-transformers: model is empty; name a model or a folder")
        if self.batch_size < 1:
            raise ConfigError(f"sentence-transformers: batch_size = {self.batch_size} is below 1")

    def fingerprint(self) -> str:
        """Digest of the model's files; the precision is part of it."""
        folder = model_folder.find(self.model, self.revision, download=self.download)
        return f"sentence-transformers-fp32-{model_folder.digest(folder)}"

    def encode(self, documents: Sequence[str], progress: Progress) -> FloatMatrix:
        """Vectors (n, d); equal documents are encoded once, a blank one has a zero row."""
        model = self._load()
        codes, distinct = text_codes(documents)
        order = sorted(range(len(distinct)), key=lambda code: -len(distinct[code]))
        order = [code for code in order if distinct[code].strip()]
        dimensions = model.get_embedding_dimension()
        encoded = np.zeros((len(distinct), dimensions or 0), dtype=np.float32)
        with progress("encode texts", len(order)) as advance:
            for block in blocks(len(order), CHUNK):
                chunk = order[block]
                vectors = model.encode(
                    [distinct[code] for code in chunk],
                    batch_size=self.batch_size,
                    show_progress_bar=False,
                )
                encoded[chunk] = self._checked(np.asarray(vectors), chunk, distinct)
                advance(len(chunk))
        return encoded[codes]

    def _checked(
        self, vectors: np.ndarray, chunk: Sequence[int], distinct: Sequence[str]
    ) -> FloatMatrix:
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            text = distinct[chunk[int(np.argmin(finite))]]
            raise DataError(
                f"model {self.model} gives a vector that is not finite for {text!r:.80}"
            )
        return unit_rows(vectors)

    def _load(self) -> SentenceTransformer:
        folder: Path = model_folder.find(self.model, self.revision, download=self.download)
        return _loaded(folder, model_folder.digest(folder))


@lru_cache(maxsize=1)
def _loaded(folder: Path, _digest: str) -> SentenceTransformer:
    """The model of a folder, kept for the next shard of texts while its files stay the same."""
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "sentence-transformers is not installed: pip install 'recommender[text]'"
        ) from error
    model_folder.check(folder)
    cast("Callable[[], None]", disable_progress_bar)()
    _log.info("model=%s", folder)
    return SentenceTransformer(
        str(folder),
        trust_remote_code=False,
        local_files_only=True,
        model_kwargs={"use_safetensors": True},
    )
