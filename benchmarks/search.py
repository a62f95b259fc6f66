"""Nearest items of all items: `python -m benchmarks.search [--quick] [--json] [--n 200000]`.

There are three kinds of vectors of 256 dimensions: clusters that are far apart (`clusters`), the
same with lengths that fall with popularity, as in a shop (`popular`), and vectors without clusters
(`hard`: 48 dimensions, and noise in all). Every way answers the same queries in the same run. Ways
with a width (ef, probes) take the smallest one, doubled, that reaches a recall of .98 at 24 on a
sample; the search for it is in neither time. With fewer queries than items, the time for all items
is extrapolated and marked. Peers that are not installed (hnswlib, usearch, voyager, scann) are left
out.
"""

import argparse
import importlib.util
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine, thread_pools
from recommender.core.arrays import FloatMatrix, blocks, unit_rows
from recommender.vectors.index.exact import Exact, faiss_module
from recommender.vectors.index.ivf import InvertedFile

K = 24
D = 256
RECALL = 0.98
SAMPLE = 256
GRAPH_WIDTHS = (32, 64, 128, 256, 512, 1024)
PROBES = (1, 2, 4, 8, 16, *GRAPH_WIDTHS)
BLOCK = 1024

Found = NDArray[Any]
Search = Callable[[FloatMatrix, int], Found]
"""Queries (b, d) and a width, to what was found (b, k)."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way to search; `build` gives the search of targets (n, d).

    `widths` are tried in this order; `finds` is False where it only multiplies.
    """

    name: str
    build: Callable[[FloatMatrix], Search]
    widths: tuple[int, ...] = (0,)
    finds: bool = True


@dataclass(frozen=True, slots=True)
class Timed:
    """What a way costs for all items, and how much it finds of the true nearest."""

    vectors: str
    way: str
    build_s: float
    search_s: float
    recall: float
    width: int
    extrapolated: bool
    finds: bool


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20,000 items, 2,048 of them ask")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--n", type=int, default=200_000)
    parser.add_argument("--queries", type=int, default=0, help="how many ask; 0 for all")
    parser.add_argument(
        "--cpu", action="store_true", help="one thread, processor time: for a busy machine"
    )
    parser.add_argument("--vectors", nargs="*", default=list(VECTORS), choices=list(VECTORS))
    parser.add_argument("--ways", nargs="*", default=[""], help="only those whose names hold one")
    options = parser.parse_args(arguments)
    n = 20_000 if options.quick else options.n
    asking = 2048 if options.quick else options.queries or n
    clock = _alone() if options.cpu else time.perf_counter
    importlib.import_module("torch")  # which no way shall pay for
    timed = []
    for kind in options.vectors:
        targets = VECTORS[kind](n)
        wanted = _true_nearest(targets)
        for way in ways():
            if any(part in way.name for part in options.ways):
                timed.append(_timed(way, (kind, targets), wanted, asking, clock))
                if not options.json:
                    sys.stdout.write(_line(timed[-1]) + "\n")
                    sys.stdout.flush()
    about = {"n": n, "asking": asking, "d": D, "k": K, "one_thread": options.cpu}
    about["pools"] = thread_pools()
    about["OPENBLAS_CORETYPE"] = os.environ.get("OPENBLAS_CORETYPE", "unset")
    if options.json:
        told = {"machine": machine(), "about": about, "rows": [asdict(row) for row in timed]}
        sys.stdout.write(json.dumps(told, indent=1) + "\n")
    else:
        sys.stdout.write(f"{about}\n")


def clustered(n: int) -> FloatMatrix:
    """Unit vectors in clusters of about a hundred."""
    rng = np.random.default_rng(1)
    centres = unit_rows(rng.normal(size=(max(1, n // 100), D)))
    drawn = centres[rng.integers(0, len(centres), n)]
    return unit_rows(drawn + rng.normal(size=(n, D)).astype(np.float32) * 0.03)


def hard(n: int) -> FloatMatrix:
    """Unit vectors of 48 dimensions, turned into 256, and noise."""
    rng = np.random.default_rng(2)
    turned = rng.normal(size=(n, 48)).astype(np.float32) @ rng.normal(size=(48, D)).astype("f4")
    return unit_rows(unit_rows(turned) + rng.normal(size=(n, D)).astype(np.float32) * 0.02)


def popular(n: int) -> FloatMatrix:
    """Clusters whose lengths fall with the rank of popularity, to the power of .2."""
    lengths = np.arange(1, n + 1, dtype=np.float32) ** np.float32(-0.2)
    rng = np.random.default_rng(3)
    made: FloatMatrix = clustered(n) * rng.permutation(lengths)[:, None]
    return made


VECTORS: dict[str, Callable[[int], FloatMatrix]] = {
    "clusters": clustered,
    "popular": popular,
    "hard": hard,
}


def ways() -> Iterator[Way]:
    """What can be compared here: ours, FAISS, torch, implicit, then what is installed."""
    yield Way("ours, exact", lambda x: _index(Exact().build(x)))
    yield Way("ours, exact in bf16 first", lambda x: _index(Exact(screened_from=0).build(x)))
    yield Way("ours, inverted file", lambda x: _index(InvertedFile().build(x)))
    yield Way("ours, fewest probes", lambda x: _index(InvertedFile(probes_min=1).build(x)))
    yield Way("FAISS flat", _faiss_flat)
    yield Way("torch fp32 blocks + topk", lambda x: _torch(x, "fp32", top=True))
    yield Way("torch fp32 product alone", lambda x: _torch(x, "fp32", top=False), finds=False)
    yield Way("torch bf16 product alone", lambda x: _torch(x, "bf16", top=False), finds=False)
    yield Way("implicit similar items", _implicit)
    yield Way("FAISS IVF", _faiss_ivf, PROBES)
    yield Way("FAISS HNSW32", _faiss_hnsw, GRAPH_WIDTHS)
    for name, build, widths in (
        ("hnswlib", _hnswlib, GRAPH_WIDTHS),
        ("usearch", _usearch, GRAPH_WIDTHS),
        ("voyager", _voyager, GRAPH_WIDTHS),
        ("scann", _scann, PROBES),
    ):
        if importlib.util.find_spec(name) is not None:
            yield Way(name, build, widths)


def _alone() -> Callable[[], float]:
    """Let everything run in one thread; returns the clock of its processor time."""
    import torch
    from threadpoolctl import threadpool_limits

    faiss_module()
    threadpool_limits(1)
    torch.set_num_threads(1)
    return time.process_time


def _timed(
    way: Way,
    vectors: tuple[str, FloatMatrix],
    wanted: tuple[Found, Found],
    asking: int,
    clock: Callable[[], float],
) -> Timed:
    kind, targets = vectors
    started = clock()
    search = way.build(targets)
    built = clock()
    picked, nearest = wanted
    width, recall = 0, 0.0
    for width in way.widths:
        recall = _recall(search(targets[picked], width), nearest)
        if recall >= RECALL:
            break
    asked = clock()
    search(targets[:asking], width)
    seconds = (clock() - asked) * len(targets) / asking
    return Timed(
        vectors=kind,
        way=way.name,
        build_s=built - started,
        search_s=seconds,
        recall=recall,
        width=width,
        extrapolated=asking < len(targets),
        finds=way.finds,
    )


def _line(row: Timed) -> str:
    width = f"width {row.width}" if row.width else ""
    about = ", extrapolated" if row.extrapolated else ""
    recall = f"recall {row.recall:.4f}" if row.finds else "finds nothing"
    return (
        f"{row.vectors:<10}{row.way:<28}build {row.build_s:8.2f} s   "
        f"all items {row.search_s:8.2f} s{about}   {recall}   {width}"
    )


def _true_nearest(targets: FloatMatrix) -> tuple[Found, Found]:
    picked = np.sort(np.random.default_rng(3).choice(len(targets), SAMPLE, replace=False))
    scores = targets[picked] @ targets.T
    return picked, np.argpartition(-scores, K, axis=1)[:, :K]


def _recall(found: Found, nearest: Found) -> float:
    shared = [len(np.intersect1d(a, b)) for a, b in zip(found, nearest, strict=True)]
    return float(np.mean(shared) / K)


def _index(index: Any) -> Search:  # noqa: ANN401
    return lambda queries, _: index.search(queries, K).rows


def _faiss_flat(targets: FloatMatrix) -> Search:
    index = faiss_module().IndexFlatIP(D)
    index.add(targets)
    return lambda queries, _: index.search(queries, K)[1]


def _faiss_ivf(targets: FloatMatrix) -> Search:
    faiss = faiss_module()
    quantizer = faiss.IndexFlatIP(D)
    index = faiss.IndexIVFFlat(quantizer, D, _cells(len(targets)), faiss.METRIC_INNER_PRODUCT)
    index.train(targets)
    index.add(targets)

    def search(queries: FloatMatrix, width: int) -> Found:
        index.nprobe = width
        return np.asarray(index.search(queries, K)[1])

    return search


def _faiss_hnsw(targets: FloatMatrix) -> Search:
    faiss = faiss_module()
    index = faiss.IndexHNSWFlat(D, 32, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = 80
    index.add(targets)

    def search(queries: FloatMatrix, width: int) -> Found:
        index.hnsw.efSearch = width
        return np.asarray(index.search(queries, K)[1])

    return search


def _torch(targets: FloatMatrix, precision: str, *, top: bool) -> Search:
    import torch

    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    held = torch.from_numpy(targets).to(kind)

    def search(queries: FloatMatrix, _: int) -> Found:
        found = np.zeros((len(queries), K), dtype=np.int64)
        with torch.inference_mode():
            for block in blocks(len(queries), BLOCK):
                asked = torch.from_numpy(queries[block]).to(kind)
                products = torch.nn.functional.linear(asked, held)
                if top:
                    found[block] = products.topk(K, dim=1).indices.numpy()
        return found

    return search


def _implicit(targets: FloatMatrix) -> Search:
    from implicit.cpu.topk import topk

    return lambda queries, _: np.asarray(topk(targets, queries, K)[0])


def _hnswlib(targets: FloatMatrix) -> Search:
    import hnswlib

    index = hnswlib.Index(space="ip", dim=D)
    index.init_index(max_elements=len(targets), M=16, ef_construction=80)
    index.add_items(targets)

    def search(queries: FloatMatrix, width: int) -> Found:
        index.set_ef(width)
        return np.asarray(index.knn_query(queries, k=K)[0])

    return search


def _usearch(targets: FloatMatrix) -> Search:
    from usearch.index import Index

    index: Any = Index(ndim=D, metric="ip", dtype="bf16", connectivity=16, expansion_add=80)
    index.add(np.arange(len(targets)), targets)

    def search(queries: FloatMatrix, width: int) -> Found:
        index.expansion_search = width
        return np.asarray(index.search(queries, K).keys)

    return search


def _voyager(targets: FloatMatrix) -> Search:
    import voyager

    index = voyager.Index(voyager.Space.InnerProduct, num_dimensions=D, M=16, ef_construction=80)
    index.add_items(targets)
    return lambda queries, width: np.asarray(index.query(queries, k=K, query_ef=width)[0])


def _scann(targets: FloatMatrix) -> Search:
    from scann import scann_ops_pybind

    tree = scann_ops_pybind.builder(targets, K, "dot_product").tree(
        num_leaves=_cells(len(targets)), num_leaves_to_search=1, training_sample_size=len(targets)
    )
    index = tree.score_ah(2, anisotropic_quantization_threshold=0.2).reorder(8 * K).build()

    def search(queries: FloatMatrix, width: int) -> Found:
        return np.asarray(index.search_batched_parallel(queries, K, 8 * K, width)[0])

    return search


def _cells(count: int) -> int:
    """As many as FAISS and ScaNN advise: some times the square root."""
    return int(2.5 * math.sqrt(count))


if __name__ == "__main__":
    main(sys.argv[1:])
