"""The indexes side by side: time to build, time to restore, time per query, recall, memory.

    python -m benchmarks.indexes [--items N ...] [--dimensions D] [--quick] [--json]

Vectors are drawn around centres, as those of a shop's products are. Every index answers the same
queries in one thread, in turn with the others; the peer is exact search in the same run, and recall
is told against it. Times are those of the processor, so that a busy machine tells the same.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.machine import Row, report
from recommender import registry
from recommender.core.arrays import FloatMatrix, unit_rows
from recommender.core.protocols import VectorIndex
from recommender.core.recipe import Choice

K = 24
QUERIES = 2048
ROUNDS = 3
RIVALS = (Choice("exact"), Choice("ivf"), Choice("annoy"))
MEBIBYTE = 1024**2

Made = TypeVar("Made")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 300_000])
    parser.add_argument("--dimensions", type=int, default=128)
    parser.add_argument("--quick", action="store_true", help="5,000 items only")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: list[Row] = []
    for n_items in [5000] if options.quick else options.items:
        rows += measured(n_items, options.dimensions)
        sys.stderr.write(f"{n_items:,} items done\n")
    report(rows, as_json=options.json)


def measured(n_items: int, dimensions: int) -> list[Row]:
    """Figures of every index at one size."""
    import faiss

    faiss.omp_set_num_threads(1)
    targets = vectors(n_items, dimensions)
    queries = targets[:: max(1, n_items // QUERIES)][:QUERIES]
    rows: list[Row] = []
    built: dict[str, VectorIndex] = {}
    for choice in RIVALS:
        builder = registry.index_builder(choice)
        before = _resident()
        built[choice.use], seconds = _timed(partial(builder.build, targets))
        name = f"{choice.use}, {n_items:,} items"
        columns = built[choice.use].columns()
        restored = _timed(partial(builder.restore, targets, columns))[1]
        rows += [
            Row(f"{name}: build", seconds, "s"),
            Row(f"{name}: restore", restored, "s"),
            Row(f"{name}: memory added", max(_resident() - before, 0) / MEBIBYTE, "MiB"),
        ]
    return rows + _searched(built, queries, n_items)


def _searched(built: dict[str, VectorIndex], queries: FloatMatrix, n_items: int) -> list[Row]:
    took: dict[str, list[float]] = {name: [] for name in built}
    for _ in range(ROUNDS):
        for name, index in built.items():
            _, seconds = _timed(partial(index.search, queries, K))
            took[name].append(seconds / len(queries) * 1e6)
    wanted = built["exact"].search(queries, K).rows
    rows = []
    for name, index in built.items():
        found = index.search(queries, K).rows
        shared = [len(np.intersect1d(a, b)) for a, b in zip(found, wanted, strict=True)]
        told = f"{name}, {n_items:,} items"
        peer = statistics.median(took["exact"]) if name != "exact" else None
        rows += [
            Row(f"{told}: query", statistics.median(took[name]), "us", peer),
            Row(f"{told}: recall at {K}", float(np.mean(shared)) / K, ""),
        ]
    return rows


def vectors(n_items: int, dimensions: int, seed: int = 0) -> FloatMatrix:
    """Unit vectors (n, d) around n / 50 centres."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(n_items // 50, 1), dimensions)).astype(np.float32)
    drawn = centres[rng.integers(0, len(centres), n_items)]
    return unit_rows(drawn + 0.7 * rng.normal(size=drawn.shape).astype(np.float32))


def _timed(work: Callable[[], Made]) -> tuple[Made, float]:
    began = time.process_time()
    made = work()
    return made, time.process_time() - began


def _resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
