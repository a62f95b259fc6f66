"""Attention of texts of one length.

torch's own kernel is made for long texts: of twelve tokens it takes three times as long as two
products and the exponential one after the other. Source: Vaswani et al. 2017, "Attention is all
you need".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

SHORT, STRIDE = 96, 16
"""Tokens below which the products one after the other are faster, measured with AMX and AVX-512;
torch's kernel is made for multiples of `STRIDE`, and from twice as many on it is as fast there."""
LARGEST = 80.0
"""Scores whose exponentials, and sums of `SHORT` of them, are finite and not zero in fp32."""


def attended(projected: torch.Tensor, texts: int, length: int, heads: int) -> torch.Tensor:
    """What each token reads of its text: (texts, length, heads, d) of (texts * length, 3 heads d).

    `projected` holds queries, keys and values of each token beside each other.
    """
    from torch.nn.functional import scaled_dot_product_attention

    query, key, value = projected.view(texts, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
    suits_torch = length >= SHORT or (length > 2 * STRIDE and length % STRIDE == 0)
    read = None if suits_torch else _of_short(query, key, value)
    if read is None:
        read = scaled_dot_product_attention(query, key, value)
    return read.transpose(1, 2)


def _of_short(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor | None:
    """The same of all (texts, heads, length, d), None where a score is too large.

    The largest score is not subtracted, which would take a third more.
    """
    import torch

    q, k, v = (part.flatten(0, 1) for part in (query, key, value))
    scores = torch.bmm(q, k.transpose(1, 2)).float().mul_(query.shape[-1] ** -0.5)
    least, most = torch.aminmax(scores)
    if not (least >= -LARGEST and most <= LARGEST):
        return None
    shares = scores.exp_()
    shares.mul_(shares.sum(dim=2, keepdim=True).reciprocal_())
    return torch.bmm(shares.to(v.dtype), v).view(value.shape)
