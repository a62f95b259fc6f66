"""oneDNN's private operators beside torch's public functions."""

from types import SimpleNamespace

import pytest
import torch

from recommender.vectors.content import packed_linear
from recommender.vectors.content.packed_linear import PackedLinear, PlainLinear, linear_layer


@pytest.fixture(autouse=True)
def _forget() -> None:
    packed_linear.onednn_packs.cache_clear()


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("last", ["none", "gelu", "sum"])
def test_it_is_torchs_own_layer(biased: bool, last: str) -> None:
    torch.manual_seed(3)
    x, weight, added = torch.randn(40, 48), torch.randn(24, 48), torch.randn(40, 24)
    bias = torch.randn(24) if biased else None
    options = {"added": added} if last == "sum" else {"activation": last}
    quick, plain = linear_layer(weight, bias, 40), PlainLinear(weight, bias)
    torch.testing.assert_close(quick(x, **options), plain(x, **options), rtol=1e-5, atol=1e-4)


def test_this_torch_has_the_operators() -> None:
    assert packed_linear.onednn_packs(torch.float32)
    assert isinstance(linear_layer(torch.ones(4, 4), None, 8), PackedLinear)


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
    assert not packed_linear.onednn_packs(torch.float32)
    assert isinstance(linear_layer(torch.ones(4, 4), None, 8), PlainLinear)
