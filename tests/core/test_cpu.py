"""What is read of a processor's instructions, and that its threads keep their memory."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from recommender.core import cpu as processor


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


LAYERS = """
import resource
import numpy as np
from recommender.core.cpu import torch_threads


def layers(times):
    for _ in range(times):
        buffers = [np.ones(3 << 20, dtype=np.uint8) for _ in range(5)]
        del buffers


def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


with torch_threads() as pool:
    pool.submit(layers, 3).result()
    before = faults()
    pool.submit(layers, 50).result()
    print((faults() - before) / 50)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back so")
def test_threads_do_not_ask_the_system_for_the_same_memory_again() -> None:
    told = subprocess.run(
        [sys.executable, "-c", LAYERS], capture_output=True, text=True, check=True, timeout=60
    )
    per_layer, pages = float(told.stdout), 5 * (3 << 20) / 4096
    assert per_layer < pages / 10
