"""Aside: the text model in a process of its own, which loads it while this one does other things.

To import and load a model takes longer than all else that a few texts need, and a thread would not
help: imports hold the interpreter.
"""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection

from recommender import registry
from recommender.arrays import FloatMatrix
from recommender.errors import RecommenderError
from recommender.progress import silent
from recommender.recipe import Choice
from recommender.text_api import TextApi

Encode = Callable[[Sequence[str]], FloatMatrix]
"""Vectors (n, d) of texts."""


@contextmanager
def encoder_aside(choice: Choice, api: TextApi | None = None) -> Iterator[Encode]:
    """An encoder that is being loaded; the process ends with the block.

    Encoding raises what the encoder raises, and RecommenderError where its process ended.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, choice, api), daemon=True)
    process.start()
    theirs.close()

    def encode(texts: Sequence[str]) -> FloatMatrix:
        try:
            ours.send(list(texts))
            answer: FloatMatrix | RecommenderError = ours.recv()
        except (EOFError, OSError) as error:
            raise RecommenderError(
                "the process of the text model ended; see what it wrote, and look for memory"
            ) from error
        if isinstance(answer, RecommenderError):
            raise answer
        return answer

    try:
        yield encode
    finally:
        process.terminate()
        process.join()
        ours.close()


def _serve(connection: Connection, choice: Choice, api: TextApi | None) -> None:
    """Load the encoder, then encode what comes, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that what it holds is given back
    with suppress(RecommenderError):  # whoever asks is told
        registry.text_encoder(choice, api).encode([], silent)
    while True:
        try:
            texts: list[str] = connection.recv()
        except (EOFError, OSError):
            return
        try:
            connection.send(registry.text_encoder(choice, api).encode(texts, silent))
        except RecommenderError as error:
            connection.send(error)
