"""Products in bf16: how far they may be from the true ones.

They are rounded to the nearest, which keeps order: what is at least a bound is, rounded, at least
the rounded bound.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import numpy as np

from recommender.core.cpu import multiplies_bf16

if TYPE_CHECKING:
    import torch

SUMMED = 2.0**-22
"""The relative error of a sum in fp32, for each of its terms, and a little."""


def screens() -> bool:
    """Whether products may be made in bf16 here."""
    return multiplies_bf16() and importlib.util.find_spec("torch") is not None


def group_peaks(grouped: torch.Tensor) -> torch.Tensor:
    """The largest of each group: (b, group, c) to (b, c)."""
    import torch

    while grouped.shape[1] > 1:
        half = grouped.shape[1] // 2
        grouped = torch.maximum(grouped[:, :half], grouped[:, half:])
    return grouped[:, 0]


def largest(values: torch.Tensor, k: int) -> torch.Tensor:
    """The k largest of each row in fp32: (b, c) to (b, k), the least of them first.

    numpy parts rows with AVX-512 or AVX2, in a tenth of the time of torch's topk.
    """
    import torch

    return torch.from_numpy(np.partition(values.float().numpy(), -k, axis=1)[:, -k:])


def at_least(
    grouped: torch.Tensor, peaks: torch.Tensor, least: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Queries and places (p,) of products that are at least the `least` (b,) of their query.

    Products stand in groups (b, group, c); only those whose largest (b, c) is at least that are
    looked through. A place is one of group * c.
    """
    query, peak = (peaks >= least[:, None]).nonzero(as_tuple=True)
    hit, member = (grouped[query, :, peak] >= least[query][:, None]).nonzero(as_tuple=True)
    return query[hit], member * grouped.shape[2] + peak[hit]


def lowest(products: torch.Tensor) -> torch.Tensor:
    """The least that may have been rounded to these, in fp32: half-way to the next below."""
    return _half_way(products, -float("inf"))


def highest(products: torch.Tensor) -> torch.Tensor:
    """The most that may have been rounded to these, in fp32: half-way to the next above."""
    return _half_way(products, float("inf"))


def _half_way(products: torch.Tensor, to: float) -> torch.Tensor:
    import torch

    beside = torch.nextafter(products, torch.full_like(products, to))
    return (products.float() + beside.float()) / 2
