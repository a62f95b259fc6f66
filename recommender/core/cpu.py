"""CPU: the instruction sets that libraries should use, and the threads of torch."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})

KEPT = 31 << 20
"""Bytes of the block that `keep_freed_memory` frees: glibc looks at those below 32 MiB only."""

_CPU = Path("/proc/cpuinfo")


@cache
def flags() -> frozenset[str]:
    """Instruction sets by their Linux names; empty on other systems."""
    try:
        lines = _CPU.read_text().splitlines()
    except OSError:
        return frozenset()
    values = [
        line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Feat"))
    ]
    return frozenset().union(*values)


def multiplies_bf16() -> bool:
    """Whether the CPU has instructions for products in bf16."""
    return bool(BF16_FLAGS & flags())


def openblas_core() -> str | None:
    """The name of the fastest OpenBLAS kernels that run here; None leaves the choice to it."""
    if {"avx512f", "avx512dq", "avx512bw", "avx512vl"} <= flags():
        return "SkylakeX"
    return "Haswell" if {"avx2", "fma"} <= flags() else None


def blas_threads() -> int:
    """How many threads a product in numpy takes."""
    from threadpoolctl import threadpool_info

    return max(
        [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"], default=1
    )


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Limit torch to one thread inside the block, so that sums are the same everywhere."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def torch_threads() -> Iterator[ThreadPoolExecutor]:
    """A pool of as many threads as torch would use, each of which computes with one."""
    import torch

    keep_freed_memory()
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


@cache
def keep_freed_memory() -> None:
    """Let this process keep up to twice `KEPT` of what it freed for what it asks for next.

    glibc gives the system back what is free beyond twice the largest block that ever was; a layer
    of a text model then has the system lay out and clear its megabytes anew, which was a fifth of
    the time of long texts. So one large block is freed. Elsewhere that is nothing.
    Source: mallopt(3), "M_MMAP_THRESHOLD", on the dynamic threshold.
    """
    np.empty(KEPT, dtype=np.uint8)
