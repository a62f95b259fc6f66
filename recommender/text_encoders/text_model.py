"""Text model: a sentence-transformers model that takes texts in packs.

Its tokeniser, pooling and whatever follows stay its own. What lies between goes through
`PackedBert` where that is the same function; else through transformers, one length at a time and
with its linear layers swapped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from recommender.arrays import FloatMatrix, unit_rows
from recommender.text_encoders.packed_bert import PackedBert, fits
from recommender.text_encoders.packed_linear import Linear, linear_layer
from recommender.text_encoders.token_packs import PACK, SMALL_PACK, Lengths, Pack, packed

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

Precision = Literal["fp32", "bf16"]
Features = dict[str, Any]
Between = Callable[[Sequence[Mapping[str, Any]], int], "list[torch.Tensor]"]
"""Groups of a pack and its size in tokens, to the token embeddings of each group."""

PROBES = ("a red kettle", "oak chair with arms, for the garden", "mug")
NEAR_ENOUGH = 0.999

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TextModel:
    """Texts to vectors in three parts: tokens, what lies between, and the modules that follow."""

    model: SentenceTransformer
    between: Between

    def get_embedding_dimension(self) -> int:
        """Of a vector."""
        return self.model.get_embedding_dimension() or 0

    def tokens(self, texts: Sequence[str]) -> tuple[Features, Lengths, bool]:
        """What the model reads of n texts, their tokens (n,), and whether padding stands behind."""
        prompt = self.model.prompts.get(self.model.default_prompt_name or "") or None
        features: Features = self.model.preprocess(list(texts), prompt=prompt)
        mask = features.pop("attention_mask")
        behind = bool(mask[:, 0].all())
        return features, mask.sum(dim=1).numpy(), behind

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
                for module in list(self.model.children())[1:]:
                    read = module(read)
                ended.append(read["sentence_embedding"])
            vectors: FloatMatrix = torch.cat(ended).numpy()
            return vectors

    def encode(self, texts: Sequence[str]) -> FloatMatrix:
        """Vectors (n, d) of length one of a few texts."""
        features, lengths, behind = self.tokens(texts)
        made = np.zeros((len(texts), self.get_embedding_dimension()), dtype=np.float32)
        for pack in packed(lengths):
            places = np.concatenate([group.places for group in pack.groups])
            made[places] = self.vectors(features, pack, behind=behind)
        return unit_rows(made)


def text_model(model: SentenceTransformer, precision: Precision) -> TextModel:
    """The fastest form of a model in a precision that tells the same vectors.

    `PackedBert` has to agree with transformers on a few texts before it is trusted.
    """
    from torch.nn import Identity

    inner: Any = next(iter(model.children()))
    if precision == "bf16":
        inner.model.bfloat16()
    plain = TextModel(model, _one_by_one(inner))
    if not fits(inner.model):
        _swap(inner.model)
        return plain
    quick = TextModel(model, PackedBert.of(inner.model))
    near = (quick.encode(PROBES) * plain.encode(PROBES)).sum(axis=1).min()
    if not near >= NEAR_ENOUGH:
        _log.warning("packed=refused cosine=%.4f: transformers' own layers are used", near)
        return plain
    inner.model.encoder = Identity()
    return quick


def takes_packs(model: SentenceTransformer) -> bool:
    """Whether a model runs on the CPU and begins with a transformer, which may go in packs."""
    first = next(iter(model.children()))
    return model.device.type == "cpu" and hasattr(first, "auto_model")


class Swapped:
    """A linear layer of transformers in blocks of `PACK` rows, the last one filled up."""

    def __init__(self, module: torch.nn.Linear) -> None:
        bias = None if module.bias is None else module.bias.data
        self.layer: Linear = linear_layer(module.weight.data, bias, PACK)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The layer of x (..., inputs)."""
        import torch

        flat = x.flatten(0, -2)
        layered = []
        for block in flat.split(PACK):
            size = SMALL_PACK if len(block) <= SMALL_PACK else PACK
            filled = torch.nn.functional.pad(block, (0, 0, 0, size - len(block)))
            layered.append(self.layer(filled)[: len(block)])
        return torch.cat(layered).view(*x.shape[:-1], -1)


def _swap(module: torch.nn.Module) -> None:
    """Let the linear layers inside of a module be oneDNN's."""
    import torch

    for inner in module.modules():
        if type(inner) is torch.nn.Linear:
            inner.forward = Swapped(inner)  # type: ignore[method-assign]


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
