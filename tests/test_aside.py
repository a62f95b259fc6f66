"""The text model in a process of its own."""

import multiprocessing

import numpy as np
import pytest

from recommender import registry
from recommender.aside import encoder_aside
from recommender.errors import ConfigError, RecommenderError
from recommender.progress import silent
from recommender.recipe import Choice

HASHING = Choice("hashing", {"dimensions": 16})


def test_it_encodes_as_the_encoder_here_does() -> None:
    texts = ["red kettle", "", "blue kettle"]
    with encoder_aside(HASHING) as encode:
        made = [encode(texts), encode(texts[:1])]
    expected = registry.text_encoder(HASHING).encode(texts, silent)
    assert np.array_equal(made[0], expected)
    assert np.array_equal(made[1], expected[:1])
    assert not multiprocessing.active_children()


def test_what_the_encoder_raises_is_raised() -> None:
    absent = Choice("sentence-transformers", {"model": "nobody/has-this"})
    with encoder_aside(absent) as encode, pytest.raises(ConfigError, match="nobody/has-this"):
        encode(["text"])


def test_a_process_that_ended_is_told() -> None:
    with encoder_aside(HASHING) as encode:
        encode(["text"])
        (process,) = multiprocessing.active_children()
        process.kill()
        process.join()
        with pytest.raises(RecommenderError, match="process of the text model ended"):
            encode(["text"])
