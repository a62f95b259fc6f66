"""Encoder subprocess: loads the text model in another process while this one does other work.

Importing and loading a model takes longer than everything else that a few texts need, and a thread
would not help, because imports hold the interpreter. Importing sentence-transformers takes most of
the time, so a plain model folder is read without it, and its vectors are compared with reference
vectors before it is trusted. Otherwise the encoder loads as it does anywhere else.
"""

import logging
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection

from recommender import registry
from recommender.core.api_budget import TextApi
from recommender.core.arrays import FloatMatrix
from recommender.core.recipe import Choice
from recommender.core.telemetry import silent
from recommender.errors import RecommenderError
from recommender.vectors.content.sentence_transformer import (
    LEAST_COSINE,
    SentenceTransformerEncoder,
)

Encode = Callable[[Sequence[str]], FloatMatrix]
"""Vectors (n, d) of texts."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReferenceVectors:
    """Texts (n,) that the encoder has encoded before, and their vectors (n, d)."""

    texts: tuple[str, ...]
    vectors: FloatMatrix


@dataclass(frozen=True, slots=True)
class EncoderSubprocess:
    """An encoder that is being loaded in another process."""

    connection: Connection

    def compare_with(self, reference: ReferenceVectors) -> None:
        """Let the process compare its model with reference vectors; does not wait.

        Raises: RecommenderError if the process ended.
        """
        with _connected():
            self.connection.send(reference)

    def request(self, texts: Sequence[str]) -> None:
        """Request the vectors of some texts. Raises: RecommenderError if the process ended."""
        with _connected():
            self.connection.send(list(texts))

    def ready(self) -> bool:
        """Whether `result` would return at once."""
        return self.connection.poll()

    def result(self) -> FloatMatrix:
        """Vectors (n, d) of the texts of the oldest request.

        Raises: what the encoder raises; RecommenderError if the process ended.
        """
        with _connected():
            result: FloatMatrix | RecommenderError = self.connection.recv()
        if isinstance(result, RecommenderError):
            raise result
        return result


@contextmanager
def encoder_subprocess(choice: Choice, api: TextApi | None = None) -> Iterator[EncoderSubprocess]:
    """An encoder that is being loaded; its process ends with the block."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, choice, api), daemon=True)
    process.start()
    theirs.close()
    try:
        yield EncoderSubprocess(ours)
    finally:
        process.terminate()
        process.join()
        ours.close()


@contextmanager
def _connected() -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError) as error:
        raise RecommenderError(
            "the process of the text model ended; see its output, and check the memory"
        ) from error


def _serve(connection: Connection, choice: Choice, api: TextApi | None) -> None:
    """Load the encoder, then encode what is requested until the connection closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that its resources are released

    def encode_by_recipe(texts: Sequence[str]) -> FloatMatrix:
        return registry.text_encoder(choice, api).encode(texts, silent)

    encode: Encode = encode_by_recipe
    plain = _PlainModel.of(choice, api)
    if plain is None:
        _vectors_or_error(encode, [])  # loads; the first request reports errors
    while True:
        try:
            message: ReferenceVectors | list[str] = connection.recv()
        except (EOFError, OSError):
            return
        if isinstance(message, list):
            connection.send(_vectors_or_error(encode, message))
        elif plain is not None:
            if plain.agrees(message):
                encode = plain.encode
            else:
                _vectors_or_error(encode, [])  # loads; the first request reports errors
            plain = None


def _vectors_or_error(encode: Encode, texts: Sequence[str]) -> FloatMatrix | RecommenderError:
    try:
        return encode(texts)
    except RecommenderError as error:
        return error


@dataclass(frozen=True, slots=True)
class _PlainModel:
    """A model read without sentence-transformers, and the least cosine at which it is trusted."""

    encode: Encode
    least: float

    @classmethod
    def of(cls, choice: Choice, api: TextApi | None) -> "_PlainModel | None":
        """The model of an encoder, None if its folder is not plain."""
        with suppress(RecommenderError):  # the first request reports it
            encoder = registry.text_encoder(choice, api)
            if isinstance(encoder, SentenceTransformerEncoder) and (model := encoder.read()):
                encode = partial(encoder.encode_with, model, progress=silent)
                return cls(encode, LEAST_COSINE[encoder.precision])
        return None

    def agrees(self, reference: ReferenceVectors) -> bool:
        """Whether its vectors are the reference vectors; False if there are none."""
        nearest = 0.0
        with suppress(RecommenderError):
            made = self.encode(reference.texts)
            if made.shape == reference.vectors.shape and len(made):
                nearest = float((made * reference.vectors).sum(axis=1).min())
        if not nearest >= self.least:
            _log.warning("plain_model=refused cosine=%.5f: the encoder loads its own", nearest)
        return nearest >= self.least
