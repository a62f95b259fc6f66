"""A whole reindex of an example shop, cold and unchanged, and what importing the lookup costs.

    python -m benchmarks.end_to_end [--config FILE ...] [--set NAME=VALUE ...] [--json]

Every run has a state folder of its own, so nothing is reused; peak memory is that of the whole
process tree with the embedded store, sampled ten times a second.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import Row, report

EXAMPLES = Path(__file__).parents[1] / "config" / "examples"
RUNS = 5
SAMPLE_S = 0.1
PAGE = 4096


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="A whole reindex, cold and unchanged.")
    parser.add_argument("--config", action="append", type=Path, help="default: the demo")
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = import_rows()
    for config in options.config or [EXAMPLES / "demo.toml"]:
        rows += reindex_rows(config, options.assignments)
    report(rows, as_json=options.json)


def reindex_rows(config: Path, assignments: Sequence[str]) -> list[Row]:
    """Seconds and peak memory of a cold run, seconds of an unchanged one."""
    with tempfile.TemporaryDirectory() as state:
        command = [
            *(sys.executable, "-m", "recommender.cli", "reindex"),
            *("--config", str(config), "--set", f"state.folder={state}"),
            *(part for assignment in assignments for part in ("--set", assignment)),
        ]
        cold_s, peak = timed(command)
        unchanged_s, _ = timed(command)
    return [
        Row(f"{config.stem}: cold reindex", cold_s, "s"),
        Row(f"{config.stem}: cold reindex, peak memory of the tree", peak / 2**20, "MiB"),
        Row(f"{config.stem}: unchanged reindex", unchanged_s, "s"),
    ]


def import_rows() -> list[Row]:
    """Median milliseconds of a process that imports the lookup, beside one that imports redis."""
    times: dict[str, list[float]] = {"recommender.serving.lookup": [], "redis": []}
    for _ in range(RUNS):
        for module, seconds in times.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
            seconds.append(time.perf_counter() - started)
    lookup, redis = (1000 * sorted(seconds)[RUNS // 2] for seconds in times.values())
    return [Row("process that imports the lookup, beside import redis", lookup, "ms", redis)]


def timed(command: list[str]) -> tuple[float, int]:
    """Run a command: its seconds, and the largest memory of its tree and session in bytes."""
    started = time.perf_counter()
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    ended = threading.Event()
    peak = 0

    def sample() -> None:
        nonlocal peak
        while not ended.wait(SAMPLE_S):
            peak = max(peak, tree_bytes(running.pid))

    sampler = threading.Thread(target=sample)
    sampler.start()
    code = running.wait()
    ended.set()
    sampler.join()
    if code:
        raise SystemExit(f"{' '.join(command)} left with {code}")
    return time.perf_counter() - started, peak


def tree_bytes(root: int) -> int:
    """Resident bytes of a process, its descendants, and servers that they detached."""
    total = 0
    children: dict[int, list[int]] = {}
    resident: dict[int, int] = {}
    servers: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, fields = stat.read_text().partition("(")[2].rpartition(")")
            columns = fields.split()
            pid = int(stat.parent.name)
            children.setdefault(int(columns[1]), []).append(pid)
            resident[pid] = int(columns[21]) * PAGE
            if name == "valkey-server":
                servers.append(pid)
        except (OSError, ValueError, IndexError):
            continue
    waiting = [root, *servers]
    while waiting:
        pid = waiting.pop()
        total += resident.pop(pid, 0)
        waiting += children.get(pid, [])
    return total


if __name__ == "__main__":
    main()
