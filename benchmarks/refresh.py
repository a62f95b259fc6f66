"""A new product in its neighbours' lists, from the command to the lookup, in a large shop.

    python -m benchmarks.refresh [--quick] [--items N] [--recipe quick|default] [--runs N]
                                 [--folder FOLDER] [--whole] [--json]

A shop of 100,000 items (--quick: 5,000) is generated and published into a store that stays up, as a
shop's Redis does. Files, texts (real model), interaction model, vectors and index are made as by a
reindex. Its slow rest is stood in for, unless --whole: the learned fusion is untaught, trees were
learned in the small fixture shop, the lists of the others are random; how long a refresh takes does
not depend on what they say.

Then a row is added to the catalogue, and time is taken from the start of a new process `recommender
refresh ITEM` until a lookup, which polls all the time, has read the item's own list and a
neighbour's list that holds it. Beside it, in turns: a process that does nothing but load the text
model and encode one text. A --folder keeps the shop for the next time.
"""

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import Row, report
from recommender import pipeline
from recommender.build.job import Job, pinned
from recommender.build.steps import Step, complete, named, steps_of
from recommender.cli.session import publisher
from recommender.core.arrays import Columns
from recommender.ranking.chooser import stages_of
from recommender.ranking.training_set import KIN
from recommender.serving.lookup import RelatedItems
from recommender.settings.loading import load
from recommender.settings.model import Settings
from recommender.vectors.fusion.learned import Learned

Pair = tuple[NDArray[np.int32], NDArray[np.float32]]

RECIPES = Path(__file__).parents[1] / "config" / "recipes"
SMALL_SHOP = Path(__file__).parents[1] / "data_fixtures" / "small_shop"
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
    "from recommender import registry; from recommender.core.recipe import Choice; "
    "from recommender.core.telemetry import silent; "
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
    parser.add_argument("--whole", action="store_true", help="run a whole reindex first")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    n_items = options.items or (5_000 if options.quick else 100_000)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        config = prepared(folder, n_items, options.recipe)
        name = f"{n_items:,} items, {options.recipe} recipe"
        runs = 2 if options.quick else options.runs
        rows = measured(config, name, runs, whole=options.whole)
    report(rows, as_json=options.json)


def prepared(folder: Path, n_items: int, recipe: str) -> Path:
    """The settings of the shop, whose files are written where there are none."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "recommender.toml"
    if not config.exists():
        write_shop(folder, n_items, recipe)
    return config


def measured(config: Path, name: str, runs: int, *, whole: bool) -> list[Row]:
    """Publish the shop and refresh new items, one after another."""
    url = command(config, "store", "start").strip().splitlines()[-1]
    try:
        if whole:
            command(config, "reindex")
        else:
            publish_stand_ins(load(config, [f"store.url={url}"]))
        taken = [refreshed(config, url) for _ in range(runs)]
    finally:
        command(config, "store", "stop")
    floor = median(each.model for each in taken)
    cpu_floor = median(each.model_cpu for each in taken)
    return [
        Row(f"{name}: own list read back", median(each.own for each in taken), "s", floor),
        Row(f"{name}: in a neighbour's list", median(each.neighbour for each in taken), "s", floor),
        Row(f"{name}: slowest of {runs}", max(each.neighbour for each in taken), "s", floor),
        Row(f"{name}: command ended", median(each.ended for each in taken), "s", floor),
        Row(f"{name}: processor time", median(each.cpu for each in taken), "s", cpu_floor),
    ]


def refreshed(config: Path, url: str) -> Taken:
    """Add a product to the catalogue and refresh it, beside a process that loads the model."""
    model, model_cpu = timed([sys.executable, "-c", MODEL_ALONE])
    new, neighbours = added(config.parent / "catalogue.csv")
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


def publish_stand_ins(settings: Settings) -> None:
    """Make and publish what refresh reads of a build; what takes a reindex long is stood in for."""
    with publisher(settings) as shop:
        job = pinned(settings.job())
        run, planned = pipeline.laid_out(job, pipeline.begin(job, shop))
        with mock.patch.object(Learned, "_trained", lambda _, inputs, first, counts: first):
            for step in steps_of(planned.goal):
                if missing := step.missing():
                    make(job, step, missing)
        run = pipeline.measured(job, run)
        pipeline.publish(job.artifacts, run, shop)
        run.save(job.artifacts, state="published")


def make(job: Job, step: Step, shards: Sequence[int]) -> None:
    """One step of the plan, or what stands in for it."""
    keys = step.keys() or ()
    n_items = named(step, "read").artifact().summary["report"]["n_items"] if step.needs else 0
    kind = step.name.partition(".")[0]
    if kind == "near":
        rows, scores = random_lists(n_items, KIN)
        job.artifacts.write(step.folder, keys[0], {"rows": rows, "scores": scores}, {})
    elif kind == "learn":
        job.artifacts.write(step.folder, keys[0], trees_of_small_shop(), {})
    elif kind == "choose":
        for shard in shards:
            part = range(n_items)[shard * job.shard_items :][: job.shard_items]
            rows, scores = random_lists(len(part), 36, n_items, part.start)
            columns: Columns = {
                "sizes": np.full(len(part), 36, dtype=np.int64),
                "rows": rows.ravel(),
                "scores": scores.ravel(),
                "evidence": np.zeros(rows.size, dtype=np.uint8),
                "best_sellers": np.arange(100, dtype=np.int32),
                "own": np.full(len(part), 36, dtype=np.int64),
                "dropped": np.zeros((0, len(stages_of(job.recipe.placements[0]))), dtype=np.int32),
            }
            job.artifacts.write(step.folder, keys[shard], columns, {"entries": rows.size})
    else:
        step.perform(shards)


def random_lists(count: int, depth: int, n_items: int = 0, start: int = 0) -> Pair:
    """Rows and falling scores (count, depth): the items at random steps behind each item."""
    rng = np.random.default_rng(start)
    steps = rng.integers(1, max((n_items or count) // (depth + 1), 2), (count, depth))
    own = np.arange(start, start + count)[:, None]
    rows = (own + steps.cumsum(axis=1)) % (n_items or count)
    scores = np.sort(rng.uniform(0.2, 0.6, (count, depth)), axis=1)[:, ::-1]
    return rows.astype(np.int32), scores.astype(np.float32)


def trees_of_small_shop() -> Columns:
    """The trees that the default ranker learns in the small fixture shop."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "recommender.toml")
        config.write_text(
            f'shop = "small"\n[catalogue]\npath = "{SMALL_SHOP}/catalogue.csv"\n'
            f'[interactions]\npath = "{SMALL_SHOP}/orders.csv"\n'
            '[recipe]\ntext = { use = "hashing" }\n'
            '[[recipe.placements]]\nname = "related"\nfusion = "gated"\n'
        )
        job = pinned(load(config, []).job())
        planned = pipeline.read_and_planned(job)
        complete(planned.goal, job.stopwatch)
        columns = named(planned.goal, "learn.related").artifact().columns()
        return {name: np.array(array) for name, array in columns.items()}


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
