"""`python -m tests.simulation [--seeds 2000] [--first 0]`, or `--seed 17` for the trace of one.

Prints the seeds that fail, and what happened in all of them; the exit code is 1 where one failed.
"""

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tests.simulation.seeds import chunk
from tests.simulation.shop import opened
from tests.simulation.simulation import Simulation
from tests.simulation.world import Violation

CHUNK = 250


def main(arguments: Sequence[str]) -> int:
    """Run seeds."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--most", type=int, default=10, help="failures after which it stops")
    parser.add_argument("--seed", type=int, help="run this seed alone, and show its trace")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        return replay(options.seed)
    began = time.perf_counter()
    failed: dict[int, str] = {}
    seen = Counter[str]()
    ends = range(options.first, options.first + options.seeds)
    chunks = [ends[start : start + CHUNK] for start in range(0, options.seeds, CHUNK)]
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for found, happened in pool.imap(chunk, chunks):
            seen += happened
            failed |= found
            for seed, what in found.items():
                sys.stdout.write(f"seed {seed}: {what}\n")
                sys.stdout.flush()
            if len(failed) >= options.most:
                break
    counts = ", ".join(f"{count} {what}" for what, count in sorted(seen.items()))
    took_s = time.perf_counter() - began
    sys.stdout.write(f"{seen['seeds']} seeds, {len(failed)} failed, {took_s:.0f} s: {counts}\n")
    return int(bool(failed))


def replay(seed: int) -> int:
    """Run one seed and show what happened in it."""
    with opened() as shop:
        simulation = Simulation(seed, shop.without_runs())
        simulation.world.tracing = True
        try:
            simulation.run()
        except Violation:
            return 1
        finally:
            sys.stdout.write("\n".join(simulation.world.trace) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
