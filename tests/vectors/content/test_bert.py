"""Packs of texts, and the layers with torch's private oneDNN operators or without."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recommender.vectors.content import bert
from recommender.vectors.content.bert import PACK, QUERY_PACK, SMALL_PACK, Linear, packs

LENGTHS = st.lists(st.integers(1, 600) | st.just(2 * PACK + 1), max_size=200)


@given(LENGTHS)
def test_every_text_is_in_one_pack_that_holds_it(given_lengths: list[int]) -> None:
    lengths = np.array(given_lengths, dtype=np.int64)
    made = list(packs(lengths))
    groups = [group for pack in made for group in pack.groups]
    places = np.concatenate([np.zeros(0, dtype=np.int64), *groups])
    assert sorted(places.tolist()) == list(range(len(lengths)))
    assert all(len(set(lengths[group].tolist())) == 1 for group in groups)
    for pack in made:
        used = sum(int(lengths[group].sum()) for group in pack.groups)
        assert 0 < used <= pack.size


@given(st.lists(st.integers(1, 500), max_size=300))
def test_three_sizes_do_for_usual_texts_and_little_is_filled_up(lengths: list[int]) -> None:
    made = list(packs(np.array(lengths, dtype=np.int64)))
    assert {pack.size for pack in made} <= {QUERY_PACK, SMALL_PACK, PACK}
    assert all(pack.size > QUERY_PACK for pack in made[:-1])
    filled = sum(pack.size for pack in made) - sum(lengths)
    longest = max(lengths, default=0)
    assert filled <= len(made) * longest + PACK


def test_a_query_does_not_fill_a_large_pack() -> None:
    assert [pack.size for pack in packs(np.array([9]))] == [QUERY_PACK]


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    bert.onednn_packs.cache_clear()
    yield
    bert.onednn_packs.cache_clear()


@pytest.mark.parametrize("last", ["none", "gelu", "sum"])
def test_a_packed_layer_is_torchs_own(last: str) -> None:
    torch.manual_seed(3)
    x, weight, bias = torch.randn(40, 48), torch.randn(24, 48), torch.randn(24)
    by_last: dict[str, dict[str, Any]] = {
        "none": {},
        "gelu": {"gelu": True},
        "sum": {"added": torch.randn(40, 24)},
    }
    options = by_last[last]
    quick, plain = Linear.of(weight, bias), Linear(weight, bias, packed=False)
    torch.testing.assert_close(quick(x, **options), plain(x, **options), rtol=1e-5, atol=1e-4)


def test_this_torch_has_the_operators() -> None:
    assert bert.onednn_packs(torch.float32)
    assert Linear.of(torch.ones(4, 4), torch.ones(4)).packed


@pytest.mark.parametrize(
    "operators",
    [
        SimpleNamespace(),
        SimpleNamespace(_reorder_linear_weight=lambda weight, _rows: weight),
        SimpleNamespace(
            _reorder_linear_weight=lambda weight, _rows: weight,
            _linear_pointwise=lambda x, weight, *_: x @ weight.T,
        ),
    ],
    ids=["gone", "half gone", "wrong"],
)
def test_without_them_layers_are_torchs(operators: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops, "mkldnn", operators)
    assert not bert.onednn_packs(torch.float32)
    assert not Linear.of(torch.ones(4, 4), torch.ones(4)).packed
