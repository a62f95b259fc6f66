"""What every text encoder owes."""

from collections.abc import Iterator

import numpy as np
import pytest

from recommender import registry
from recommender.core.api_budget import TextApi
from recommender.core.protocols import TextEncoder
from recommender.core.recipe import Choice
from recommender.core.telemetry import silent
from recommender.errors import ConfigError
from recommender.evaluation.word_vectors import WordTraining
from recommender.vectors.content.word_files import write
from tests.support.text_api_server import DIMENSIONS, running

TEXTS = [
    "white hanging heart t-light holder",
    "",
    "heart t-light holder, white, hanging",
    "garden rake with ash handle",
    "white hanging heart t-light holder",
    "   ",
    "日本の鉄瓶 ☕",
]


@pytest.fixture(scope="module")
def parameters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """What encoders cannot do without."""
    words = tmp_path_factory.mktemp("words") / "words.bin"
    write(words, WordTraining().fit([text for text in TEXTS if text.strip()]))
    return {"openai": {"model": "m", "dimensions": DIMENSIONS}, "static": {"path": str(words)}}


@pytest.fixture(scope="module", params=sorted(registry.TEXT_ENCODERS))
def encoder(
    request: pytest.FixtureRequest, parameters: dict[str, dict[str, object]]
) -> Iterator[TextEncoder]:
    with running() as server:
        choice = Choice(request.param, parameters.get(request.param, {}))
        yield registry.text_encoder(choice, TextApi(url=server.url))


@pytest.fixture(scope="module")
def encoded(encoder: TextEncoder) -> np.ndarray:
    return encoder.encode(TEXTS, silent)


def test_unit_rows_in_float32(encoded: np.ndarray) -> None:
    assert encoded.dtype == np.float32
    assert len(encoded) == len(TEXTS)
    norms = np.linalg.norm(encoded, axis=1)
    assert norms == pytest.approx([1, 0, 1, 1, 1, 0, 1], abs=1e-5)


def test_blank_document_has_zero_row(encoded: np.ndarray) -> None:
    assert not encoded[1].any()
    assert not encoded[5].any()


def test_near_texts_are_near(encoded: np.ndarray) -> None:
    assert encoded[0] @ encoded[2] > encoded[0] @ encoded[3] + 0.2


def test_equal_texts_are_equal(encoded: np.ndarray) -> None:
    assert (encoded[0] == encoded[4]).all()


def test_again_gives_the_same(encoder: TextEncoder, encoded: np.ndarray) -> None:
    assert encoder.encode(TEXTS, silent).tobytes() == encoded.tobytes()


def test_order_and_company_do_not_matter(encoder: TextEncoder, encoded: np.ndarray) -> None:
    backwards = encoder.encode(TEXTS[::-1], silent)[::-1]
    assert backwards == pytest.approx(encoded, abs=1e-5)


def test_nothing_to_encode(encoder: TextEncoder, encoded: np.ndarray) -> None:
    assert encoder.encode([], silent).shape == (0, encoded.shape[1])


def test_fingerprint_is_stable_text(encoder: TextEncoder) -> None:
    assert encoder.fingerprint() == encoder.fingerprint()
    assert len(encoder.fingerprint()) > 8


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("hashing", {"dimensions": 1}),
        ("sentence-transformers", {"precision": "int8"}),
        ("sentence-transformers", {"model": ""}),
        ("hashing", {"dimension": 64}),
        ("openai", {"model": ""}),
        ("openai", {"model": "m"}),
        ("openai", {"dimensions": -1}),
        ("openai", {"batch_texts": 0}),
        ("openai", {"api": "http://h"}),
        ("static", {}),
    ],
)
def test_parameters_out_of_range_are_refused(name: str, parameters: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=name):
        registry.text_encoder(Choice(name, parameters))
