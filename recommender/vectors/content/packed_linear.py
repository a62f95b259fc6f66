"""Linear layers in oneDNN with their weights laid out once, in the precision of the weights.

torch multiplies fp32 with MKL, which stays at AVX2 speed on AMD; oneDNN takes what the processor
has. The operators are private to torch: where one is missing, or tells another product than
torch's own, the layer is torch's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch

Activation = Literal["none", "gelu"]
TOLERANCE = 0.03


@dataclass(frozen=True, slots=True)
class PackedLinear:
    """x Wᵀ + b, then GELU (with erf) or the sum with `added`, in one pass over the result."""

    weight: "torch.Tensor"
    bias: "torch.Tensor | None"

    def __call__(
        self,
        x: "torch.Tensor",
        activation: Activation = "none",
        added: "torch.Tensor | None" = None,
    ) -> "torch.Tensor":
        """The layer of x (m, inputs): (m, outputs)."""
        import torch

        operator: Any = torch.ops.mkldnn._linear_pointwise
        if added is None:
            layered: torch.Tensor = operator(x, self.weight, self.bias, activation, [], "none")
        else:
            layered = operator.binary(x, added, self.weight, self.bias, "add")
        return layered


@dataclass(frozen=True, slots=True)
class PlainLinear:
    """The same by torch's public functions."""

    weight: "torch.Tensor"
    bias: "torch.Tensor | None"

    def __call__(
        self,
        x: "torch.Tensor",
        activation: Activation = "none",
        added: "torch.Tensor | None" = None,
    ) -> "torch.Tensor":
        """The layer of x (m, inputs): (m, outputs)."""
        from torch.nn.functional import gelu, linear

        layered = linear(x, self.weight, self.bias)
        if activation == "gelu":
            layered = gelu(layered)
        return layered if added is None else layered + added


Linear = Callable[..., "torch.Tensor"]


def linear_layer(weight: "torch.Tensor", bias: "torch.Tensor | None", rows: int) -> Linear:
    """The fastest layer of a weight (outputs, inputs) for products of about `rows` rows."""
    if not onednn_packs(weight.dtype):
        return PlainLinear(weight, bias)
    return PackedLinear(_laid_out(weight, rows), bias)


@cache
def onednn_packs(dtype: "torch.dtype") -> bool:
    """Whether this torch's private oneDNN operators are there and multiply rightly."""
    import torch

    backend: Any = torch.backends.mkldnn
    if not backend.is_available():
        return False
    made = torch.Generator().manual_seed(0)
    x, weight, bias, added = (
        torch.randn(shape, generator=made).to(dtype) for shape in ((16, 32), (24, 32), 24, (16, 24))
    )
    plain = PlainLinear(weight, bias)
    try:
        packed = PackedLinear(_laid_out(weight, 16), bias)
        return all(
            torch.allclose(packed(x, *last).float(), plain(x, *last).float(), 0.02, TOLERANCE)
            for last in (("none",), ("gelu",), ("none", added))
        )
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return False


def _laid_out(weight: "torch.Tensor", rows: int) -> "torch.Tensor":
    import torch

    operator: Any = torch.ops.mkldnn._reorder_linear_weight
    laid_out: torch.Tensor = operator(weight.contiguous(), rows)
    return laid_out
