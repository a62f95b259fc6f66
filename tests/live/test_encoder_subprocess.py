"""The text model in a process of its own."""

import dataclasses
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import cast

import numpy as np
import pytest

from recommender import registry
from recommender.core.arrays import FloatMatrix
from recommender.core.recipe import Choice
from recommender.core.telemetry import silent
from recommender.errors import ConfigError, RecommenderError
from recommender.live import encoder_subprocess as subprocess
from recommender.live.encoder_subprocess import ReferenceVectors, encoder_subprocess
from recommender.vectors.content import sentence_transformer
from recommender.vectors.content.sentence_transformer import SentenceTransformerEncoder

HASHING = Choice("hashing", {"dimensions": 16})
MODEL = Choice("sentence-transformers")
TEXTS = ("red kettle", "mug", "oak chair with arms, for the garden")


def encoded(choice: Choice, texts: Sequence[str]) -> FloatMatrix:
    return registry.text_encoder(choice).encode(texts, silent)


def test_it_encodes_as_the_encoder_here_does() -> None:
    texts = ["red kettle", "", "blue kettle"]
    with encoder_subprocess(HASHING) as encoder:
        encoder.compare_with(ReferenceVectors(("a",), np.ones((1, 16), dtype=np.float32)))
        encoder.request(texts)
        encoder.request(texts[:1])
        made = [encoder.result(), encoder.result()]
    expected = encoded(HASHING, texts)
    assert np.array_equal(made[0], expected)
    assert np.array_equal(made[1], expected[:1])
    assert not multiprocessing.active_children()


def test_what_the_encoder_raises_is_raised() -> None:
    absent = Choice("sentence-transformers", {"model": "nobody/has-this"})
    with encoder_subprocess(absent) as encoder:
        encoder.request(["text"])
        with pytest.raises(ConfigError, match="nobody/has-this"):
            encoder.result()


def test_a_process_that_ended_is_reported() -> None:
    with encoder_subprocess(HASHING) as encoder:
        encoder.request(["text"])
        encoder.result()
        assert not encoder.ready()
        (process,) = multiprocessing.active_children()
        process.kill()
        process.join()
        with pytest.raises(RecommenderError, match="process of the text model ended"):
            encoder.request(["text"])
        with pytest.raises(RecommenderError, match="process of the text model ended"):
            encoder.result()


class Script:
    """A connection on which some messages come, and what is answered."""

    def __init__(self, *messages: ReferenceVectors | list[str]) -> None:
        self.messages = list(messages)
        self.answers: list[FloatMatrix | RecommenderError] = []

    def recv(self) -> ReferenceVectors | list[str]:
        if not self.messages:
            raise EOFError
        return self.messages.pop(0)

    def send(self, answer: FloatMatrix | RecommenderError) -> None:
        self.answers.append(answer)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[FloatMatrix | RecommenderError]]:
    """What the process answers to some messages, in this process."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def served(*messages: ReferenceVectors | list[str]) -> list[FloatMatrix | RecommenderError]:
        script = Script(*messages)
        subprocess._serve(cast("Connection", script), MODEL, None)
        return script.answers

    return served


@pytest.mark.model
def test_a_plain_model_with_the_reference_vectors_is_used(
    served: Callable[..., list[FloatMatrix]], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = encoded(MODEL, TEXTS)
    monkeypatch.setattr(sentence_transformer, "_loaded", lambda *_: pytest.fail("loaded"))
    (made,) = served(ReferenceVectors(TEXTS[1:], own[1:]), list(TEXTS))
    assert made == pytest.approx(own, abs=1e-5)


@pytest.mark.model
def test_no_vector_comes_from_a_plain_model_that_was_misread(
    served: Callable[..., list[FloatMatrix]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    own = encoded(MODEL, TEXTS)
    plain = SentenceTransformerEncoder().read()
    assert plain is not None
    first = lambda tokens: tokens[:, 0]  # noqa: E731
    misread = dataclasses.replace(plain, following=(first,))
    monkeypatch.setattr(SentenceTransformerEncoder, "read", lambda _: misread)
    (made,) = served(ReferenceVectors(TEXTS[1:], own[1:]), list(TEXTS))
    assert made == pytest.approx(own, abs=1e-5)
    assert "plain_model=refused" in caplog.text


@pytest.mark.model
@pytest.mark.parametrize(
    "reference", [(), (ReferenceVectors((), np.zeros((0, 384), dtype=np.float32)),)]
)
def test_a_plain_model_is_not_trusted_without_reference_vectors(
    served: Callable[..., list[FloatMatrix]],
    monkeypatch: pytest.MonkeyPatch,
    reference: tuple[ReferenceVectors, ...],
) -> None:
    own = encoded(MODEL, TEXTS)
    plain = SentenceTransformerEncoder().read()
    assert plain is not None
    monkeypatch.setattr(SentenceTransformerEncoder, "read", lambda _: plain)
    monkeypatch.setattr(type(plain), "_vectors", lambda *_, **__: pytest.fail("it was asked"))
    monkeypatch.setattr(SentenceTransformerEncoder, "encode", lambda *_: own)
    (made,) = served(*reference, list(TEXTS))
    assert np.array_equal(made, own)
