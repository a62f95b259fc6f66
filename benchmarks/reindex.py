"""A whole reindex as a shop grows: `python -m benchmarks.reindex [--quick] [--json]`.

    python -m benchmarks.reindex --items 10000 100000 1000000 --events-per-item 20

Synthetic shops (benchmarks/shop_generator.py) with the recipe `quick`; each is indexed cold, then
as after a night: one per cent of the titles new, a day's events more. Told are seconds and peak
memory of every stage, the cost of an item, and the exponent with which time grows. Peak memory of a
run is that of its whole process tree with the embedded store.
"""

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.end_to_end import timed
from benchmarks.machine import machine, thread_pools
from benchmarks.shop_generator import SyntheticShop, renewed
from recommender.artifacts.runs import require_run
from recommender.settings.loading import load

RECIPE = Path(__file__).parents[1] / "config" / "recipes" / "quick.toml"
NEW_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: seconds and peak bytes, in all and by stage."""

    n_items: int
    n_events: int
    run: str
    seconds: float
    peak_bytes: int
    stages: list[dict[str, Any]]


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="500 and 2,000 items, a night of these"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--events-per-item", type=int, default=20)
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    options = parser.parse_args(arguments)
    sizes = [500, 2000] if options.quick else sorted(options.items)
    runs: list[Measured] = []
    for n_items in sizes:
        shop = SyntheticShop(n_items, n_items * options.events_per_item)
        by_night = not options.quick or n_items == sizes[-1]
        for run in _indexed(shop, options.assignments, by_night=by_night):
            runs.append(run)
            sys.stdout.write("" if options.json else _table(run))
            sys.stdout.flush()
    growth = exponents([run for run in runs if run.run == "cold"])
    if options.json:
        told = {"machine": machine(), "runs": [asdict(run) for run in runs], "exponents": growth}
        sys.stdout.write(json.dumps(told, indent=1) + "\n")
        return
    for (one, two), exponent in zip(pairwise(sizes), growth, strict=True):
        grown = (two / one) ** (exponent - 1)
        line = f"{one:,} to {two:,} items: exponent {exponent:.2f}, an item costs {grown:.2f} times"
        sys.stdout.write(f"\n{line}\n")
    sys.stdout.write(f"{thread_pools()}\n")


def exponents(runs: Sequence[Measured]) -> list[float]:
    """Of the growth of time with items, from each size to the next."""
    return [
        math.log(two.seconds / one.seconds) / math.log(two.n_items / one.n_items)
        for one, two in pairwise(runs)
    ]


def _indexed(
    shop: SyntheticShop, assignments: Sequence[str], *, by_night: bool
) -> Iterator[Measured]:
    with tempfile.TemporaryDirectory() as name:
        config = shop.write(Path(name), RECIPE)
        yield _run(shop, "cold", config, assignments)
        if not by_night:
            return
        renewed(Path(name), shop, NEW_SHARE)
        yield _run(shop, "nightly", config, assignments)


def _run(shop: SyntheticShop, what: str, config: Path, assignments: Sequence[str]) -> Measured:
    command = [sys.executable, "-m", "recommender.cli", "reindex", "--config", str(config)]
    for assignment in assignments:
        command += ["--set", assignment]
    seconds, peak = timed(command)
    store = load(config).artifact_store()
    stages = [dict(stage) for stage in require_run(store, store.highest_run()).stages]
    return Measured(shop.n_items, shop.n_events, what, seconds, peak, stages)


def _table(run: Measured) -> str:
    lines = [
        f"\n{run.n_items:,} items, {run.n_events:,} events, {run.run}: {run.seconds:,.1f} s, "
        f"{1000 * run.seconds / run.n_items:.2f} ms an item, "
        f"peak {run.peak_bytes / 2**30:.2f} GiB\n"
    ]
    for stage in run.stages:
        told = "reused" if stage["reused"] else f"{stage['seconds']:10.1f} s"
        lines.append(f"  {stage['stage']:<32}{told:>14}{stage['peak_bytes'] / 2**20:10,.0f} MiB\n")
    return "".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
