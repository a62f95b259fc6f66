"""Encoding beside sentence-transformers: `python -m benchmarks.encode [--quick] [--json]`.

Each way encodes the same texts in turn, several times; told is the median. The peer is
sentence-transformers' own `encode` with its defaults on as many threads. Titles have about twelve
tokens, long texts about sixty-four. `--threads 1 2` says on how many threads; with one, processor
time is measured, which other programs disturb less.
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
from recommender.core.telemetry import silent
from recommender.insights.encoding_paths import Fidelity, possible, sample_texts
from recommender.vectors.content import model_folder
from recommender.vectors.content.sentence_transformer import SentenceTransformerEncoder

TITLE_WORDS, LONG_WORDS = 9, 62
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
    ways = {"sentence-transformers": _peer()} | {
        " ".join(parameters.values()): _ours(parameters) for parameters in possible()
    }
    tokens = _token_counter()
    clock = time.process_time if threads == 1 else time.perf_counter
    peaks = {precision: _peak(precision, clock) for precision in ("fp32", "bf16")}
    rows = []
    for name, words, number in (
        ("titles", TITLE_WORDS, size.titles),
        ("long texts", LONG_WORDS, size.long_texts),
    ):
        texts = sample_texts(number, words)
        per_text = tokens(texts) / len(texts)
        seconds, vectors = _alternating(ways, texts, size.rounds, clock)
        speeds = {way: number / median(seconds[way]) for way in ways}
        peer = speeds["sentence-transformers"]
        for way, speed in speeds.items():
            near = Fidelity.of(vectors[way], vectors["sentence-transformers"])
            what = f"{name} ({per_text:.0f} tokens), {threads} thr., {way}"
            rows.append(Row(what, speed, "texts/s", peer))
            if way != "sentence-transformers":
                rows += _fidelity(way, near)
            precision = "bf16" if "bf16" in way else "fp32"
            done = speed * per_text * FLOP_PER_TOKEN / 1e9
            rows.append(
                Row(f"  its products beside {precision} peak", done, "GFLOP/s", peaks[precision])
            )
    return rows


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


def _peer() -> Encode:
    from sentence_transformers import SentenceTransformer

    folder = model_folder.find(model_folder.DEFAULT_MODEL, "main", download=False)
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)

    def encode(texts: list[str]) -> FloatMatrix:
        return np.asarray(model.encode(texts, show_progress_bar=False), dtype=np.float32)

    return encode


def _ours(parameters: dict[str, str]) -> Encode:
    encoder = SentenceTransformerEncoder(**parameters)  # type: ignore[arg-type]
    model = encoder.load()
    return lambda texts: encoder.encode_with(model, texts, silent)


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
