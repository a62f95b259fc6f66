"""Encoding compared with sentence-transformers: `python -m benchmarks.encode [--quick] [--json]`.

All ways encode the same texts in turn, several times, and the figures are medians. The library is
sentence-transformers' own `encode` in fp32 and bf16, with its default batch of 32 texts and with
128, and with its linear layers swapped for oneDNN's packed ones. Ratios compare with the library's
default batch in the same precision. Titles have about twelve tokens, long texts about sixty-four,
mixed ones from six to ninety. `--threads 1 2` sets the numbers of threads; with one, processor time
is measured, which other programs disturb less.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from benchmarks.machine import Row, machine, report, thread_pools
from recommender.core.arrays import FloatMatrix, unit_rows
from recommender.core.cpu import multiplies_bf16
from recommender.core.telemetry import silent
from recommender.insights.encoding_paths import Fidelity, sample_texts
from recommender.vectors.content import model_folder
from recommender.vectors.content.bert import Linear, Precision
from recommender.vectors.content.sentence_transformer import SentenceTransformerEncoder

TITLE_WORDS, LONG_WORDS = 9, 62
LEAST_WORDS, MOST_WORDS = 4, 88
LIBRARY = "sentence-transformers"
FLOP_PER_TOKEN = 6 * 2 * (4 * 384 * 384 + 2 * 384 * 1536)
PEAK = 2048

Clock = Callable[[], float]
Encode = Callable[[list[str]], FloatMatrix]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    titles: int
    long_texts: int
    rounds: int


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer texts and rounds")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    options = parser.parse_args(arguments)
    size = Size(384, 96, 3) if options.quick else Size(2000, 400, 5)
    rows = []
    for threads in options.threads:
        rows += _compared(size, threads)
    about = f"{size}{' (quick: few texts)' if options.quick else ''}; {_libraries()}"
    sys.stderr.write(about + "\n")
    if options.json:
        rows_told = [{"name": r.name, "value": r.value, "ratio": r.ratio} for r in rows]
        told = {"machine": machine(), "about": about, "rows": rows_told}
        sys.stdout.write(json.dumps(told, indent=1) + "\n")
        return
    report(rows, as_json=False)


def _compared(size: Size, threads: int) -> list[Row]:
    import torch

    torch.set_num_threads(threads)
    precisions: tuple[Precision, ...] = ("fp32", "bf16") if multiplies_bf16() else ("fp32",)
    ways = {name: way for one in precisions for name, way in _ways(one).items()}
    tokens = _token_counter()
    clock = time.process_time if threads == 1 else time.perf_counter
    peaks: dict[str, float] = {precision: _peak(precision, clock) for precision in precisions}
    rows = []
    for name, texts in _texts(size).items():
        per_text = tokens(texts) / len(texts)
        seconds, vectors = _alternating(ways, texts, size.rounds, clock)
        speeds = {way: len(texts) / median(seconds[way]) for way in ways}
        for way, speed in speeds.items():
            precision = way.rpartition(", ")[2]
            what = f"{name} ({per_text:.0f} tokens), {threads} thr., {way}"
            rows.append(Row(what, speed, "texts/s", speeds[f"{LIBRARY}, {precision}"]))
            if way.startswith("ours"):
                near = Fidelity.of(vectors[way], vectors[f"{LIBRARY}, fp32"])
                rows += _fidelity(way, near)
                done = speed * per_text * FLOP_PER_TOKEN / 1e9
                peak = peaks[precision]
                rows.append(Row(f"  its products, of the {precision} peak", done, "GFLOP/s", peak))
    return rows


def _texts(size: Size) -> dict[str, list[str]]:
    words = np.random.default_rng(1).integers(LEAST_WORDS, MOST_WORDS, size.long_texts)
    mixed = [sample_texts(1, int(count), seed)[0] for seed, count in enumerate(words)]
    return {
        "titles": sample_texts(size.titles, TITLE_WORDS),
        "long texts": sample_texts(size.long_texts, LONG_WORDS),
        "mixed texts": mixed,
    }


def _fidelity(way: str, near: Fidelity) -> list[Row]:
    mean, least = (1e6 * (1 - one) for one in (near.mean_cosine, near.least_cosine))
    return [
        Row(f"  1 - cosine with fp32, mean: {way}", mean, "millionths"),
        Row(f"  1 - cosine with fp32, most: {way}", least, "millionths"),
        Row(f"  ten nearest kept: {way}", near.nearest_kept, ""),
    ]


def _alternating(
    ways: dict[str, Encode], texts: list[str], rounds: int, clock: Clock
) -> tuple[dict[str, list[float]], dict[str, FloatMatrix]]:
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    vectors = {}
    for encode in ways.values():
        encode(texts[: len(texts) // 4])
    for _ in range(rounds):
        for way, encode in ways.items():
            started = clock()
            vectors[way] = encode(texts)
            seconds[way].append(clock() - started)
    return seconds, {way: unit_rows(made) for way, made in vectors.items()}


def _ways(precision: Precision) -> dict[str, Encode]:
    """The ways to encode in a precision, by name."""
    encoder = SentenceTransformerEncoder(precision=precision)
    model = encoder.load()
    return {
        f"{LIBRARY}, {precision}": _library(precision),
        f"{LIBRARY}, batch 128, {precision}": _library(precision, batch_size=128),
        f"{LIBRARY}, linear layers swapped, {precision}": _library(precision, swapped=True),
        f"ours, {precision}": lambda texts: encoder.encode_with(model, texts, silent),
    }


def _library(precision: Precision, *, batch_size: int = 32, swapped: bool = False) -> Encode:
    from sentence_transformers import SentenceTransformer

    folder = model_folder.find(model_folder.DEFAULT_MODEL, "main", download=False)
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    if precision == "bf16":
        model = model.bfloat16()
    if swapped:
        _swap(model)

    def encode(texts: list[str]) -> FloatMatrix:
        vectors = model.encode(
            texts, batch_size=batch_size, show_progress_bar=False, convert_to_tensor=True
        )
        made: FloatMatrix = vectors.float().numpy()
        return made

    return encode


def _swap(model: Any) -> None:  # noqa: ANN401
    """Let the linear layers of a model be oneDNN's, with their weights laid out once."""
    import torch

    def forward(layer: Linear) -> Callable[[Any], Any]:
        return lambda x: layer(x.flatten(0, -2)).view(*x.shape[:-1], -1)

    for module in model.modules():
        if type(module) is torch.nn.Linear:
            module.forward = forward(Linear.of(module.weight.data, module.bias.data))  # type: ignore[assignment]


def _token_counter() -> Callable[[list[str]], int]:
    from transformers import AutoTokenizer

    folder = model_folder.find(model_folder.DEFAULT_MODEL, "main", download=False)
    tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    return lambda texts: sum(map(len, tokenizer(texts)["input_ids"]))


def _peak(precision: str, clock: Clock) -> float:
    """GFLOP/s of torch's product of two square matrices of 2,048, on as many threads."""
    import torch

    one = torch.ones(PEAK, PEAK, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
    seconds = []
    for _ in range(4):
        started = clock()
        torch.nn.functional.linear(one, one)
        seconds.append(clock() - started)
    return 2 * PEAK**3 / min(seconds) / 1e9


def _libraries() -> str:
    return "; ".join(
        [*thread_pools(), f"OPENBLAS_CORETYPE={os.environ.get('OPENBLAS_CORETYPE', 'unset')}"]
    )


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main(sys.argv[1:])
