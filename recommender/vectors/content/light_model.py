"""Light model: a plain BERT folder without transformers and sentence-transformers.

To import these takes longer than all else that a few texts need. What is read here are the folder's
own files: a WordPiece tokeniser, the layers of `PackedBert`, pooling by mean or by the first token,
and dense and normalising modules behind it. The vectors are sentence-transformers' own but for the
rounding of fp32. A folder in which anything else stands is not read; nor may one that is read be
trusted before it has told vectors that are known.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from recommender.vectors.content.packed_bert import Norm, PackedBert
from recommender.vectors.content.text_model import PROBES, Features, Precision, TextModel, Tokens

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

Config = Mapping[str, Any]
Follow = Callable[[Features], Features]
Read = TypeVar("Read")

TOKENISERS = frozenset({"BertTokenizer", "BertTokenizerFast"})
POOLING = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token"}
"""How tokens become one vector, and what the configuration of older models calls it."""
WORD_PIECE = {
    "type": "WordPiece",
    "unk_token": "[UNK]",
    "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 100,
}
SPECIAL = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")}
ACTIVATIONS = ("Identity", "ReLU", "Tanh")
MODULE = frozenset({"idx", "name", "path", "type"})
SENTENCE = "sentence_embedding"
TEXT_ONLY = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}

_log = logging.getLogger(__name__)


class NotPlainError(Exception):
    """Something in a model folder that is not known here."""


def light_model(folder: Path, precision: Precision) -> TextModel | None:
    """The model of a folder that was checked, None where it is not plain."""
    return _if_plain(folder, partial(_read, precision=precision))


def light_tokens(folder: Path) -> Tokens | None:
    """What the model of a folder reads of texts, None where that is not plain.

    Takes two thirds of the time that sentence-transformers and transformers take.
    """
    return _if_plain(folder, _tokens)


def _if_plain(folder: Path, read: Callable[[Path], Read]) -> Read | None:
    try:
        return read(folder)
    except Exception as error:  # whatever it is, sentence-transformers can do it or tell it better
        _log.info("model=%s light=refused reason=%s: %s", folder, type(error).__name__, error)
        return None


def _read(folder: Path, precision: Precision) -> TextModel:
    config = _config(folder / "config.json")
    tokens = _tokens(folder)
    _, pooling, *behind = _modules(folder)
    _require(pooling[0] == "Pooling", "no pooling behind the layers")
    width = int(config["hidden_size"])
    following = [_pooling(_config(pooling[1] / "config.json"), width)]
    for kind, place in behind:
        module, width = _following(kind, place, width)
        following.append(module)
    layers = _layers(folder / "model.safetensors", config, precision)
    model = TextModel(width, tokens, layers, tuple(following))
    model.encode(PROBES)
    return model


def _tokens(folder: Path) -> Tokens:
    config = _config(folder / "config.json")
    tokenizer = _config(folder / "tokenizer_config.json")
    sentence = _config(folder / "sentence_bert_config.json")
    _require(_modules(folder)[0] == ("Transformer", folder), "it begins with another module")
    _require_plain(config, tokenizer, sentence)
    _require_no_prompt(folder / "config_sentence_transformers.json")
    places = int(config["max_position_embeddings"])
    most = sentence.get("max_seq_length") or min(tokenizer.get("model_max_length", places), places)
    return partial(_cut, _tokeniser(folder, tokenizer, most))


@dataclass(frozen=True, slots=True)
class TokenEmbeddings:
    """The word, its place and the kind of text, added and normalised."""

    words: torch.Tensor
    kind: torch.Tensor
    places: torch.Tensor
    norm: Norm

    def __call__(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Embeddings (texts, length, d) of tokens (texts, length)."""
        texts, length = input_ids.shape
        embedded = self.words[input_ids] + self.kind + self.places[:length]
        return self.norm(embedded.flatten(0, 1)).view(texts, length, -1)


def _layers(path: Path, config: Config, precision: Precision) -> PackedBert:
    import torch

    weights = _weights(path)
    if precision == "bf16":
        weights = {name: weight.bfloat16() for name, weight in weights.items()}
    epsilon = float(config["layer_norm_eps"])
    own = {
        name.removeprefix("embeddings."): weight
        for name, weight in weights.items()
        if name.startswith("embeddings.")
    }
    embeddings = TokenEmbeddings(
        own["word_embeddings.weight"],
        own["token_type_embeddings.weight"][0],
        own["position_embeddings.weight"],
        Norm(own["LayerNorm.weight"], own["LayerNorm.bias"], epsilon),
    )
    _require(
        embeddings.words.shape == torch.Size([config["vocab_size"], config["hidden_size"]]),
        "another size of its weights",
    )
    heads, layers = int(config["num_attention_heads"]), int(config["num_hidden_layers"])
    of_layers = {
        name.removeprefix("encoder."): weight
        for name, weight in weights.items()
        if name.startswith("encoder.")
    }
    _require(len(of_layers) == 16 * layers, "another number of layers")
    return PackedBert.laid_out(embeddings, of_layers, layers, heads, epsilon)


def _weights(path: Path) -> dict[str, torch.Tensor]:
    import torch
    from safetensors.torch import load_file

    weights = load_file(path)
    kinds = {weight.dtype for weight in weights.values() if weight.is_floating_point()}
    _require(kinds == {torch.float32}, f"weights in {kinds}")
    return weights


def _pooling(config: Config, width: int) -> Follow:
    if "pooling_mode" in config:
        modes = [config["pooling_mode"]]
    else:
        known = {name: mode for mode, name in POOLING.items()}
        used = [name for name, on in config.items() if name.startswith("pooling_mode_") and on]
        modes = [known.get(name, name) for name in used]
    _require(len(modes) == 1 and modes[0] in POOLING, f"pooling {modes}")
    told = config.get("embedding_dimension", config.get("word_embedding_dimension"))
    _require(told == width, f"pooling of {told} dimensions")
    return _mean if modes == ["mean"] else _first


def _mean(features: Features) -> Features:
    tokens: torch.Tensor = features["token_embeddings"]
    return {SENTENCE: tokens.sum(dim=1) / tokens.shape[1]}


def _first(features: Features) -> Features:
    return {SENTENCE: features["token_embeddings"][:, 0]}


def _following(kind: str, place: Path, width: int) -> tuple[Follow, int]:
    """A module behind the pooling, and the dimensions that it makes of `width`."""
    path = place / "config.json"
    config = _config(path) if path.is_file() else {}
    reads = {config.get(name, SENTENCE) for name in ("module_input_name", "module_output_name")}
    _require(reads == {SENTENCE} and not config.get("use_residual"), f"{kind} of {reads}")
    if kind == "Normalize":
        return _normalised, width
    _require(kind == "Dense", f"module {kind}")
    known = {f"torch.nn.modules.activation.{name}": name for name in ACTIVATIONS} | {
        "torch.nn.modules.linear.Identity": "Identity"
    }
    activation = config["activation_function"]
    _require(activation in known, f"activation {activation}")
    weights = _weights(place / "model.safetensors")
    weight, bias = weights.pop("linear.weight"), weights.pop("linear.bias", None)
    _require(not weights and weight.shape[1] == width, "another size of a dense module")
    return partial(_dense, weight, bias, known[activation]), len(weight)


def _normalised(features: Features) -> Features:
    from torch.nn.functional import normalize

    return {SENTENCE: normalize(features[SENTENCE], p=2, dim=-1)}


def _dense(
    weight: torch.Tensor, bias: torch.Tensor | None, activation: str, features: Features
) -> Features:
    from torch import nn

    made = nn.functional.linear(features[SENTENCE], weight, bias)
    return {SENTENCE: getattr(nn, activation)()(made)}


def _tokeniser(folder: Path, config: Config, most: int) -> Tokenizer:
    """The folder's tokeniser, where transformers would make the same of its configuration."""
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    parts = _config(path)
    normalizer = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": config.get("tokenize_chinese_chars", True),
        "strip_accents": config.get("strip_accents"),
        "lowercase": config.get("do_lower_case", True),
    }
    _require(parts["normalizer"] == normalizer, "another normalizer than its configuration says")
    _require(parts["pre_tokenizer"] == {"type": "BertPreTokenizer"}, "another pre-tokeniser")
    model = {name: value for name, value in parts["model"].items() if name != "vocab"}
    _require(model == WORD_PIECE, "another tokeniser")
    _require_same_tokens(config, parts)
    tokeniser = Tokenizer.from_file(str(path))
    tokeniser.enable_truncation(most)
    tokeniser.no_padding()
    return tokeniser


def _require_same_tokens(config: Config, parts: Config) -> None:
    """Refuse special tokens that the configuration has beside those of the tokeniser."""
    added = {(one["id"], one["content"]) for one in parts["added_tokens"]}
    contents = {content for _, content in added}
    for name in SPECIAL:
        token = config.get(name, SPECIAL[name])
        _require(token == SPECIAL[name] and token in contents, f"{name} = {token}")
    decoder = config.get("added_tokens_decoder", {})
    _require({(int(at), one["content"]) for at, one in decoder.items()} <= added, "further tokens")
    further = ("additional_special_tokens", "extra_special_tokens")
    _require(not any(config.get(name) for name in further), "further tokens")


def _cut(tokeniser: Tokenizer, texts: Sequence[str]) -> Features:
    import torch

    read = [one.ids for one in tokeniser.encode_batch_fast(list(texts))]
    lengths = np.array([len(ids) for ids in read])
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.zeros(mask.shape, dtype=np.int64)
    ids[mask] = np.fromiter(chain.from_iterable(read), dtype=np.int64, count=int(lengths.sum()))
    return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}


def _require_plain(config: Config, tokenizer: Config, sentence: Config) -> None:
    """Refuse what would change the tokens or the layers."""
    _require(config["architectures"] == ["BertModel"], "another architecture")
    _require(config["hidden_act"] == "gelu", "another activation")
    _require(config.get("position_embedding_type", "absolute") == "absolute", "other positions")
    _require(not config.get("is_decoder"), "a decoder")
    _require(tokenizer.get("tokenizer_class") in TOKENISERS, "another tokeniser")
    for side in ("padding_side", "truncation_side"):
        _require(tokenizer.get(side, "right") == "right", f"another {side}")
    expected = {
        "max_seq_length": sentence.get("max_seq_length"),
        "do_lower_case": False,
        "transformer_task": "feature-extraction",
        "modality_config": TEXT_ONLY,
        "module_output_name": "token_embeddings",
    }
    for name, value in sentence.items():
        _require(name in expected and value == expected[name], f"{name} = {value}")


def _require_no_prompt(path: Path) -> None:
    config = _config(path) if path.is_file() else {}
    prompt = (config.get("prompts") or {}).get(config.get("default_prompt_name") or "")
    _require(not prompt, "a prompt before each text")


def _modules(folder: Path) -> list[tuple[str, Path]]:
    """The last word of each module's type, and its folder."""
    modules = json.loads((folder / "modules.json").read_bytes())
    _require(len(modules) > 1, "no pooling behind the layers")
    _require(not any(one.keys() - MODULE for one in modules), "a module with arguments")
    return [(one["type"].rpartition(".")[2], folder / one["path"]) for one in modules]


def _config(path: Path) -> Config:
    config = json.loads(path.read_bytes())
    _require(isinstance(config, dict), f"{path.name} is no object")
    return dict(config)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise NotPlainError(otherwise)
