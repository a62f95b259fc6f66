"""Read a plain BERT folder without transformers and sentence-transformers.

Importing these libraries takes longer than everything else that a few texts need, so `refresh`
reads the folder's own files: a WordPiece tokeniser, the layers, pooling by mean or by the first
token, and dense and normalising modules after it. A folder with anything else is not read. A model
that was read must not be trusted before its vectors were compared with known ones.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.vectors.content.bert import (
    BertModel,
    Layer,
    Precision,
    TensorFunction,
    TokenEmbeddings,
    Tokens,
    norm,
)

if TYPE_CHECKING:
    import torch

Config = Mapping[str, Any]

TOKENISERS = frozenset({"BertTokenizer", "BertTokenizerFast"})
POOLING = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token"}
"""How tokens become one vector, and the name of that in the configuration of older models."""
WORD_PIECE = {
    "type": "WordPiece",
    "unk_token": "[UNK]",
    "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 100,
}
SPECIAL = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")}
ACTIVATIONS = {
    f"torch.nn.modules.{name}": name.rpartition(".")[2]
    for name in ("linear.Identity", "activation.Identity", "activation.ReLU", "activation.Tanh")
}
USUAL = {
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "padding_side": "right",
    "truncation_side": "right",
}
"""What the layers and the tokeniser need, and do where their configuration says nothing."""
MODULE = frozenset({"idx", "name", "path", "type"})
SENTENCE = "sentence_embedding"
TEXT_ONLY = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}

_log = logging.getLogger(__name__)


def read_bert(folder: Path, precision: Precision) -> BertModel | None:
    """The model of a folder that was checked, None where the folder is not plain."""
    try:
        return _read(folder, precision)
    except Exception as error:  # whatever it is, sentence-transformers can handle or explain it
        _log.info("model=%s plain=no reason=%s: %s", folder, type(error).__name__, error)
        return None


def _read(folder: Path, precision: Precision) -> BertModel:
    config = _config(folder / "config.json")
    first, pooling, *behind = _modules(folder)
    _require(first == ("Transformer", folder), "it begins with another module")
    _require(pooling[0] == "Pooling", "no pooling after the layers")
    _require(config["architectures"] == ["BertModel"], "another architecture")
    _require_usual(config)
    tokenise = _tokeniser(folder, int(config["max_position_embeddings"]))
    width = int(config["hidden_size"])
    following = [_pooling(_config(pooling[1] / "config.json"), width)]
    for kind, place in behind:
        module, width = _following(kind, place, width)
        following.append(module)
    embeddings, layers = _layers(folder / "model.safetensors", config, precision)
    return BertModel(width, tokenise, embeddings, layers, tuple(following))


def _layers(
    path: Path, config: Config, precision: Precision
) -> tuple[TokenEmbeddings, tuple[Layer, ...]]:
    import torch

    weights = _weights(path)
    if precision == "bf16":
        weights = {name: weight.bfloat16() for name, weight in weights.items()}
    epsilon, heads = float(config["layer_norm_eps"]), int(config["num_attention_heads"])
    own = _below("embeddings.", weights)
    embeddings = TokenEmbeddings(
        own["word_embeddings.weight"],
        own["token_type_embeddings.weight"][0],
        own["position_embeddings.weight"],
        norm(own["LayerNorm.weight"], own["LayerNorm.bias"], epsilon),
    )
    size = torch.Size([config["vocab_size"], config["hidden_size"]])
    _require(embeddings.words.shape == size, "another size of its weights")
    count, of_layers = int(config["num_hidden_layers"]), _below("encoder.", weights)
    _require(len(of_layers) == 16 * count, "another number of layers")
    layers = (_below(f"layer.{number}.", of_layers) for number in range(count))
    return embeddings, tuple(Layer.of(layer, heads, epsilon) for layer in layers)


def _below(prefix: str, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): weight
        for name, weight in weights.items()
        if name.startswith(prefix)
    }


def _weights(path: Path) -> dict[str, torch.Tensor]:
    import torch
    from safetensors.torch import load_file

    weights = load_file(path)
    kinds = {weight.dtype for weight in weights.values() if weight.is_floating_point()}
    _require(kinds == {torch.float32}, f"weights in {kinds}")
    return weights


def _pooling(config: Config, width: int) -> TensorFunction:
    if "pooling_mode" in config:
        modes = [config["pooling_mode"]]
    else:
        known = {name: mode for mode, name in POOLING.items()}
        used = [name for name, on in config.items() if name.startswith("pooling_mode_") and on]
        modes = [known.get(name, name) for name in used]
    _require(len(modes) == 1 and modes[0] in POOLING, f"pooling {modes}")
    own = config.get("embedding_dimension", config.get("word_embedding_dimension"))
    _require(own == width, f"pooling of {own} dimensions")
    return (lambda x: x.mean(dim=1)) if modes == ["mean"] else (lambda x: x[:, 0])


def _following(kind: str, place: Path, width: int) -> tuple[TensorFunction, int]:
    """A module after the pooling, and the dimensions that it makes of `width`."""
    from torch import nn

    path = place / "config.json"
    config = _config(path) if path.is_file() else {}
    reads = {config.get(name, SENTENCE) for name in ("module_input_name", "module_output_name")}
    _require(reads == {SENTENCE} and not config.get("use_residual"), f"{kind} of {reads}")
    if kind == "Normalize":
        return partial(nn.functional.normalize, p=2, dim=-1), width
    _require(kind == "Dense", f"module {kind}")
    activation = config["activation_function"]
    _require(activation in ACTIVATIONS, f"activation {activation}")
    weights = _weights(place / "model.safetensors")
    weight, bias = weights.pop("linear.weight"), weights.pop("linear.bias", None)
    _require(not weights and weight.shape[1] == width, "another size of a dense module")
    last: TensorFunction = getattr(nn, ACTIVATIONS[activation])()
    return (lambda vectors: last(nn.functional.linear(vectors, weight, bias))), len(weight)


def _tokeniser(folder: Path, positions: int) -> Callable[[Sequence[str]], Tokens]:
    """The folder's tokeniser, where transformers would make the same of its configuration."""
    from tokenizers import Tokenizer

    config = _config(folder / "tokenizer_config.json")
    sentence = _config(folder / "sentence_bert_config.json")
    _require_plain_tokens(config, sentence)
    _require_no_prompt(folder / "config_sentence_transformers.json")
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
    own = min(config.get("model_max_length", positions), positions)
    tokeniser.enable_truncation(sentence.get("max_seq_length") or own)
    tokeniser.no_padding()
    return lambda texts: [one.ids for one in tokeniser.encode_batch_fast(list(texts))]


def _require_same_tokens(config: Config, parts: Config) -> None:
    """Refuse special tokens that the configuration has and the tokeniser has not."""
    added = {(one["id"], one["content"]) for one in parts["added_tokens"]}
    contents = {content for _, content in added}
    for name in SPECIAL:
        token = config.get(name, SPECIAL[name])
        _require(token == SPECIAL[name] and token in contents, f"{name} = {token}")
    decoder = config.get("added_tokens_decoder", {})
    _require({(int(at), one["content"]) for at, one in decoder.items()} <= added, "further tokens")
    further = ("additional_special_tokens", "extra_special_tokens")
    _require(not any(config.get(name) for name in further), "further tokens")


def _require_usual(config: Config) -> None:
    for name, value in USUAL.items():
        _require(config.get(name, value) == value, f"{name} = {config.get(name)}")


def _require_plain_tokens(tokenizer: Config, sentence: Config) -> None:
    """Refuse what would change the tokens."""
    _require(tokenizer.get("tokenizer_class") in TOKENISERS, "another tokeniser")
    _require_usual(tokenizer)
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
    _require(len(modules) > 1, "no pooling after the layers")
    _require(not any(one.keys() - MODULE for one in modules), "a module with arguments")
    return [(one["type"].rpartition(".")[2], folder / one["path"]) for one in modules]


def _config(path: Path) -> Config:
    config = json.loads(path.read_bytes())
    _require(isinstance(config, dict), f"{path.name} is no object")
    return dict(config)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
