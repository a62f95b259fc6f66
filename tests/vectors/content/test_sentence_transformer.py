"""Vectors of text models compared with sentence-transformers' own."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from recommender.core.arrays import unit_rows
from recommender.core.telemetry import silent
from recommender.errors import ConfigError
from recommender.vectors.content import model_folder, sentence_transformer
from recommender.vectors.content.bert import BertModel, Precision
from recommender.vectors.content.sentence_transformer import SentenceTransformerEncoder

WORDS = ("oak", "steel", "lamp", "chair", "mug", "bowl", "soft", "kids", "wool", "garden", "heart")
TEXTS = [
    " ".join(WORDS[(i * step) % len(WORDS)] for i in range(1 + (7 * step) % 40)) + f" {step}"
    for step in range(1, 31)
] + ["x " * 400]


def default_folder() -> Path:
    return model_folder.find(model_folder.DEFAULT_MODEL, "main", download=False)


@pytest.fixture(scope="module")
def reference() -> np.ndarray:
    model = SentenceTransformer(str(default_folder()), device="cpu", local_files_only=True)
    return unit_rows(model.encode(TEXTS, show_progress_bar=False))


@pytest.fixture
def _loaded_again() -> Iterator[None]:
    sentence_transformer._loaded.cache_clear()
    yield
    sentence_transformer._loaded.cache_clear()


def least_cosine(encoder: SentenceTransformerEncoder, reference: np.ndarray) -> float:
    return float((encoder.encode(TEXTS, silent) * reference).sum(axis=1).min())


PRECISIONS = pytest.mark.parametrize(("precision", "least"), [("fp32", 0.99999), ("bf16", 0.999)])


@pytest.mark.model
@PRECISIONS
def test_a_plain_folder_has_sentence_transformers_vectors(
    reference: np.ndarray, precision: Precision, least: float
) -> None:
    encoder = SentenceTransformerEncoder(precision=precision)
    assert isinstance(encoder.load(), BertModel)
    assert least_cosine(encoder, reference) > least


@pytest.mark.model
@pytest.mark.usefixtures("_loaded_again")
@PRECISIONS
def test_another_folder_is_left_to_sentence_transformers(
    reference: np.ndarray, precision: Precision, least: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentence_transformer, "read_bert", lambda *_: None)
    encoder = SentenceTransformerEncoder(precision=precision)
    assert isinstance(encoder.load(), SentenceTransformer)
    assert least_cosine(encoder, reference) > least


@pytest.mark.model
@pytest.mark.usefixtures("_loaded_again")
def test_a_misread_model_is_refused(
    reference: np.ndarray, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    encode = BertModel.encode

    def wrong(self: BertModel, texts: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for places, vectors in encode(self, texts):
            yield places, vectors[::-1]

    monkeypatch.setattr(BertModel, "encode", wrong)
    encoder = SentenceTransformerEncoder()
    assert isinstance(encoder.load(), SentenceTransformer)
    assert "bert=refused" in caplog.text
    assert least_cosine(encoder, reference) > 0.99999


@pytest.mark.model
@pytest.mark.usefixtures("_loaded_again")
def test_a_model_on_another_device_is_left_to_sentence_transformers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SentenceTransformer, "device", torch.device("meta"))
    assert isinstance(SentenceTransformerEncoder().load(), SentenceTransformer)


@pytest.fixture
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.model
@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_number_of_threads_changes_no_byte(precision: Precision) -> None:
    encoder = SentenceTransformerEncoder(precision=precision)
    made = []
    for number in (1, 3):
        torch.set_num_threads(number)
        made.append(encoder.encode(TEXTS, silent).tobytes())
        assert torch.get_num_threads() == number
    assert made[0] == made[1]


@pytest.mark.model
def test_company_changes_less_than_the_precision_promises() -> None:
    encoder = SentenceTransformerEncoder()
    model = encoder.load()
    alone = [encoder.encode_with(model, [text], silent) for text in TEXTS[:8]]
    together = encoder.encode_with(model, TEXTS, silent)[:8]
    assert np.vstack(alone) == pytest.approx(together, abs=2e-6)


@pytest.mark.model
def test_precision_is_part_of_the_fingerprint() -> None:
    one = SentenceTransformerEncoder().fingerprint()
    assert one.startswith("sentence-transformers-6-fp32-")
    assert SentenceTransformerEncoder(precision="bf16").fingerprint() != one


def test_openvino_is_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"engine = 'openvino' is gone.*remove engine"):
        SentenceTransformerEncoder(engine="openvino")


def test_the_engine_torch_is_accepted_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    SentenceTransformerEncoder(engine="torch")
    assert "recipe.text.engine has no effect" in caplog.text
