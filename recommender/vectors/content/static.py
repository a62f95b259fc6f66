"""Text encoders without a transformer: word vectors from a file, and hashed n-grams."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from recommender.core.arrays import FloatMatrix, blocks, unit_rows
from recommender.core.telemetry import Progress
from recommender.errors import ConfigError, MissingExtra
from recommender.vectors.content import word_files
from recommender.vectors.content.word_files import SUFFIXES, words_of

BLOCK = 4096
FILES = ("model.safetensors", "tokenizer.json", "config.json")
LONGEST = 512
FORMAT = 1

Tokens = Callable[[Sequence[str]], list[list[int]]]
"""The rows of the vectors of each text's tokens."""


@dataclass(frozen=True, slots=True)
class StaticEncoder:
    """Vectors of words (word2vec's .bin, .vec or .txt) or of tokens (a folder of model2vec).

    They are read from `path` and summed; the length of a vector is its weight. Words and tokens
    that the file lacks are ignored, and a text without any other has a zero row.
    """

    path: str = ""

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("static: path is empty; name a word2vec file or a model2vec folder")

    def fingerprint(self) -> str:
        """Digest of the files."""
        return f"static-{FORMAT}-{_digest(self._files())}"

    def cost(self) -> list[str]:
        """The memory that it needs, for `doctor`."""
        size = sum(file.stat().st_size for file in self._files()) / 1024**2
        return [Path(self.path).name, f"{size:,.1f} MiB of memory, no download"]

    def encode(self, documents: Sequence[str], progress: Progress) -> FloatMatrix:
        """Vectors (n, d) of length one; a blank document has a zero row."""
        files = self._files()
        vectors, tokens = _loaded(tuple(files), _digest(files))
        encoded = np.zeros((len(documents), vectors.shape[1]), dtype=np.float32)
        with progress("encode texts", len(documents)) as advance:
            for block in blocks(len(documents), BLOCK):
                encoded[block] = unit_rows(
                    _counted(tokens(documents[block]), len(vectors)) @ vectors
                )
                advance(block.stop - block.start)
        return encoded

    def tokens(self, words: Sequence[str]) -> list[tuple[int, int]]:
        """How many tokens each word (w,) has, and how many of these are unknown."""
        files = self._files()
        if len(files) > 1:
            return tokens_of(Path(self.path).expanduser() / FILES[1], words)
        _, rows = _loaded(tuple(files), _digest(files))
        counts = [len(words_of(word)) for word in words]
        return [
            (count, count - len(found)) for count, found in zip(counts, rows(words), strict=True)
        ]

    def _files(self) -> list[Path]:
        """The files to read. Raises: ConfigError, MissingExtra."""
        place = Path(self.path).expanduser()
        if place.is_file() and place.suffix in SUFFIXES:
            return [place]
        files = [place / name for name in FILES]
        if not place.is_dir() or not all(file.is_file() for file in files[:2]):
            raise ConfigError(
                f"static: {self.path!r} is neither a file of word vectors "
                f"({', '.join(sorted(SUFFIXES))}) nor a folder with {' and '.join(FILES[:2])}"
            )
        for part in ("safetensors", "tokenizers"):
            if importlib.util.find_spec(part) is None:
                raise MissingExtra(f"{part} is not installed: pip install 'recommender[static]'")
        return [file for file in files if file.is_file()]


def tokens_of(tokenizer_file: Path, words: Sequence[str]) -> list[tuple[int, int]]:
    """How many tokens a tokenizer.json makes of each word (w,), and how many are unknown."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(tokenizer_file))
        unknown = _unknown_token(tokenizer_file, tokenizer)
    except Exception as error:  # tokenizers raises bare exceptions
        raise ConfigError(f"{tokenizer_file} cannot be read: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    found = _encoded(tokenizer_file.parent, tokenizer, words)
    return [(len(one.ids), sum(token == unknown for token in one.ids)) for one in found]


def _encoded(folder: Path, tokenizer: Any, texts: Sequence[str]) -> list[Any]:  # noqa: ANN401
    try:
        found: list[Any] = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    except Exception as error:  # tokenizers raises bare exceptions
        raise ConfigError(f"{folder}: its tokenizer fails: {error}") from error
    return found


def _unknown_token(file: Path, tokenizer: Any) -> int | None:  # noqa: ANN401 - imported lazily
    described = json.loads(file.read_bytes())["model"]
    unknown: int | None = described.get(
        "unk_id", tokenizer.token_to_id(described.get("unk_token") or "")
    )
    return unknown


def _digest(files: Sequence[Path]) -> str:
    total = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.suffix}\0{found}\n".encode())
    return total.hexdigest()


@lru_cache(maxsize=1)
def _loaded(files: tuple[Path, ...], _digest: str) -> tuple[FloatMatrix, Tokens]:
    """The vectors, and the function from texts to their rows; cached by the digest of the files."""
    return _words(files[0]) if len(files) == 1 else _model(files[0].parent)


def _words(path: Path) -> tuple[FloatMatrix, Tokens]:
    read = word_files.read(path)
    rows = {word.casefold(): row for row, word in reversed(list(enumerate(read.words)))}

    def tokens(texts: Sequence[str]) -> list[list[int]]:
        return [[rows[word] for word in words_of(text) if word in rows] for text in texts]

    return read.matrix, tokens


def _model(folder: Path) -> tuple[FloatMatrix, Tokens]:
    """A model of model2vec: `embeddings`, and `weights` and `mapping` of tokens if it has them."""
    from tokenizers import Tokenizer

    parts = _tensors(folder / FILES[0])
    try:
        tokenizer = Tokenizer.from_file(str(folder / FILES[1]))
        unknown = _unknown_token(folder / FILES[1], tokenizer)
        config = folder / FILES[2]
        longest = (
            json.loads(config.read_bytes()).get("max_length", LONGEST)
            if config.is_file()
            else LONGEST
        )
        if longest:
            tokenizer.enable_truncation(int(longest))
    except Exception as error:  # tokenizers raises bare exceptions
        raise ConfigError(f"static: {folder} has no readable tokenizer: {error}") from error
    tokenizer.no_padding()
    vectors, size = _of_tokens(folder, parts), tokenizer.get_vocab_size()
    if len(vectors) <= max(tokenizer.get_vocab().values(), default=-1):
        raise ConfigError(f"static: {folder} has {len(vectors)} vectors for {size} tokens")

    def tokens(texts: Sequence[str]) -> list[list[int]]:
        found = _encoded(folder, tokenizer, texts)
        return [[token for token in one.ids if token != unknown] for one in found]

    return vectors, tokens


def _tensors(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    from safetensors.numpy import load_file

    try:
        parts: dict[str, np.ndarray[Any, Any]] = load_file(path)
    except Exception as error:  # its own error, or that of a type that numpy lacks
        raise ConfigError(f"static: {path} cannot be read: {error}") from error
    if "embeddings" not in parts or parts["embeddings"].ndim != 2:
        raise ConfigError(f"static: {path} has no embeddings (tokens, dimensions)")
    return parts


def _of_tokens(folder: Path, parts: dict[str, np.ndarray[Any, Any]]) -> FloatMatrix:
    """One vector per token (V, d); its length is its weight."""
    vectors: FloatMatrix = _cast(parts["embeddings"])
    if "mapping" in parts:
        mapping = parts["mapping"]
        if mapping.ndim != 1 or mapping.dtype.kind not in "iu":
            raise ConfigError(f"static: {folder} has a mapping that is no list of whole numbers")
        if not len(mapping) or mapping.min() < 0 or mapping.max() >= len(vectors):
            raise ConfigError(f"static: {folder} maps a token to no vector")
        vectors = vectors[mapping]
    if "weights" in parts:
        weights = _cast(parts["weights"])
        if weights.shape != vectors.shape[:1]:
            raise ConfigError(f"static: {folder} has {weights.size} weights")
        with np.errstate(over="ignore", invalid="ignore"):
            vectors = vectors * weights[:, None]
    if not np.isfinite(vectors).all():
        raise ConfigError(f"static: {folder} holds a number that is not finite")
    return vectors


def _cast(numbers: np.ndarray[Any, Any]) -> FloatMatrix:
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32)


def _counted(tokens: Sequence[Sequence[int]], size: int) -> Any:  # noqa: ANN401 - a CSR matrix
    """How often each token occurs in each text (b, V)."""
    ends = np.cumsum([0, *map(len, tokens)])
    rows = np.fromiter((row for text in tokens for row in text), np.int64, int(ends[-1]))
    ones = np.ones(len(rows), dtype=np.float32)
    return sparse.csr_array((ones, rows, ends), shape=(len(tokens), size))


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
