"""A new product in its neighbours' lists, from the command to the lookup, in a large shop.

    python -m benchmarks.refresh [--quick] [--items N] [--recipe quick|default] [--runs N]
                                 [--folder FOLDER] [--json]

A shop of 100,000 items (--quick: 5,000) is generated and indexed with the real text model, into a
store that stays up, as a shop's Redis does. Then a row is added to the catalogue, and time is taken
from the start of a new process `recommender refresh ITEM` until a lookup, which polls all the time,
has read the item's own list and a neighbour's list that holds it. Beside it, in turns: a process
that does nothing but load the text model and encode one text. A --folder keeps the shop.
"""

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.machine import Row, report
from recommender.serving.lookup import RelatedItems

RECIPES = Path(__file__).parents[1] / "config" / "recipes"
SHOP = "refresh-bench"
PLACEMENT = "related"
POLL_S = 0.02
LIMIT_S = 300.0
LINES_PER_BASKET, BASKETS_PER_ITEM = 4, 2

ADJECTIVES = (
    *("red", "blue", "green", "white", "black", "small", "large", "vintage", "folding", "striped"),
    *("round", "square", "wooden", "enamel", "cotton", "woollen", "painted", "glass", "copper"),
)
MATERIALS = ("heart", "star", "rose", "bird", "stripe", "dot", "lace", "check")
NOUNS = (
    *("mug", "kettle", "lamp", "rake", "scarf", "drum", "stamp", "plate", "bowl", "candle"),
    *("cushion", "apron", "towel", "clock", "frame", "basket", "bag", "tin", "jar", "spoon"),
    *("tray", "bunting", "card", "ribbon", "box"),
)

MODEL_ALONE = (
    "from recommender import registry; from recommender.recipe import Choice; "
    "from recommender.progress import silent; "
    "registry.text_encoder(Choice('sentence-transformers')).encode(['one text'], silent)"
)


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds of one refresh: until its list, until a neighbour's, until it ended; CPU seconds."""

    own: float
    neighbour: float
    ended: float
    cpu: float
    model: float
    model_cpu: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="A new product in its neighbours' lists.")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--items", type=int, default=0)
    parser.add_argument("--recipe", choices=("quick", "default"), default="default")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    n_items = options.items or (5_000 if options.quick else 100_000)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        rows = measured(folder, n_items, options.recipe, 2 if options.quick else options.runs)
    report(rows, as_json=options.json)


def measured(folder: Path, n_items: int, recipe: str, runs: int) -> list[Row]:
    """Index the shop and refresh new items, one after another."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "recommender.toml"
    if not config.exists():
        write_shop(folder, n_items, recipe)
    url = command(config, "store", "start").strip().splitlines()[-1]
    try:
        command(config, "reindex")
        taken = [refreshed(folder, config, url) for _ in range(runs)]
    finally:
        command(config, "store", "stop")
    name = f"{n_items:,} items, {recipe} recipe"
    floor = median(each.model for each in taken)
    cpu_floor = median(each.model_cpu for each in taken)
    return [
        Row(f"{name}: own list read back", median(each.own for each in taken), "s", floor),
        Row(f"{name}: in a neighbour's list", median(each.neighbour for each in taken), "s", floor),
        Row(f"{name}: slowest of {runs}", max(each.neighbour for each in taken), "s", floor),
        Row(f"{name}: command ended", median(each.ended for each in taken), "s", floor),
        Row(f"{name}: processor time", median(each.cpu for each in taken), "s", cpu_floor),
    ]


def refreshed(folder: Path, config: Path, url: str) -> Taken:
    """Add a product to the catalogue and refresh it, beside a process that loads the model."""
    model, model_cpu = timed([sys.executable, "-c", MODEL_ALONE])
    new, neighbours = added(folder / "catalogue.csv")
    seen: dict[str, float] = {}
    done = threading.Event()

    def poll() -> None:
        with closing(RelatedItems(url, SHOP, deadline_s=2.0, cache_items=0)) as lookup:
            while not done.is_set() and len(seen) < 2:
                answer = lookup.get(new, PLACEMENT, 12)
                if answer.status in {"ok", "topped_up"}:
                    seen.setdefault("own", time.perf_counter())
                    for entry in answer.ids[:6] + neighbours:
                        if new in lookup.get(entry, PLACEMENT, 12).ids:
                            seen.setdefault("neighbour", time.perf_counter())
                time.sleep(POLL_S)

    watcher = threading.Thread(target=poll)
    watcher.start()
    started = time.perf_counter()
    try:
        ended, cpu = timed([*COMMAND, "refresh", new, "--config", str(config)])
        while len(seen) < 2 and time.perf_counter() - started < LIMIT_S:
            time.sleep(POLL_S)
    finally:
        done.set()
        watcher.join()
    if len(seen) < 2:
        raise SystemExit(f"{new}: only {', '.join(seen) or 'nothing'} was read back")
    return Taken(seen["own"] - started, seen["neighbour"] - started, ended, cpu, model, model_cpu)


COMMAND = (sys.executable, "-m", "recommender.cli")


def command(config: Path, *arguments: str) -> str:
    """Run one command to its end; returns what it printed."""
    done = subprocess.run(
        [*COMMAND, *arguments, "--config", str(config)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def timed(arguments: list[str]) -> tuple[float, float]:
    """Run a process: seconds, and seconds of processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return seconds, used


def added(catalogue: Path) -> tuple[str, tuple[str, ...]]:
    """Put a new product at the end of the catalogue; its id, and items of nearly the same title."""
    with catalogue.open(newline="") as file:
        rows = list(csv.reader(file))
    number = sum(row[0].startswith("new") for row in rows)
    item, like = f"new-{number}", rows[1 + number]
    with catalogue.open("a", newline="") as file:
        csv.writer(file).writerow([item, f"{like[1]} with handle", *like[2:5], "", "yes"])
    return item, tuple(row[0] for row in rows[1:] if row[1] == like[1])


def write_shop(folder: Path, n_items: int, recipe: str) -> None:
    """The files of a generated shop and its settings."""
    with (folder / "catalogue.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item_id", "title", "brand", "category", "price", "group", "in_stock"])
        writer.writerows(products(n_items))
    with (folder / "orders.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["order_id", "user_id", "item_id", "time"])
        writer.writerows(order_lines(n_items))
    (folder / "recommender.toml").write_text(
        f'shop = "{SHOP}"\nrecipe = "{RECIPES / recipe}.toml"\n\n'
        '[catalogue]\npath = "catalogue.csv"\n\n[interactions]\npath = "orders.csv"\n'
    )


def products(n_items: int) -> Iterator[tuple[str, ...]]:
    """Items whose titles are drawn from some thousands, each with its kind as its category."""
    rng = np.random.default_rng(0)
    words = [rng.integers(len(pool), size=n_items) for pool in (ADJECTIVES, MATERIALS, NOUNS)]
    prices = rng.lognormal(2, 1, n_items)
    for row in range(n_items):
        adjective, material, noun = (
            pool[words[at][row]] for at, pool in enumerate((ADJECTIVES, MATERIALS, NOUNS))
        )
        title = f"{adjective} {material} {noun}"
        price = f"{prices[row]:.2f}"
        yield f"p{row:06d}", title, f"{material} house", noun, price, "", "yes"


def order_lines(n_items: int) -> Iterator[tuple[str, ...]]:
    """Baskets of items that stand near each other in a hidden order, some items far more often."""
    rng = np.random.default_rng(1)
    hidden = rng.permutation(n_items)
    n_baskets = BASKETS_PER_ITEM * n_items
    centres = (n_items * rng.power(0.7, n_baskets)).astype(np.int64)
    steps = rng.geometric(0.05, (n_baskets, LINES_PER_BASKET))
    days = rng.integers(1, 366, n_baskets)
    start = np.datetime64("2025-01-01")
    for number in range(n_baskets):
        day = str(start + days[number])
        for place in np.unique((centres[number] + steps[number].cumsum()) % n_items):
            user = f"u{number % (n_items // 2)}"
            yield f"o{number}", user, f"p{hidden[place]:06d}", day


if __name__ == "__main__":
    main()
