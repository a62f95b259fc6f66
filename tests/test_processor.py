"""What is read of a processor's instructions."""

from pathlib import Path

import pytest

from recommender import processor


@pytest.mark.parametrize(
    ("line", "bf16", "core"),
    [
        ("flags\t\t: fpu avx2 fma avx512f avx512dq avx512bw avx512vl amx_bf16", True, "SkylakeX"),
        ("flags\t\t: fpu sse2 avx2 fma", False, "Haswell"),
        ("Features\t: fp asimd bf16", True, None),
        ("model name\t: avx512_bf16 avx2 fma", False, None),
    ],
)
def test_flags_are_read(
    line: str, bf16: bool, core: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text(f"processor\t: 0\n{line}\n")
    monkeypatch.setattr(processor, "_CPU", told)
    monkeypatch.setattr(processor, "flags", processor.flags.__wrapped__)
    assert processor.multiplies_bf16() is bf16
    assert processor.openblas_core() == core


def test_elsewhere_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "_CPU", tmp_path / "none")
    assert processor.flags.__wrapped__() == frozenset()
