"""Attention of short texts: torch's own numbers, and no overflow."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from recommender.vectors.content.attention import SHORT, attend

HEADS, WIDTH = 3, 8


def attended(projected: torch.Tensor, texts: int, length: int) -> torch.Tensor:
    seen = torch.full((texts * length, HEADS * WIDTH), torch.nan, dtype=projected.dtype)
    attend(projected, texts, length, HEADS, seen)
    return seen.view(texts, length, HEADS, WIDTH)


def expected(projected: torch.Tensor, texts: int, length: int) -> torch.Tensor:
    query, key, value = projected.view(texts, length, 3, HEADS, WIDTH).permute(2, 0, 3, 1, 4)
    return scaled_dot_product_attention(query, key, value).transpose(1, 2)


@pytest.mark.parametrize("length", [1, 2, 12, 16, 33, 48, 64, SHORT - 1, SHORT, SHORT + 1])
@pytest.mark.parametrize(("dtype", "apart"), [(torch.float32, 1e-5), (torch.bfloat16, 0.03)])
def test_short_texts_read_what_torch_reads(length: int, dtype: torch.dtype, apart: float) -> None:
    drawn = torch.randn(5 * length, 3 * HEADS * WIDTH, generator=torch.Generator().manual_seed(1))
    projected = drawn.to(dtype)
    read = attended(projected, 5, length)
    torch.testing.assert_close(read, expected(projected, 5, length), atol=apart, rtol=apart)


@pytest.mark.parametrize("scale", [30.0, -30.0])
def test_scores_that_would_overflow_are_torchs(scale: float) -> None:
    drawn = torch.randn(2 * 12, 3 * HEADS * WIDTH, generator=torch.Generator().manual_seed(1))
    projected = abs(scale) * drawn
    projected[:, : HEADS * WIDTH] = scale * drawn[:, : HEADS * WIDTH]
    read = attended(projected, 2, 12)
    assert read.isfinite().all()
    torch.testing.assert_close(read, expected(projected, 2, 12))


@pytest.mark.parametrize("score", [-100.0, 100.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scores_that_are_all_far_from_zero_are_torchs(score: float, dtype: torch.dtype) -> None:
    drawn = torch.randn(2 * 12, 3 * HEADS * WIDTH, generator=torch.Generator().manual_seed(1))
    projected = drawn.to(dtype)
    projected[:, : HEADS * WIDTH] = score / WIDTH**0.5
    projected[:, HEADS * WIDTH : 2 * HEADS * WIDTH] = 1.0
    read = attended(projected, 2, 12)
    torch.testing.assert_close(read, expected(projected, 2, 12), atol=0.01, rtol=0.01)
