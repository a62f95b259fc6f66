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
from recommender.live import encoder_subprocess as aside
from recommender.live.encoder_subprocess import Known, encoder_aside
from recommender.vectors.content import sentence_transformer
from recommender.vectors.content.sentence_transformer import SentenceTransformerEncoder

HASHING = Choice("hashing", {"dimensions": 16})
MODEL = Choice("sentence-transformers")
TEXTS = ("red kettle", "mug", "oak chair with arms, for the garden")


def encoded(choice: Choice, texts: Sequence[str]) -> FloatMatrix:
    return registry.text_encoder(choice).encode(texts, silent)


def test_it_encodes_as_the_encoder_here_does() -> None:
    texts = ["red kettle", "", "blue kettle"]
    with encoder_aside(HASHING) as encoder:
        encoder.hand(Known(("a",), np.ones((1, 16), dtype=np.float32)))
        encoder.ask(texts)
        encoder.ask(texts[:1])
        made = [encoder.answer(), encoder.answer()]
    expected = encoded(HASHING, texts)
    assert np.array_equal(made[0], expected)
    assert np.array_equal(made[1], expected[:1])
    assert not multiprocessing.active_children()


def test_what_the_encoder_raises_is_raised() -> None:
    absent = Choice("sentence-transformers", {"model": "nobody/has-this"})
    with encoder_aside(absent) as encoder:
        encoder.ask(["text"])
        with pytest.raises(ConfigError, match="nobody/has-this"):
            encoder.answer()


def test_a_process_that_ended_is_told() -> None:
    with encoder_aside(HASHING) as encoder:
        encoder.ask(["text"])
        encoder.answer()
        assert not encoder.answered()
        (process,) = multiprocessing.active_children()
        process.kill()
        process.join()
        with pytest.raises(RecommenderError, match="process of the text model ended"):
            encoder.ask(["text"])
        with pytest.raises(RecommenderError, match="process of the text model ended"):
            encoder.answer()


class Script:
    """A connection on which some messages come, and what is answered."""

    def __init__(self, *messages: Known | list[str]) -> None:
        self.messages = list(messages)
        self.answers: list[FloatMatrix | RecommenderError] = []

    def recv(self) -> Known | list[str]:
        if not self.messages:
            raise EOFError
        return self.messages.pop(0)

    def send(self, answer: FloatMatrix | RecommenderError) -> None:
        self.answers.append(answer)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[FloatMatrix | RecommenderError]]:
    """What the process answers to some messages, in this process."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def served(*messages: Known | list[str]) -> list[FloatMatrix | RecommenderError]:
        script = Script(*messages)
        aside._serve(cast("Connection", script), MODEL, None)
        return script.answers

    return served


@pytest.mark.model
def test_a_light_model_that_tells_what_is_known_is_enough(
    served: Callable[..., list[FloatMatrix]], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = encoded(MODEL, TEXTS)
    monkeypatch.setattr(sentence_transformer, "_loaded", lambda *_: pytest.fail("loaded"))
    (made,) = served(Known(TEXTS[1:], own[1:]), list(TEXTS))
    assert made == pytest.approx(own, abs=1e-5)


@pytest.mark.model
def test_no_vector_comes_from_a_light_model_that_was_misread(
    served: Callable[..., list[FloatMatrix]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    own = encoded(MODEL, TEXTS)
    light = SentenceTransformerEncoder().light()
    assert light is not None
    first = lambda features: {"sentence_embedding": features["token_embeddings"][:, 0]}  # noqa: E731
    misread = dataclasses.replace(light, following=(first,))
    monkeypatch.setattr(SentenceTransformerEncoder, "light", lambda _: misread)
    (made,) = served(Known(TEXTS[1:], own[1:]), list(TEXTS))
    assert made == pytest.approx(own, abs=1e-5)
    assert "light_model=refused" in caplog.text


@pytest.mark.model
@pytest.mark.parametrize("known", [(), (Known((), np.zeros((0, 384), dtype=np.float32)),)])
def test_a_light_model_is_not_trusted_where_nothing_is_known(
    served: Callable[..., list[FloatMatrix]],
    monkeypatch: pytest.MonkeyPatch,
    known: tuple[Known, ...],
) -> None:
    own = encoded(MODEL, TEXTS)
    light = SentenceTransformerEncoder().light()
    assert light is not None
    monkeypatch.setattr(SentenceTransformerEncoder, "light", lambda _: light)
    monkeypatch.setattr(type(light), "vectors", lambda *_, **__: pytest.fail("it was asked"))
    monkeypatch.setattr(SentenceTransformerEncoder, "encode", lambda *_: own)
    (made,) = served(*known, list(TEXTS))
    assert np.array_equal(made, own)
