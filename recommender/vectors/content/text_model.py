"""Text model: a sentence-transformers model that takes texts in packs.

Its tokeniser, pooling and whatever follows stay its own. What lies between goes through
`PackedBert` where that is the same function, or through OpenVINO; else through transformers, one
length at a time and with its linear layers swapped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from recommender.core.arrays import FloatMatrix, blocks, unit_rows
from recommender.vectors.content import openvino_layers
from recommender.vectors.content.packed_bert import PackedBert, fits
from recommender.vectors.content.packed_linear import linear_layer
from recommender.vectors.content.token_packs import (
    PACK,
    QUERY_PACK,
    SMALL_PACK,
    Lengths,
    Pack,
    packed,
)

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

Precision = Literal["fp32", "bf16"]
Engine = Literal["torch", "openvino"]
Features = dict[str, Any]
Tokens = Callable[[Sequence[str]], Features]
Between = Callable[[Sequence[Mapping[str, Any]], int], "list[torch.Tensor]"]
"""Groups of a pack and its size in tokens, to the token embeddings of each group."""

PROBES = ("a red kettle", "oak chair with arms, for the garden", "mug")
NEAR_ENOUGH = 0.999

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TextModel:
    """Texts to vectors in three parts: tokens, what lies between, and the modules that follow.

    A whole pack has `pack` tokens.
    """

    dimensions: int
    preprocess: Tokens
    between: Between
    following: Sequence[Callable[[Features], Features]]
    pack: int = PACK

    @classmethod
    def of(
        cls,
        model: SentenceTransformer,
        between: Between,
        pack: int = PACK,
        tokens: Tokens | None = None,
    ) -> TextModel:
        """A sentence-transformers model, but for what lies between, and its tokens where given."""
        return cls(
            model.get_embedding_dimension() or 0,
            tokens or partial(_preprocessed, model),
            between,
            list(model.children())[1:],
            pack,
        )

    def get_embedding_dimension(self) -> int:
        """Of a vector."""
        return self.dimensions

    def tokens(self, texts: Sequence[str]) -> tuple[Features, Lengths, bool]:
        """What the model reads of n texts, their tokens (n,), and whether padding stands behind."""
        features = self.preprocess(texts)
        mask = features.pop("attention_mask")
        behind = bool(mask[:, 0].all())
        return features, mask.sum(dim=1).numpy(), behind

    def packs(self, lengths: Lengths) -> Iterator[Pack]:
        """Packs of texts with these numbers of tokens (n,)."""
        return packed(lengths, self.pack)

    def vectors(self, features: Features, pack: Pack, *, behind: bool) -> FloatMatrix:
        """Vectors of the texts of a pack, group by group; in fp32 from pooling on."""
        import torch

        with torch.inference_mode():
            groups = [
                _unpadded(features, group.places, group.length, behind=behind)
                for group in pack.groups
            ]
            ended = []
            for group, tokens in zip(groups, self.between(groups, pack.size), strict=True):
                read: Features = {**group, "token_embeddings": tokens.float()}
                for module in self.following:
                    read = module(read)
                ended.append(read["sentence_embedding"])
            vectors: FloatMatrix = torch.cat(ended).numpy()
            return vectors

    def encode(self, texts: Sequence[str]) -> FloatMatrix:
        """Vectors (n, d) of length one of a few texts."""
        features, lengths, behind = self.tokens(texts)
        made = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for pack in self.packs(lengths):
            places = np.concatenate([group.places for group in pack.groups])
            made[places] = self.vectors(features, pack, behind=behind)
        return unit_rows(made)


def _preprocessed(model: SentenceTransformer, texts: Sequence[str]) -> Features:
    prompt = model.prompts.get(model.default_prompt_name or "") or None
    features: Features = model.preprocess(list(texts), prompt=prompt)
    return features


def text_model(
    model: SentenceTransformer,
    precision: Precision,
    engine: Engine = "torch",
    tokens: Tokens | None = None,
) -> TextModel:
    """The fastest form of a model in a precision that tells the same vectors.

    `tokens` are the model's own, read faster than it does. What is not transformers' own has to
    agree with it on a few texts before it is trusted.
    Raises: MissingExtra where the engine is not installed.
    """
    from torch.nn import Identity

    model.train(False)
    inner: Any = next(iter(model.children()))
    if engine == "openvino":
        plain = TextModel.of(model, _one_by_one(inner))
        quick = TextModel.of(model, plain.between, openvino_layers.PACK, tokens)
        layers = openvino_layers.layers_of(inner.model, precision, quick.tokens(PROBES)[0])
        quick = replace(quick, between=layers)
        return quick if _agree(quick, plain) else plain
    if precision == "bf16":
        inner.model.bfloat16()
    plain = TextModel.of(model, _one_by_one(inner))
    if not fits(inner.model):
        _swap(inner.model)
        return plain
    quick = TextModel.of(model, PackedBert.of(inner.model), tokens=tokens)
    if not _agree(quick, plain):
        return plain
    inner.model.encoder = Identity()
    return quick


def _agree(quick: TextModel, plain: TextModel) -> bool:
    near = float((quick.encode(PROBES) * plain.encode(PROBES)).sum(axis=1).min())
    if not near >= NEAR_ENOUGH:
        _log.warning("layers=refused cosine=%.4f: transformers' own are used", near)
        return False
    return True


def takes_packs(model: SentenceTransformer) -> bool:
    """Whether a model runs on the CPU and begins with a transformer, which may go in packs."""
    first = next(iter(model.children()))
    return model.device.type == "cpu" and hasattr(first, "auto_model")


def _swapped(module: torch.nn.Linear) -> Callable[[torch.Tensor], torch.Tensor]:
    """A linear layer of transformers in blocks of `PACK` rows, the last one filled up."""
    import torch

    bias = None if module.bias is None else module.bias.data
    layer = linear_layer(module.weight.data, bias, PACK)

    def forward(x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(0, -2)
        layered = []
        for part in blocks(len(flat), PACK):
            rows = part.stop - part.start
            size = next(one for one in (QUERY_PACK, SMALL_PACK, PACK) if rows <= one)
            filled = torch.nn.functional.pad(flat[part], (0, 0, 0, size - rows))
            layered.append(layer(filled)[:rows])
        return torch.cat(layered).view(*x.shape[:-1], -1)

    return forward


def _swap(module: torch.nn.Module) -> None:
    """Let the linear layers inside of a module be oneDNN's."""
    import torch

    for inner in module.modules():
        if type(inner) is torch.nn.Linear:
            inner.forward = _swapped(inner)  # type: ignore[assignment]


def _one_by_one(transformer: Any) -> Between:  # noqa: ANN401
    def between(groups: Sequence[Mapping[str, Any]], _size: int) -> list[torch.Tensor]:
        return [transformer(dict(group))["token_embeddings"] for group in groups]

    return between


def _unpadded(features: Features, places: Any, length: int, *, behind: bool) -> Features:  # noqa: ANN401
    """The rows of some texts of one length, without padding and so without a mask."""
    import torch

    rows = torch.from_numpy(places)
    kept = slice(0, length) if behind else slice(-length, None)
    return {
        name: value[rows][:, kept] if isinstance(value, torch.Tensor) and value.ndim > 1 else value
        for name, value in features.items()
    }
