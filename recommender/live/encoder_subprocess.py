"""Aside: the text model in a process of its own, which loads it while this one does other things.

To import and load a model takes longer than all else that a few texts need, and a thread would not
help: imports hold the interpreter. Longest takes what sentence-transformers imports; so a model
that can be read without it is, and is trusted once it has told vectors that are known. Else the
encoder's own way is taken, as anywhere else.
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
from recommender.vectors.content.sentence_transformer import SentenceTransformerEncoder

Encode = Callable[[Sequence[str]], FloatMatrix]
"""Vectors (n, d) of texts."""

LEAST_COSINE = {"fp32": 0.9999, "bf16": 0.999}
"""Of a vector and the same one from another machine; a model that was misread is further off."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """Texts (n,) that the encoder has encoded before, and their vectors (n, d)."""

    texts: tuple[str, ...]
    vectors: FloatMatrix


@dataclass(frozen=True, slots=True)
class Aside:
    """An encoder that is being loaded in another process."""

    connection: Connection

    def hand(self, known: Known) -> None:
        """Hand over what the encoder has encoded before; there is no answer.

        Raises: RecommenderError where its process ended.
        """
        with _ended():
            self.connection.send(known)

    def ask(self, texts: Sequence[str]) -> None:
        """Ask for the vectors of some texts. Raises: RecommenderError where its process ended."""
        with _ended():
            self.connection.send(list(texts))

    def answered(self) -> bool:
        """Whether `answer` would not wait."""
        return self.connection.poll()

    def answer(self) -> FloatMatrix:
        """Vectors (n, d) of the texts that were asked for.

        They come from a light model only where it agreed with what had been handed over. Raises:
        what the encoder raises; RecommenderError where its process ended.
        """
        with _ended():
            answer: FloatMatrix | RecommenderError = self.connection.recv()
        if isinstance(answer, RecommenderError):
            raise answer
        return answer


@contextmanager
def encoder_aside(choice: Choice, api: TextApi | None = None) -> Iterator[Aside]:
    """An encoder that is being loaded; the process ends with the block."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, choice, api), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Aside(ours)
    finally:
        process.terminate()
        process.join()
        ours.close()


@contextmanager
def _ended() -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError) as error:
        raise RecommenderError(
            "the process of the text model ended; see what it wrote, and look for memory"
        ) from error


def _serve(connection: Connection, choice: Choice, api: TextApi | None) -> None:
    """Load the encoder, then encode what comes, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that what it holds is given back
    encode: Encode = partial(_plain, choice, api)
    light = _Light.of(choice, api)
    if light is None:
        _load(encode)
    while True:
        try:
            asked: Known | list[str] = connection.recv()
        except (EOFError, OSError):
            return
        if isinstance(asked, list):
            connection.send(_answer(encode, asked))
        elif light is not None:
            if light.tells(asked):
                encode = light.encode
            else:
                _load(encode)
            light = None


def _plain(choice: Choice, api: TextApi | None, texts: Sequence[str]) -> FloatMatrix:
    return registry.text_encoder(choice, api).encode(texts, silent)


def _load(encode: Encode) -> None:
    with suppress(RecommenderError):  # whoever asks is told
        encode([])


def _answer(encode: Encode, texts: Sequence[str]) -> FloatMatrix | RecommenderError:
    try:
        return encode(texts)
    except RecommenderError as error:
        return error


@dataclass(frozen=True, slots=True)
class _Light:
    """A light model, and the least cosine by which it has to agree with what is known."""

    encode: Encode
    least: float

    @classmethod
    def of(cls, choice: Choice, api: TextApi | None) -> "_Light | None":
        """That of an encoder, None where it has none."""
        with suppress(RecommenderError):  # whoever asks is told
            encoder = registry.text_encoder(choice, api)
            if isinstance(encoder, SentenceTransformerEncoder) and (model := encoder.light()):
                encode = partial(encoder.encode_with, model, progress=silent)
                return cls(encode, LEAST_COSINE[encoder.precision])
        return None

    def tells(self, known: Known) -> bool:
        """Whether it tells what is known; where nothing is, it does not."""
        made = _answer(self.encode, known.texts)
        nearest = 0.0
        if (
            not isinstance(made, RecommenderError)
            and made.shape == known.vectors.shape
            and len(made)
        ):
            nearest = float((made * known.vectors).sum(axis=1).min())
        if not nearest >= self.least:
            _log.warning("light_model=refused cosine=%.5f: the encoder's own is loaded", nearest)
        return nearest >= self.least
