"""Processor: its instructions that libraries should use, and how many threads they take of it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path

BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})

_CPU = Path("/proc/cpuinfo")


@cache
def flags() -> frozenset[str]:
    """Instruction sets by the names that Linux has for them; none on another system."""
    try:
        lines = _CPU.read_text().splitlines()
    except OSError:
        return frozenset()
    told = [line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Feat"))]
    return frozenset().union(*told)


def multiplies_bf16() -> bool:
    """Whether there are instructions for products in bf16."""
    return bool(BF16_FLAGS & flags())


def openblas_core() -> str | None:
    """The fastest kernels of OpenBLAS that run here, by its own name, None where it knows best."""
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
    """Let torch use one thread while the block runs, so that sums come out alike everywhere."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def torch_threads() -> Iterator[ThreadPoolExecutor]:
    """As many threads as torch would use for one product, each of which uses one."""
    import torch

    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
