"""BERT and its like over packs of texts: every product of matrices has one of two shapes.

Tokens of all texts of a pack lie below each other; only attention looks at one length at a time.
The three projections of attention are one product, GELU and the sums with what came before are
part of theirs. Source: Devlin et al. 2019, "BERT"; the numbers are transformers' own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from recommender.vectors.content.attention import attend
from recommender.vectors.content.packed_linear import Linear, linear_layer
from recommender.vectors.content.token_packs import PACK

if TYPE_CHECKING:
    import torch

ARCHITECTURES = frozenset({"BertModel", "RobertaModel", "XLMRobertaModel"})
EMBEDDED = ("input_ids", "token_type_ids")


@dataclass(frozen=True, slots=True)
class Norm:
    """Layer normalisation; its weights are in fp32, with which torch is twice as fast in bf16."""

    weight: torch.Tensor
    bias: torch.Tensor
    epsilon: float

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The rows of x (m, d), normalised."""
        from torch.nn.functional import layer_norm

        return layer_norm(x, (x.shape[1],), self.weight, self.bias, self.epsilon)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: attention, then two linear layers, each with a sum and a normalisation."""

    projections: Linear
    joined: Linear
    attended: Norm
    widened: Linear
    narrowed: Linear
    ended: Norm

    def __call__(
        self, x: torch.Tensor, shapes: Sequence[tuple[int, int]], heads: int
    ) -> torch.Tensor:
        """The layer of x (m, d), whose texts come in groups of (number, length)."""
        x = self.attended(self.joined(self._attention(x, shapes, heads), added=x))
        return self.ended(self.narrowed(self.widened(x, "gelu"), added=x))

    def _attention(
        self, x: torch.Tensor, shapes: Sequence[tuple[int, int]], heads: int
    ) -> torch.Tensor:
        projected = self.projections(x)
        seen = x.new_empty(x.shape)
        start = 0
        for texts, length in shapes:
            own = slice(start, start + texts * length)
            start = own.stop
            attend(projected[own], texts, length, heads, seen[own])
        seen[start:] = 0
        return seen


@dataclass(frozen=True, slots=True)
class PackedBert:
    """A transformers model of `ARCHITECTURES` whose activation is GELU, in one precision."""

    embeddings: Any
    layers: tuple[Layer, ...]
    heads: int

    @classmethod
    def of(cls, model: Any) -> PackedBert:  # noqa: ANN401
        """The same weights as a transformers model, laid out for oneDNN."""
        config = model.config
        return cls.laid_out(
            model.embeddings,
            model.encoder.state_dict(),
            config.num_hidden_layers,
            config.num_attention_heads,
            config.layer_norm_eps,
        )

    @classmethod
    def laid_out(
        cls,
        embeddings: Any,  # noqa: ANN401
        weights: Mapping[str, torch.Tensor],
        layers: int,
        heads: int,
        epsilon: float,
    ) -> PackedBert:
        """The weights of the encoder by transformers' names, laid out for oneDNN.

        Raises: KeyError where one is missing.
        """
        made = (_layer(weights, f"layer.{number}", epsilon) for number in range(layers))
        return cls(embeddings, tuple(made), heads)

    def __call__(
        self, groups: Sequence[Mapping[str, torch.Tensor]], size: int
    ) -> list[torch.Tensor]:
        """Token embeddings (texts, length, d) of each group of a pack of `size` tokens."""
        import torch

        embedded = [
            self.embeddings(**{name: group[name] for name in EMBEDDED if name in group})
            for group in groups
        ]
        shapes = [(one.shape[0], one.shape[1]) for one in embedded]
        x = embedded[0].new_zeros((size, embedded[0].shape[2]))
        used = sum(texts * length for texts, length in shapes)
        torch.cat([one.flatten(0, 1) for one in embedded], out=x[:used])
        for layer in self.layers:
            x = layer(x, shapes, self.heads)
        ends = list(accumulate(texts * length for texts, length in shapes))
        return [
            x[end - texts * length : end].view(texts, length, -1)
            for end, (texts, length) in zip(ends, shapes, strict=True)
        ]


def fits(model: Any) -> bool:  # noqa: ANN401
    """Whether `PackedBert` is the same function as a transformers model."""
    config = model.config
    return (
        type(model).__name__ in ARCHITECTURES
        and config.hidden_act == "gelu"
        and not config.is_decoder
        and getattr(config, "position_embedding_type", "absolute") in (None, "absolute")
    )


def _layer(weights: Mapping[str, torch.Tensor], name: str, epsilon: float) -> Layer:
    import torch

    def both(part: str) -> tuple[torch.Tensor, torch.Tensor]:
        return weights[f"{name}.{part}.weight"], weights[f"{name}.{part}.bias"]

    def linear(part: str) -> Linear:
        return linear_layer(*both(part), PACK)

    def norm(part: str) -> Norm:
        weight, bias = both(part)
        return Norm(weight.float(), bias.float(), epsilon)

    projections = [both(f"attention.self.{part}") for part in ("query", "key", "value")]
    return Layer(
        projections=linear_layer(
            torch.cat([weight for weight, _ in projections]),
            torch.cat([bias for _, bias in projections]),
            PACK,
        ),
        joined=linear("attention.output.dense"),
        attended=norm("attention.output.LayerNorm"),
        widened=linear("intermediate.dense"),
        narrowed=linear("output.dense"),
        ended=norm("output.LayerNorm"),
    )
