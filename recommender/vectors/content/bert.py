"""A BERT text model on the CPU, without padding and without importing sentence-transformers.

Texts a second in one thread of an Intel Xeon with AMX, ours and the library's in the same precision
(`benchmarks.encode`, docs/speed.md): titles 348 and 264 in fp32, 990 and 461 in bf16 (731 in larger
batches); texts of 64 tokens 66 and 63, 198 and 163. On AMD, where MKL stays at AVX2, fp32 gained
2.3 for titles. So packs and the fused oneDNN layers stay. An own attention for short texts gained
5 % and is gone; so are swapped linear layers inside transformers, which gained nothing in fp32.

Source: Devlin et al. 2019, "BERT"; the weights and numbers are transformers' own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import FloatMatrix, blocks
from recommender.core.cpu import torch_threads

if TYPE_CHECKING:
    import torch

PACK, SMALL_PACK, QUERY_PACK = 1536, 256, 32
"""Rows of a pack. oneDNN generates code for each new shape, which takes 30 to 40 ms in bf16."""
CHUNK = 4096
TOLERANCE = 0.03

Precision = Literal["fp32", "bf16"]
Places = NDArray[np.intp]
Tokens = Sequence[Sequence[int]]
TensorFunction = Callable[["torch.Tensor"], "torch.Tensor"]


@dataclass(frozen=True, slots=True)
class Linear:
    """x Wᵀ + b, then GELU (with erf) or the sum with `added`.

    Where `packed`, the weight is laid out for oneDNN's fused operators, which are private to torch.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    packed: bool

    @classmethod
    def of(cls, weight: torch.Tensor, bias: torch.Tensor) -> Linear:
        """The fastest layer of a weight (outputs, inputs) for packs of texts."""
        if onednn_packs(weight.dtype):
            return cls(_laid_out(weight, PACK), bias, packed=True)
        return cls(weight, bias, packed=False)

    def __call__(
        self, x: torch.Tensor, *, gelu: bool = False, added: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The layer of x (m, inputs): (m, outputs)."""
        import torch

        if self.packed:
            operator: Any = torch.ops.mkldnn._linear_pointwise
            if added is not None:
                return operator.binary(x, added, self.weight, self.bias, "add")  # type: ignore[no-any-return]
            last = "gelu" if gelu else "none"
            return operator(x, self.weight, self.bias, last, [], "none")  # type: ignore[no-any-return]
        y = torch.nn.functional.linear(x, self.weight, self.bias)
        if gelu:
            y = torch.nn.functional.gelu(y)
        return y if added is None else y + added


@cache
def onednn_packs(dtype: torch.dtype) -> bool:
    """Whether this torch has the private oneDNN operators, and they return the right products."""
    import torch

    backend: Any = torch.backends.mkldnn
    if not backend.is_available():
        return False
    seeded = torch.Generator().manual_seed(0)
    x, weight, bias, added = (
        torch.randn(shape, generator=seeded).to(dtype)
        for shape in ((16, 32), (24, 32), 24, (16, 24))
    )
    plain = Linear(weight, bias, packed=False)
    try:
        packed = Linear(_laid_out(weight, 16), bias, packed=True)
        return all(
            torch.allclose(packed(x, **last).float(), plain(x, **last).float(), 0.02, TOLERANCE)
            for last in ({}, {"gelu": True}, {"added": added})
        )
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return False


def _laid_out(weight: torch.Tensor, rows: int) -> torch.Tensor:
    import torch

    operator: Any = torch.ops.mkldnn._reorder_linear_weight
    laid_out: torch.Tensor = operator(weight.contiguous(), rows)
    return laid_out


def norm(weight: torch.Tensor, bias: torch.Tensor, epsilon: float) -> TensorFunction:
    """Layer normalisation; its weights are in fp32, with which torch is twice as fast in bf16."""
    from torch.nn.functional import layer_norm

    shape = tuple(weight.shape)
    return partial(
        layer_norm,
        normalized_shape=shape,
        weight=weight.float(),
        bias=bias.float(),
        eps=epsilon,
    )


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: attention, then two linear layers, each with a sum and a normalisation."""

    projections: Linear
    joined: Linear
    attended: TensorFunction
    widened: Linear
    narrowed: Linear
    ended: TensorFunction
    heads: int

    @classmethod
    def of(cls, weights: Mapping[str, torch.Tensor], heads: int, epsilon: float) -> Layer:
        """The layer of weights by transformers' names. Raises: KeyError where one is missing."""
        import torch

        def both(part: str) -> tuple[torch.Tensor, torch.Tensor]:
            return weights[f"{part}.weight"], weights[f"{part}.bias"]

        parts = [both(f"attention.self.{part}") for part in ("query", "key", "value")]
        return cls(
            Linear.of(torch.cat([w for w, _ in parts]), torch.cat([b for _, b in parts])),
            Linear.of(*both("attention.output.dense")),
            norm(*both("attention.output.LayerNorm"), epsilon),
            Linear.of(*both("intermediate.dense")),
            Linear.of(*both("output.dense")),
            norm(*both("output.LayerNorm"), epsilon),
            heads,
        )

    def __call__(self, x: torch.Tensor, shapes: Sequence[tuple[int, int]]) -> torch.Tensor:
        """The layer of x (m, d), whose texts come in groups of (number, length)."""
        x = self.attended(self.joined(self._attention(x, shapes), added=x))
        return self.ended(self.narrowed(self.widened(x, gelu=True), added=x))

    def _attention(self, x: torch.Tensor, shapes: Sequence[tuple[int, int]]) -> torch.Tensor:
        from torch.nn.functional import scaled_dot_product_attention

        projected = self.projections(x)
        seen = x.new_zeros(x.shape)
        start = 0
        for texts, length in shapes:
            own = slice(start, start + texts * length)
            start = own.stop
            parts = projected[own].view(texts, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            read = scaled_dot_product_attention(parts[0], parts[1], parts[2])
            seen[own].view(texts, length, self.heads, -1).copy_(read.transpose(1, 2))
        return seen


@dataclass(frozen=True, slots=True)
class TokenEmbeddings:
    """The word, its position and the kind of text, added and normalised."""

    words: torch.Tensor
    kind: torch.Tensor
    positions: torch.Tensor
    norm: TensorFunction

    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        """Embeddings (texts * length, d) of token ids (texts, length)."""
        embedded = self.words[ids] + self.kind + self.positions[: ids.shape[1]]
        return self.norm(embedded.flatten(0, 1))


@dataclass(frozen=True, slots=True)
class Pack:
    """Texts whose tokens go through the layers together, in `size` rows.

    Texts of equal length form a group; `groups` has the places (b,) of each group's texts.
    """

    groups: tuple[Places, ...]
    size: int


def packs(lengths: NDArray[np.int64]) -> Iterator[Pack]:
    """Packs of all texts with these numbers of tokens (n,), the longest first, each text once.

    A pack has `PACK` rows, the last ones `SMALL_PACK`, or `QUERY_PACK` for as little as a query. A
    longer text has a pack of its own, of a multiple of `PACK`.
    """
    order = np.argsort(-lengths, kind="stable")
    ends = np.cumsum(lengths[order])
    start = 0
    while start < len(order):
        before = int(ends[start - 1]) if start else 0
        left = int(ends[-1]) - before
        size = QUERY_PACK if left <= QUERY_PACK else SMALL_PACK
        if left >= PACK or lengths[order[start]] > size:
            size = PACK
        stop = max(start + 1, int(np.searchsorted(ends, before + size, side="right")))
        rows = -(-(int(ends[stop - 1]) - before) // size) * size
        own = order[start:stop]
        bounds = np.flatnonzero(np.diff(lengths[own])) + 1
        yield Pack(tuple(np.split(own, bounds)), rows)
        start = stop


@dataclass(frozen=True, slots=True)
class BertModel:
    """Texts to vectors: a tokeniser, the layers, pooling, and the modules that follow it."""

    dimensions: int
    tokenise: Callable[[Sequence[str]], Tokens]
    embeddings: TokenEmbeddings
    layers: tuple[Layer, ...]
    following: tuple[TensorFunction, ...]

    def encode(self, texts: Sequence[str]) -> Iterator[tuple[Places, FloatMatrix]]:
        """Places (b,) among the texts, best given in order of length, and vectors (b, d).

        One thread computes a pack, and as many packs are computed at once as torch has threads. So
        no byte depends on the number of threads, and no thread waits for another after a product.
        """
        with torch_threads() as pool:
            for block in blocks(len(texts), CHUNK):
                tokens = self.tokenise(texts[block])
                made = list(packs(np.fromiter(map(len, tokens), np.int64, len(tokens))))
                vectors = pool.map(partial(self._vectors, tokens), made)
                for pack, rows in zip(made, vectors, strict=True):
                    yield block.start + np.concatenate(pack.groups), rows

    def _vectors(self, tokens: Tokens, pack: Pack) -> FloatMatrix:
        """Vectors of the texts of a pack, group by group; in fp32 from pooling on."""
        import torch

        with torch.inference_mode():
            groups = [torch.tensor([tokens[place] for place in group]) for group in pack.groups]
            shapes = [(ids.shape[0], ids.shape[1]) for ids in groups]
            embedded = torch.cat([self.embeddings(ids) for ids in groups])
            x = torch.nn.functional.pad(embedded, (0, 0, 0, pack.size - len(embedded)))
            for layer in self.layers:
                x = layer(x, shapes)
            pooled, start = [], 0
            for texts, length in shapes:
                own = x[start : start + texts * length].view(texts, length, -1).float()
                start += texts * length
                for module in self.following:
                    own = module(own)
                pooled.append(own)
            vectors: FloatMatrix = torch.cat(pooled).numpy()
            return vectors
