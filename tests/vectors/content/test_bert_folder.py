"""Plain BERT folders compared with sentence-transformers' own reading of them."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer

from recommender.core.telemetry import silent
from recommender.vectors.content import bert_folder, model_folder
from recommender.vectors.content.adapter import Adapter
from recommender.vectors.content.bert import BertModel, Precision
from recommender.vectors.content.sentence_transformer import SentenceTransformerEncoder

pytestmark = pytest.mark.model

TEXTS = [
    *("a", "Red kettle", "RED KETTLE ÄÖÜ É ß", " ", "", "...", "x" * 300, "tab\tand\nline"),
    *("漢字のテキスト", "привет, мир", "שלום عالم", "a 🎉 with 🍕", "the [SEP] of a [MASK]"),
    " ".join(f"word{number}" for number in range(400)),
]


@pytest.fixture(scope="module")
def plain() -> Path:
    return model_folder.find(model_folder.DEFAULT_MODEL, "main", download=False)


@pytest.fixture(scope="module")
def adapted(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as fine-tuning writes it."""
    rng = np.random.default_rng(0)
    up, down, centre = (
        rng.normal(scale=0.05, size=shape).astype(np.float32) for shape in ((384, 8), (8, 384), 384)
    )
    out = tmp_path_factory.mktemp("adapted") / "model"
    model_folder.save_adapted(plain, Adapter(up, down, centre), out, "card", {"until": 1})
    return out


@pytest.fixture
def folder(plain: Path, tmp_path: Path) -> Path:
    """The default model's, to be changed."""
    shutil.copytree(plain, tmp_path / "model", copy_function=os.link)
    return tmp_path / "model"


def change(path: Path, **values: object) -> None:
    """Write some values into a JSON file that may be a link."""
    content = json.loads(path.read_text()) | values
    path.unlink()
    path.write_text(json.dumps(content))


def require_same(encoder: SentenceTransformerEncoder) -> None:
    model = encoder.read()
    assert model is not None
    quick, own = encoder.encode_with(model, TEXTS, silent), encoder.encode(TEXTS, silent)
    blank = [not text.strip() for text in TEXTS]
    assert (~quick.any(axis=1)).tolist() == (~own.any(axis=1)).tolist() == blank
    assert (quick * own).sum(axis=1)[own.any(axis=1)].min() > 0.99999


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_vectors_are_those_of_sentence_transformers(precision: Precision) -> None:
    require_same(SentenceTransformerEncoder(precision=precision))


@pytest.fixture(scope="module")
def both_tokens(plain: Path) -> tuple[BertModel, SentenceTransformer]:
    """The default model with the tokeniser that is read here, and with its own."""
    quick = bert_folder.read_bert(plain, "fp32")
    assert quick is not None
    return quick, SentenceTransformer(str(plain), device="cpu", local_files_only=True)


def require_same_tokens(both: tuple[BertModel, SentenceTransformer], texts: Sequence[str]) -> None:
    own = both[1].preprocess(list(texts))
    mask = own["attention_mask"].bool()
    expected = [ids[kept].tolist() for ids, kept in zip(own["input_ids"], mask, strict=True)]
    assert list(both[0].tokenise(texts)) == expected


def test_tokens_are_the_models_own(both_tokens: tuple[BertModel, SentenceTransformer]) -> None:
    require_same_tokens(both_tokens, TEXTS)


@given(st.lists(st.text() | st.sampled_from(TEXTS), min_size=1, max_size=4))
def test_tokens_of_any_text_are_the_same(
    both_tokens: tuple[BertModel, SentenceTransformer], texts: list[str]
) -> None:
    require_same_tokens(both_tokens, texts)


def test_a_folder_of_fine_tuning_is_read(adapted: Path) -> None:
    require_same(SentenceTransformerEncoder(model=str(adapted)))


@pytest.mark.parametrize("activation", ["activation.Tanh", "activation.ReLU", "linear.Identity"])
def test_first_token_and_dense_module_with_bias(folder: Path, activation: str) -> None:
    pooling = {"word_embedding_dimension": 384, "pooling_mode_cls_token": True}
    (folder / "1_Pooling" / "config.json").unlink()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    add_dense(folder, activation_function=f"torch.nn.modules.{activation}")
    require_same(SentenceTransformerEncoder(model=str(folder)))


def test_length_is_that_of_the_tokeniser_where_no_other_is_given(folder: Path) -> None:
    (folder / "sentence_bert_config.json").unlink()
    (folder / "sentence_bert_config.json").write_text("{}")
    change(folder / "tokenizer_config.json", model_max_length=20)
    require_same(SentenceTransformerEncoder(model=str(folder)))


def add_dense(folder: Path, **config: object) -> None:
    made = folder / "3_Dense"
    made.mkdir()
    sizes = {"in_features": 384, "out_features": 16, "bias": True}
    (made / "config.json").write_text(json.dumps(sizes | config))
    drawn = torch.Generator().manual_seed(0)
    weights = {
        "linear.weight": torch.randn((16, 384), generator=drawn),
        "linear.bias": torch.randn(16, generator=drawn),
    }
    save_file(weights, made / "model.safetensors")
    add_module(folder, "Dense", "3_Dense")


def add_module(folder: Path, kind: str, path: str, **more: object) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    kind = f"sentence_transformers.models.{kind}"
    modules.append({"idx": len(modules), "name": "x", "path": path, "type": kind} | more)
    (folder / "modules.json").unlink()
    (folder / "modules.json").write_text(json.dumps(modules))


def changed(name: str, **values: object) -> Callable[[Path], None]:
    return lambda folder: change(folder / name, **values)


def with_weights(change: Callable[[dict[str, torch.Tensor]], Any]) -> Callable[[Path], None]:
    def changes(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        change(weights)
        (folder / "model.safetensors").unlink()
        save_file(weights, folder / "model.safetensors")

    return changes


def half(weights: dict[str, torch.Tensor]) -> None:
    weights |= {name: weight.half() for name, weight in weights.items()}


def with_first(**values: object) -> Callable[[Path], None]:
    def changes(folder: Path) -> None:
        first, *others = json.loads((folder / "modules.json").read_text())
        (folder / "modules.json").unlink()
        (folder / "modules.json").write_text(json.dumps([first | values, *others]))

    return changes


UNKNOWN: dict[str, Callable[[Path], None]] = {
    "first module": with_first(type="sentence_transformers.models.CLIPModel"),
    "folder of the first": with_first(path="0_Transformer"),
    "module": lambda folder: add_module(folder, "LayerNorm", ""),
    "arguments of a module": lambda folder: add_module(folder, "Normalize", "", kwargs=["x"]),
    "activation": lambda folder: add_dense(
        folder, activation_function="torch.nn.modules.activation.SiLU"
    ),
    "residual": lambda folder: add_dense(
        folder, activation_function="torch.nn.modules.linear.Identity", use_residual=True
    ),
    "pooling": changed("1_Pooling/config.json", pooling_mode_max_tokens=True),
    "architecture": changed("config.json", architectures=["MPNetModel"]),
    "gelu": changed("config.json", hidden_act="gelu_new"),
    "positions": changed("config.json", position_embedding_type="relative_key"),
    "layers": changed("config.json", num_hidden_layers=5),
    "case": changed("tokenizer_config.json", do_lower_case=False),
    "token": changed("tokenizer_config.json", mask_token="kettle"),
    "padding": changed("tokenizer_config.json", padding_side="left"),
    "lower case": changed("sentence_bert_config.json", do_lower_case=True),
    "prompt": changed(
        "config_sentence_transformers.json", prompts={"q": "query: "}, default_prompt_name="q"
    ),
    "precision": with_weights(half),
    "name": with_weights(lambda weights: weights.pop("embeddings.LayerNorm.weight")),
    "no tokeniser": lambda folder: (folder / "tokenizer.json").unlink(),
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
}


@pytest.mark.parametrize("changes", UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_not_plain_is_left_to_sentence_transformers(
    folder: Path, changes: Callable[[Path], None]
) -> None:
    changes(folder)
    assert bert_folder.read_bert(folder, "fp32") is None


def test_a_prompt_is_read_before_each_text(folder: Path) -> None:
    without = SentenceTransformerEncoder(model=str(folder)).encode(["red kettle"], silent)
    UNKNOWN["prompt"](folder)
    with_prompt = SentenceTransformerEncoder(model=str(folder)).encode(["red kettle"], silent)
    spelled = SentenceTransformerEncoder().encode(["query: red kettle"], silent)
    assert (with_prompt * without).sum() < 0.999
    assert with_prompt == pytest.approx(spelled, abs=1e-6)


def test_a_missing_library_is_left_to_sentence_transformers_to_report(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    assert bert_folder.read_bert(plain, "fp32") is None


def test_neither_transformers_nor_sentence_transformers_is_imported() -> None:
    code = (
        "import sys; from recommender.core.telemetry import silent\n"
        "from recommender.vectors.content.sentence_transformer import SentenceTransformerEncoder\n"
        "encoder = SentenceTransformerEncoder()\n"
        "assert encoder.encode_with(encoder.read(), ['red kettle'], silent).any()\n"
        "assert not {'transformers', 'sentence_transformers'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
