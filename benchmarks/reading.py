"""Reading of a shop's files: `python -m benchmarks.reading [--events 20000000] [--json]`.

A synthetic shop, in whose orders a share of `--odd` lines is malformed, is read in several ways,
each in a process of its own: as the readers do, line by line, and by pandas, which only parses the
columns and drops what it cannot. `--against FOLDER` reads with another checkout as well. It shows
seconds, processor seconds, peak memory, and whether results, counts and refused rows are the same
bytes. Files that would fill the memory are read last.
"""

import argparse
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import reading_ways
from benchmarks.machine import machine
from benchmarks.shop_generator import SyntheticShop

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "config" / "recipes" / "quick.toml"
HEADER = "order_id,item_id,time\n"
BOMB_BYTES = 400 * 2**20
ODD_LINES = (
    "{order},{item}\n",
    "{order},{item},{time},more\n",
    "{order},,{time}\n",
    "{order},{item},soon\n",
    '{order},{item},"{time}" \n',
    '{order},"{item}\nb",{time}\n',
    '{order},"{item}",{time}\n',
    "\n",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One way of reading, and what it took; `result` is a digest or an error."""

    way: str
    seconds: float
    processor_s: float
    peak_bytes: int
    rows: int
    refused: int
    result: str


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--items", type=int, help="default: a twentieth of the events")
    parser.add_argument("--odd", type=float, default=0.001)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shop = SyntheticShop(options.items or max(options.events // 20, 100), options.events)
        shop.write(folder, RECIPE)
        n_odd = add_odd_lines(folder / "orders.csv", options.odd)
        show(options, f"{options.events:,} events, {n_odd:,} odd lines")
        readings: list[Reading] = []
        for _ in range(options.rounds):
            for way in ("plain", "careful", "pandas"):
                readings.append(read(way, folder, ROOT))
                show(options, row(readings))
            if options.against:
                readings.append(read("plain", folder, options.against))
                show(options, row(readings))
        for bomb in write_bombs(folder):
            readings.append(read("plain", bomb, ROOT))
            show(options, row(readings))
    if options.json:
        rows = [asdict(each) for each in readings]
        sys.stdout.write(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")


def show(options: argparse.Namespace, line: str) -> None:
    """Print a line of the table, unless all is printed as JSON."""
    if not options.json:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def read(way: str, folder: Path, checkout: Path) -> Reading:
    """Read a folder in a process of its own, with the readers of a checkout."""
    done = subprocess.run(
        [sys.executable, reading_ways.__file__, way, str(folder)],
        env=os.environ | {"PYTHONPATH": str(checkout.resolve())},
        check=True,
        stdout=subprocess.PIPE,
    )
    name = way if checkout == ROOT else f"{way}, {checkout}"
    return Reading(folder.name if "bomb" in folder.name else name, **json.loads(done.stdout))


def add_odd_lines(path: Path, share: float) -> int:
    """Make a share of the lines of the orders malformed, or unusual; how many they are."""
    rng = random.Random(0)
    whole = path.with_suffix(".whole")
    path.rename(whole)
    n_odd = 0
    with whole.open() as lines, path.open("w") as file:
        file.write(next(lines))
        for line in lines:
            if rng.random() >= share:
                file.write(line)
                continue
            order, item, time = line.rstrip("\n").split(",")
            odd = ODD_LINES[n_odd % len(ODD_LINES)]
            file.write(odd.format(order=order, item=item, time=time))
            n_odd += 1
    whole.unlink()
    return n_odd


def write_bombs(folder: Path) -> Iterator[Path]:
    """Folders with files that would fill the memory."""
    quote = folder / "bomb: an unclosed quote"
    quote.mkdir()
    with (quote / "orders.csv").open("w") as file:
        file.write(HEADER + '1,a,2025-12-31\n2,"b,2025-12-31\n')
        for _ in range(BOMB_BYTES // 2**20):
            file.write("3,c,2025-12-31\n" * (2**20 // 15))
    yield quote
    for name, content in (
        ("bomb: gz of one long line", b"0" * 2**20),
        ("bomb: gz of rows", b"3,c,2025-12-31\n" * (2**20 // 15)),
    ):
        packed = folder / name
        packed.mkdir()
        with gzip.open(packed / "orders.csv.gz", "wb") as stream:
            stream.write(HEADER.encode())
            for _ in range(BOMB_BYTES // 2**20):
                stream.write(content)
        yield packed


def row(readings: Sequence[Reading]) -> str:
    """The last reading, and whether it has the result of the first."""
    each = readings[-1]
    same = "same bytes" if each.result == readings[0].result else each.result
    counts = f"{each.rows:>13,} rows{each.refused:>9,} refused"
    return (
        f"{each.way:<26}{each.seconds:>9.1f} s{each.processor_s:>9.1f} s of processor"
        f"{each.peak_bytes / 2**20:>9,.0f} MiB{counts}  {same}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
