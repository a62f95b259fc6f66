"""The packed form of text models beside sentence-transformers' own."""

import copy
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from recommender.core.arrays import unit_rows
from recommender.core.telemetry import silent
from recommender.errors import MissingExtra
from recommender.vectors.content import model_folder, openvino_layers, text_model
from recommender.vectors.content.light_model import light_tokens
from recommender.vectors.content.packed_bert import PackedBert
from recommender.vectors.content.parallel import side_by_side
from recommender.vectors.content.sentence_transformer import SentenceTransformerEncoder
from recommender.vectors.content.text_model import (
    Features,
    Precision,
    TextModel,
    Tokens,
    takes_packs,
)
from recommender.vectors.content.text_model import text_model as made_of

pytestmark = pytest.mark.model

WORDS = ("oak", "steel", "lamp", "chair", "mug", "bowl", "soft", "kids", "wool", "garden", "heart")
TEXTS = [
    " ".join(WORDS[(i * step) % len(WORDS)] for i in range(1 + (7 * step) % 40)) + f" {step}"
    for step in range(1, 31)
] + ["x " * 400]


def default_folder() -> Path:
    return model_folder.find(model_folder.DEFAULT_MODEL, "main", download=False)


@pytest.fixture(scope="module")
def model() -> SentenceTransformer:
    return SentenceTransformer(str(default_folder()), device="cpu", local_files_only=True)


@pytest.fixture(scope="module")
def reference(model: SentenceTransformer) -> np.ndarray:
    return unit_rows(model.encode(TEXTS, show_progress_bar=False))


def encoded(packed: TextModel, texts: list[str]) -> np.ndarray:
    made = np.zeros((len(texts), packed.get_embedding_dimension()), dtype=np.float32)
    for places, vectors in side_by_side(packed, texts):
        made[places] = vectors
    return made


def cosines(vectors: np.ndarray, reference: np.ndarray) -> np.ndarray:
    cosine: np.ndarray = (unit_rows(vectors) * reference).sum(axis=1)
    return cosine


@pytest.mark.parametrize(("precision", "least"), [("fp32", 0.99999), ("bf16", 0.999)])
def test_packs_tell_what_sentence_transformers_tells(
    model: SentenceTransformer, reference: np.ndarray, precision: Precision, least: float
) -> None:
    packed = made_of(copy.deepcopy(model), precision)
    assert isinstance(packed.between, PackedBert)
    assert cosines(encoded(packed, TEXTS), reference).min() > least


@pytest.mark.parametrize(("precision", "least"), [("fp32", 0.99999), ("bf16", 0.999)])
def test_another_architecture_goes_through_transformers_with_swapped_layers(
    model: SentenceTransformer,
    reference: np.ndarray,
    precision: Precision,
    least: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(text_model, "fits", lambda _: False)
    packed = made_of(copy.deepcopy(model), precision)
    assert not isinstance(packed.between, PackedBert)
    assert cosines(encoded(packed, TEXTS), reference).min() > least


def test_packed_layers_that_tell_something_else_are_refused(
    model: SentenceTransformer, reference: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(_: PackedBert, groups: list[dict[str, torch.Tensor]], __: int) -> list[torch.Tensor]:
        return [torch.randn(*group["input_ids"].shape, 384) for group in groups]

    monkeypatch.setattr(PackedBert, "__call__", wrong)
    packed = made_of(copy.deepcopy(model), "fp32")
    assert not isinstance(packed.between, PackedBert)
    assert cosines(encoded(packed, TEXTS[:20]), reference[:20]).min() > 0.99999


def test_tokens_that_are_not_the_models_are_refused(
    model: SentenceTransformer, reference: np.ndarray
) -> None:
    own = made_of(copy.deepcopy(model), "fp32").preprocess

    def wrong(texts: Sequence[str]) -> Features:
        return own([text.replace("kettle", "mug") for text in texts])

    packed = made_of(copy.deepcopy(model), "fp32", tokens=wrong)
    assert packed.preprocess is not wrong
    assert cosines(encoded(packed, TEXTS[:20]), reference[:20]).min() > 0.99999


@pytest.mark.parametrize(("precision", "least"), [("fp32", 0.99999), ("bf16", 0.999)])
@pytest.mark.parametrize("read_tokens", [lambda _: None, light_tokens])
def test_openvino_tells_the_same(
    model: SentenceTransformer,
    reference: np.ndarray,
    precision: Precision,
    least: float,
    read_tokens: Callable[[Path], Tokens | None],
) -> None:
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    tokens = read_tokens(default_folder())
    packed = made_of(copy.deepcopy(model), precision, "openvino", tokens)
    assert packed.pack == openvino_layers.PACK
    assert packed.between.__module__ == openvino_layers.__name__
    assert cosines(encoded(packed, TEXTS), reference).min() > least


def test_without_openvino_its_extra_is_named(
    model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_layers, "installed", lambda: False)
    with pytest.raises(MissingExtra, match="openvino"):
        made_of(copy.deepcopy(model), "fp32", "openvino")


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_number_of_threads_changes_no_byte(precision: Precision) -> None:
    encoder = SentenceTransformerEncoder(precision=precision)
    made = []
    for number in (1, 3):
        torch.set_num_threads(number)
        made.append(encoder.encode(TEXTS, silent).tobytes())
        assert torch.get_num_threads() == number
    assert made[0] == made[1]


def test_engine_is_part_of_the_fingerprint() -> None:
    told = SentenceTransformerEncoder(precision="bf16", engine="openvino").fingerprint()
    assert told.startswith("sentence-transformers-5-openvino-2-bf16-")


def test_company_changes_less_than_the_precision_promises() -> None:
    encoder = SentenceTransformerEncoder()
    model = encoder.load()
    alone = [encoder.encode_with(model, [text], silent) for text in TEXTS[:8]]
    together = encoder.encode_with(model, TEXTS, silent)[:8]
    assert np.vstack(alone) == pytest.approx(together, abs=2e-6)


def test_precision_is_part_of_the_fingerprint() -> None:
    one = SentenceTransformerEncoder().fingerprint()
    assert one.startswith("sentence-transformers-5-fp32-")
    assert SentenceTransformerEncoder(precision="bf16").fingerprint() != one


def test_a_model_on_another_device_is_left_to_sentence_transformers(
    model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert takes_packs(model)
    monkeypatch.setattr(SentenceTransformer, "device", torch.device("meta"))
    assert not takes_packs(model)
