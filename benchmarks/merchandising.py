"""Merchandisers' rules over a large shop: `python -m benchmarks.merchandising [--quick] [--json]`.

A thousand rules of every action over 100,000 items with lists of 36 (--quick: 100 over 5,000), by
item, brand, category and pair, so many that nearly every list changes. Each figure is that of a
whole process `recommender rules check | preview | apply`, of which apply is beside what it saves:
publishing all lists. The lists are drawn at random, for rules do not ask where lists come from;
the store is an embedded one that stays up, as a shop's Redis does.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.machine import Row, report
from recommender.artifacts.store import Artifact, ArtifactStore
from recommender.build.contents import (
    BUILD,
    LISTS,
    READ,
    find_build,
    read_columns,
    read_ids,
    related_lists,
)
from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.core.interactions import Interactions
from recommender.core.recipe import Choice, Placement
from recommender.core.related import EVIDENCE
from recommender.publishing.publisher import Publisher
from recommender.serving.connection import open_store
from recommender.settings.loading import load

SHOP, DEPTH = "rules-bench", 36
BRANDS, CATEGORIES, BRANCHES = 500, 400, 20
SETTINGS = f'shop = "{SHOP}"\n[interactions]\npath = "orders.csv"\n'
COMMAND = (sys.executable, "-m", "recommender.cli")
BUILD_KEY = "b" * 64


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Merchandisers' rules over a large shop.")
    parser.add_argument("--quick", action="store_true", help="100 rules over 5,000 items")
    parser.add_argument("--items", type=int, default=0)
    parser.add_argument("--rules", type=int, default=0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    n_items = options.items or (5_000 if options.quick else 100_000)
    n_rules = options.rules or (100 if options.quick else 1_000)
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(Path(folder), n_items, n_rules, options.runs)
    report(rows, as_json=options.json)


def measured(folder: Path, n_items: int, n_rules: int, runs: int) -> list[Row]:
    """Publish a shop, then check, preview and apply rules over it, in turns."""
    config, rules = folder / "recommender.toml", folder / "rules.yaml"
    config.write_text(SETTINGS)
    rules.write_text("\n".join(["rules:", *written_rules(n_items, n_rules)]) + "\n")
    store = load(config).artifact_store()
    build = made_build(store, n_items)
    url = command("store", "start", "--config", str(config))[0].strip().splitlines()[-1]
    taken: dict[str, list[tuple[float, float]]] = {}
    changed = 0
    try:
        for _ in range(runs):
            taken.setdefault("publish", []).append(published(url, store, build))
            for action in ("check", "preview", "apply"):
                given = ("rules", action, str(rules), "--config", str(config))
                as_json = ("--json",) if action == "check" else ()
                said, wall, cpu = command(*given, *as_json)
                taken.setdefault(action, []).append((wall, cpu))
                if as_json:
                    changed = json.loads(said)["placements"][0]["n_affected"]
    finally:
        command("store", "stop", "--config", str(config))
    name = f"{n_rules:,} rules, {n_items:,} items"
    rows = [Row(f"{name}: lists in which a rule acts", changed, "")]
    for action, times in taken.items():
        peer = median(one[0] for one in taken["publish"]) if action == "apply" else None
        what = "publish all lists" if action == "publish" else f"rules {action}"
        rows.append(Row(f"{name}: {what}", median(one[0] for one in times), "s", peer))
        rows.append(Row(f"{name}: {what}, processor time", median(one[1] for one in times), "s"))
    return rows


def command(*arguments: str) -> tuple[str, float, float]:
    """Run one command to its end: what it printed, seconds, seconds of processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run([*COMMAND, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return done.stdout, seconds, used


def published(url: str, store: ArtifactStore, build: Artifact) -> tuple[float, float]:
    """Publish all lists: seconds, and seconds of this process."""
    started, used = time.perf_counter(), time.process_time()
    with open_store(url) as connection:
        Publisher(connection, SHOP, grace_s=0.0).publish(
            read_ids(store, build),
            related_lists(store, build),
            lists_key=build.key,
            recipe_digest="bench",
        )
    return time.perf_counter() - started, time.process_time() - used


def made_build(store: ArtifactStore, n_items: int) -> Artifact:
    """The artifacts of a build whose lists are drawn at random."""
    rng = np.random.default_rng(0)
    steps = rng.integers(1, max(2, n_items // DEPTH), (n_items, DEPTH)).cumsum(axis=1)
    rows = (np.arange(n_items)[:, None] + steps) % n_items
    scores = np.sort(rng.uniform(0.01, 0.99, rows.shape), axis=1)[:, ::-1]
    lists = {
        "sizes": np.full(n_items, DEPTH, dtype=np.int64),
        "rows": rows.astype(np.int32).ravel(),
        "scores": scores.astype(np.float32).ravel(),
        "evidence": np.full(rows.size, EVIDENCE.index("both"), dtype=np.uint8),
        "best_sellers": np.arange(min(100, n_items), dtype=np.int32),
    }
    store.write(READ[0], "a" * 64, read_columns(goods(n_items, rng), sales(n_items, rng)), {})
    store.write(LISTS[0], "c" * 64, lists, {})
    rules = (Choice("in-stock"), Choice("one-per-group"))
    placement = Placement("related", Choice("gated"), filters=rules, depth=DEPTH).plain()
    summary = {
        "read": "a" * 64,
        "lists": {"related": ["c" * 64]},
        "n_items": n_items,
        "recipe": {"placements": [placement]},
    }
    store.write(BUILD[0], BUILD_KEY, {}, summary)
    return find_build(store, BUILD_KEY)


def goods(n_items: int, rng: np.random.Generator) -> Catalogue:
    """Items of so many brands and categories, one in twenty out of stock."""
    blank = ("",) * n_items
    return Catalogue(
        ids=ItemIds(tuple(f"{row:06d}" for row in range(n_items))),
        title=tuple(f"product number {row}" for row in range(n_items)),
        description=blank,
        brand=tuple(f"brand {number}" for number in rng.integers(0, BRANDS, n_items)),
        category=tuple(path(number) for number in rng.integers(0, CATEGORIES, n_items)),
        group=blank,
        price=np.full(n_items, 9.99, dtype=np.float32),
        in_stock=rng.random(n_items) > 0.05,
        available_from=np.zeros(n_items, dtype=np.int64),
    )


def sales(n_items: int, rng: np.random.Generator) -> Interactions:
    """Three baskets of three for every item."""
    n_events = 9 * n_items
    baskets = (np.arange(n_events) // 3).astype(np.int32)
    return Interactions(
        n_items=n_items,
        item=(n_items * rng.power(2, n_events)).astype(np.int32),
        basket=baskets,
        session=np.full(n_events, -1, dtype=np.int32),
        user=baskets,
        kind=np.zeros(n_events, dtype=np.int8),
        time=np.full(n_events, 1_700_000_000, dtype=np.int64),
        kinds=("purchase",),
        weights=(1.0,),
        users=np.arange(int(baskets[-1]) + 1, dtype=np.uint64),
    )


def path(number: int) -> str:
    """One of the categories, twenty branches with twenty twigs each."""
    return f"branch {number % BRANCHES} > twig {number}"


def written_rules(n_items: int, n_rules: int) -> Iterator[str]:
    """Rules of every action, with every kind of selection."""
    rng = np.random.default_rng(1)

    def item() -> str:
        return f"'{rng.integers(n_items):06d}'"

    for number in range(n_rules):
        brand, twig = f"brand {rng.integers(BRANDS)}", path(int(rng.integers(CATEGORIES)))
        selections = (
            f"{{ item: [{item()}, {item()}] }}",
            f"{{ brand: {brand} }}",
            f"{{ category: '{twig}' }}",
            f"{{ pair: [['{number:06d}', '{number + 1:06d}'], ['000000', '000002']] }}",
        )
        what = selections[number // 5 % len(selections)]
        where = ("", f"  lists_of: {{ category: branch {rng.integers(BRANCHES)} }}\n")[number % 2]
        where = "" if "pair" in what else where
        of_brand = where or f"  lists_of: {{ brand: {brand} }}\n"
        yield (
            f"- name: rule {number}\n"
            + (
                f"  pin: {item()}\n  position: {1 + number % 12}\n{of_brand}",
                f"  boost: {what}\n  by: 2\n{where}",
                f"  bury: {what}\n  by: 2\n{where}",
                f"  exclude: {what}\n{where}",
                f"  replace: {item()}\n  with: {item()}\n{'' if 'pair' in what else where}",
            )[number % 5].rstrip()
        )


if __name__ == "__main__":
    main(sys.argv[1:])
